/**
 * Asking for passphrases.
 *
 * Rule 1: the dialog stays until what they are for has been done, or was given up.
 * Rule 2: a passphrase is in the page only as long as that takes.
 */

import { showDialog } from './dialogs.js';
import { byId, messageOf, part } from './markup.js';

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} text
 * @property {string} accept  On the button.
 * @property {boolean} [asksCurrent]
 * @property {boolean} [asksNew]
 * @property {boolean} [asksFormat]
 */

/**
 * @typedef {object} Passphrases
 * @property {string} current
 * @property {string} next
 * @property {'chacha20' | 'sqlcipher'} cipher
 */

export class PassphraseDialog {
  #dialog = byId('passphrase-dialog', HTMLDialogElement);
  #current = byId('passphrase-current', HTMLInputElement);
  #next = byId('passphrase-new', HTMLInputElement);
  #again = byId('passphrase-again', HTMLInputElement);
  #show = byId('passphrase-show', HTMLInputElement);
  #sqlcipher = byId('passphrase-sqlcipher', HTMLInputElement);
  #error = byId('passphrase-error');
  #accept = byId('passphrase-accept', HTMLButtonElement);
  #isBusy = false;

  constructor() {
    this.#show.addEventListener('change', () => this.#showTyped());
    this.#dialog.addEventListener('cancel', (event) => {
      if (this.#isBusy) event.preventDefault();
    });
    this.#dialog.addEventListener('close', () => this.#forget());
  }

  /**
   * @param {Question} question
   * @param {(passphrases: Passphrases) => Promise<void>} work
   * @returns {Promise<boolean>}  Whether it was done.
   */
  async ask(question, work) {
    const {
      asksCurrent = false,
      asksNew = false,
      asksFormat = false,
    } = question;
    byId('passphrase-title').textContent = question.title;
    byId('passphrase-text').textContent = question.text;
    this.#accept.textContent = question.accept;
    byId('passphrase-current-field').hidden = !asksCurrent;
    byId('passphrase-new-field').hidden = !asksNew;
    byId('passphrase-again-field').hidden = !asksNew;
    byId('passphrase-sqlcipher-field').hidden = !asksFormat;
    this.#current.required = asksCurrent;
    this.#next.required = asksNew;
    this.#again.required = asksNew;
    this.#forget();
    let isDone = false;
    await showDialog(this.#dialog, () => {
      void this.#work(work).then((done) => {
        isDone = done;
        if (done) this.#dialog.close('accept');
      });
      return false;
    });
    return isDone;
  }

  /** @param {(passphrases: Passphrases) => Promise<void>} work */
  async #work(work) {
    if (this.#isBusy) return false;
    if (this.#next.required && this.#next.value !== this.#again.value) {
      this.#tell('The two new passphrases differ.');
      return false;
    }
    this.#setBusy(true);
    try {
      await work({
        current: this.#current.value,
        next: this.#next.value,
        cipher: this.#sqlcipher.checked ? 'sqlcipher' : 'chacha20',
      });
      return true;
    } catch (error) {
      this.#tell(messageOf(error));
      return false;
    } finally {
      this.#setBusy(false);
    }
  }

  /** @param {string} text */
  #tell(text) {
    this.#error.textContent = text;
    this.#error.hidden = false;
  }

  /** @param {boolean} isBusy */
  #setBusy(isBusy) {
    this.#isBusy = isBusy;
    this.#accept.disabled = isBusy;
    part(this.#dialog, 'cancel', HTMLButtonElement).disabled = isBusy;
    byId('passphrase-bar').hidden = !isBusy;
    if (isBusy) this.#error.hidden = true;
  }

  #showTyped() {
    for (const input of [this.#current, this.#next, this.#again]) {
      input.type = this.#show.checked ? 'text' : 'password';
    }
  }

  #forget() {
    for (const input of [this.#current, this.#next, this.#again]) {
      input.value = '';
    }
    this.#show.checked = false;
    this.#sqlcipher.checked = false;
    this.#error.hidden = true;
    this.#showTyped();
  }
}
