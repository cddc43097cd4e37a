/** Modal dialogs as promises; the platform keeps the focus inside and restores it. */

import { byId, part } from './markup.js';

/**
 * Show *dialog* until it is submitted or left.
 *
 * @param {HTMLDialogElement} dialog  Holds one form and a `cancel` part.
 * @param {() => boolean} [mayClose]  Asked on submit; false keeps it open.
 * @returns {Promise<boolean>}  True if it was submitted.
 */
export function showDialog(dialog, mayClose = () => true) {
  const ended = new AbortController();
  const { signal } = ended;
  dialog.returnValue = '';
  dialog.addEventListener(
    'submit',
    (event) => {
      event.preventDefault();
      if (mayClose()) dialog.close('accept');
    },
    { signal },
  );
  part(dialog, 'cancel').addEventListener('click', () => dialog.close(), {
    signal,
  });
  return new Promise((resolve) => {
    dialog.addEventListener(
      'close',
      () => {
        ended.abort();
        resolve(dialog.returnValue === 'accept');
      },
      { signal },
    );
    dialog.showModal();
  });
}

/**
 * @param {string} name
 * @returns {Promise<string | null>}  The new name; `null` if it stays.
 */
export async function askForName(name) {
  const input = byId('name-input', HTMLInputElement);
  input.value = name;
  const shown = showDialog(byId('name-dialog', HTMLDialogElement));
  input.select();
  const isAccepted = await shown;
  const chosen = input.value.trim();
  return isAccepted && chosen !== '' && chosen !== name ? chosen : null;
}

/**
 * @param {{ title: string, text: string, accept: string }} words
 * @returns {Promise<boolean>}
 */
export function confirmWith({ title, text, accept }) {
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  byId('confirm-accept').textContent = accept;
  return showDialog(byId('confirm-dialog', HTMLDialogElement));
}
