/** The bar while the database opens, and the way out when it does not. */

import { byId, codeOf, messageOf } from './markup.js';
import { told } from './toasts.js';

/** @import { Connection, ConnectionState } from '../connection.js' */

/** @type {Record<string, string>} */
const WAYS_OUT = {
  host_changed: 'Reload',
  storage_in_use: 'Use it in this tab',
};

/** @type {Set<string | null>} */
const NEEDS_RELOAD = new Set(['host_changed', 'boot_failed']);

export class BootView {
  #boot = byId('boot');
  #bar = byId('boot-bar', HTMLProgressElement);
  #error = byId('boot-error');

  /** Of the failure that is shown. @type {string | null} */
  #code = null;

  /**
   * @param {Connection} connection
   * @param {() => Promise<void>} rescue  Download what is stored, unopened.
   */
  constructor(connection, rescue) {
    connection.state.subscribe((state) => this.#show(state));
    byId('boot-retry').addEventListener('click', () => this.#retry(connection));
    byId('boot-rescue').addEventListener('click', () => told(rescue));
  }

  /** @param {Connection} connection */
  #retry(connection) {
    // A host that failed to boot stays so; the last tab to leave ends it.
    if (NEEDS_RELOAD.has(this.#code)) location.reload();
    else void connection.open({ takeOver: this.#code === 'storage_in_use' });
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
      this.#code = code;
      byId('boot-retry').textContent = WAYS_OUT[code ?? ''] ?? 'Try again';
      byId('boot-error-message').textContent = messageOf(state.error);
      byId('boot-error-code').textContent = code ? `Code: ${code}` : '';
    }
  }
}
