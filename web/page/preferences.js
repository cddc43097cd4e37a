/**
 * What this browser remembers of its user, beside the database.
 *
 * Rule 1: every key of `localStorage` and `sessionStorage` is built here.
 * Rule 2: storage may be blocked or full. Then a preference holds only as long
 *         as the page; nothing fails because of it.
 */

const PREFIX = 'pyodide-app:';

/**
 * @param {() => Storage} open  Reading the property itself may throw.
 */
function guarded(open) {
  /** @type {Map<string, string>} */
  const whileOpen = new Map();
  return {
    /** @param {string} key */
    get(key) {
      try {
        return open().getItem(PREFIX + key) ?? whileOpen.get(key) ?? null;
      } catch {
        return whileOpen.get(key) ?? null;
      }
    },
    /**
     * @param {string} key
     * @param {string | null} value  `null` forgets it.
     */
    set(key, value) {
      whileOpen.delete(key);
      try {
        if (value === null) open().removeItem(PREFIX + key);
        else open().setItem(PREFIX + key, value);
      } catch {
        if (value !== null) whileOpen.set(key, value);
      }
    },
  };
}

/** @typedef {ReturnType<typeof guarded>} Preferences */

/** Kept on this device. */
export const preferences = guarded(() => localStorage);

/** Kept as long as this tab. */
export const tabPreferences = guarded(() => sessionStorage);

/**
 * Hear when another tab changes a preference of this device.
 *
 * @param {string} key
 * @param {(value: string | null) => void} listener
 */
export function onPreference(key, listener) {
  addEventListener('storage', (event) => {
    if (event.key === PREFIX + key) listener(event.newValue);
  });
}

/** @param {string | null} conversationId */
const draftKey = (conversationId) => `draft:${conversationId ?? 'new'}`;

/**
 * What was typed and not yet sent; it must outlive the page.
 *
 * @param {string | null} conversationId  `null` for one that has no id yet.
 */
export const readDraft = (conversationId) =>
  preferences.get(draftKey(conversationId)) ?? '';

/**
 * @param {string | null} conversationId
 * @param {string} text  Empty forgets it.
 */
export const keepDraft = (conversationId, text) =>
  preferences.set(draftKey(conversationId), text === '' ? null : text);
