/**
 * The newest conversations as the last visit left them: shown before the database
 * is open, and replaced by what is in it.
 *
 * Rule 1: it is kept as plain text, so only of a database that is not encrypted;
 *         preferences.js deletes it before it is encrypted.
 * Rule 2: nothing that lies there is trusted.
 */

import { keepLastList, readLastList } from './preferences.js';

/** @import { Conversation } from '../client.js' */

/** @param {readonly Conversation[]} conversations */
export function rememberList(conversations) {
  const kept = conversations.map(
    ({ metadata: { title }, ...conversation }) => ({
      ...conversation,
      metadata: typeof title === 'string' ? { title } : {},
    }),
  );
  keepLastList(JSON.stringify(kept));
}

/** @returns {Conversation[]} */
export function rememberedList() {
  try {
    const found = JSON.parse(readLastList() ?? '[]');
    return Array.isArray(found) ? found.filter(isConversation) : [];
  } catch {
    // Not ours, or of a release that wrote something else.
    return [];
  }
}

/** @param {any} value */
function isConversation(value) {
  return (
    typeof value?.id === 'string' &&
    typeof value.personaId === 'string' &&
    Number.isFinite(value.updatedAt) &&
    value.metadata !== null &&
    typeof value.metadata === 'object'
  );
}
