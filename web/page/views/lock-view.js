/**
 * The lock screen: nothing is shown before the passphrase opens the database.
 *
 * `data-locked` on the root hides the rest (`chat.css`).
 */

import { byId } from './markup.js';
import { told } from './toasts.js';

/** @import { Connection, ConnectionState } from '../connection.js' */

export class LockView {
  #form = byId('lock', HTMLFormElement);
  #passphrase = byId('lock-passphrase', HTMLInputElement);
  #error = byId('lock-error');

  /**
   * @param {Connection} connection
   * @param {() => Promise<void>} rescue  Download what is stored, unopened.
   */
  constructor(connection, rescue) {
    connection.state.subscribe((state) => this.#show(state));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const { value: passphrase } = this.#passphrase;
      this.#passphrase.value = '';
      void connection.open({ passphrase });
    });
    byId('lock-rescue').addEventListener('click', () => told(rescue));
    document.addEventListener('visibilitychange', () => {
      // Another tab may have unlocked it meanwhile.
      const isShown = document.visibilityState === 'visible';
      const isLocked = connection.state.value.kind === 'locked';
      const isEmpty = this.#passphrase.value === '';
      if (isShown && isLocked && isEmpty) void connection.open();
    });
  }

  /** @param {ConnectionState} state */
  #show(state) {
    const isLocked = state.kind === 'locked';
    this.#form.hidden = !isLocked;
    document.documentElement.dataset.locked = String(isLocked);
    if (!isLocked) return;
    this.#error.hidden = !state.isWrong;
    this.#error.textContent = state.isWrong
      ? 'That is not the passphrase. Mind Caps Lock and the language of the keyboard.'
      : '';
    this.#passphrase.focus();
  }
}
