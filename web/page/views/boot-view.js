/** The bar while the database opens, and the way out when it does not. */

import { byId, codeOf, messageOf } from './markup.js';
import { told } from './toasts.js';

/** @import { Connection, ConnectionState } from '../connection.js' */

export class BootView {
  #boot = byId('boot');
  #bar = byId('boot-bar', HTMLProgressElement);
  #error = byId('boot-error');

  /**
   * @param {Connection} connection
   * @param {() => Promise<void>} rescue  Download what is stored, unopened.
   */
  constructor(connection, rescue) {
    connection.state.subscribe((state) => this.#show(state));
    byId('boot-retry').addEventListener('click', () => void connection.open());
    byId('boot-rescue').addEventListener('click', () => told(rescue));
  }

  /** @param {ConnectionState} state */
  #show(state) {
    this.#boot.hidden = state.kind !== 'booting';
    this.#error.hidden = state.kind !== 'failed';
    if (state.kind === 'booting') {
      this.#bar.value = state.reached;
      byId('boot-text').textContent = state.words;
    } else if (state.kind === 'failed') {
      const code = codeOf(state.error);
      byId('boot-error-message').textContent = messageOf(state.error);
      byId('boot-error-code').textContent = code ? `Code: ${code}` : '';
    }
  }
}
