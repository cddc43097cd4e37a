/**
 * Which conversations are being answered, in whichever tab.
 *
 * The tab that receives an answer holds a Web Lock for as long: it is released
 * by the death of the tab too, so that an answer that was cut off shows as
 * interrupted at once, without heartbeats.
 */

import { answerLockName } from '../core/names.js';

/**
 * Run *work* as the only tab that answers in this conversation.
 *
 * @template T
 * @param {string} conversationId
 * @param {() => Promise<T>} work
 * @returns {Promise<T | null>}  `null` if another tab is answering; *work* did
 *   not run.
 */
export function whileAnswering(conversationId, work) {
  return navigator.locks.request(
    answerLockName(conversationId),
    { ifAvailable: true },
    (lock) => (lock ? work() : null),
  );
}

/** @param {string} conversationId */
export async function isBeingAnswered(conversationId) {
  const { held = [] } = await navigator.locks.query();
  const wanted = answerLockName(conversationId);
  return held.some(({ name }) => name === wanted);
}

/**
 * Resolves when no tab is answering there any more.
 *
 * @param {string} conversationId
 * @param {AbortSignal} signal  Stop waiting; the promise rejects.
 */
export function answered(conversationId, signal) {
  return navigator.locks.request(
    answerLockName(conversationId),
    { signal, mode: 'shared' },
    () => undefined,
  );
}
