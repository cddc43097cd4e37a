/** Short notices; those with a problem or an action stay until dismissed. */

import { byId, fromTemplate, messageOf, part } from './markup.js';

const SHOWN_MS = 6000;

/**
 * @param {string} text
 * @param {object} [options]
 * @param {'plain' | 'bad'} [options.tone]
 * @param {{ label: string, run: () => void }} [options.action]
 */
export function toast(text, { tone = 'plain', action } = {}) {
  const element = fromTemplate('toast-template');
  element.dataset.tone = tone;
  element.setAttribute('role', tone === 'bad' ? 'alert' : 'status');
  const close = () => element.remove();
  part(element, 'close').addEventListener('click', close);
  if (action) {
    const button = part(element, 'action');
    button.hidden = false;
    button.textContent = action.label;
    button.addEventListener('click', () => {
      close();
      action.run();
    });
  }
  byId('toasts').append(element);
  // A live region speaks what is put into it, not what comes with it.
  part(element, 'text').textContent = text;
  if (tone === 'plain' && !action) setTimeout(close, SHOWN_MS);
}

/** @param {unknown} error */
export const toastError = (error) => toast(messageOf(error), { tone: 'bad' });

/**
 * Run *work*; what fails is told to the person, who can act on it.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T | null>}  `null` if it failed.
 */
export async function told(work) {
  try {
    return await work();
  } catch (error) {
    toastError(error);
    return null;
  }
}
