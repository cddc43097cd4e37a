/** The banner that stays while space is short; it goes by itself. */

import { pressureOf } from '../storage-pressure.js';
import { byId } from './markup.js';

/** @import { Connection } from '../connection.js' */

export class PressureView {
  #banner = byId('pressure');

  /**
   * @param {Connection} connection
   * @param {object} on
   * @param {() => void} on.download
   * @param {() => void} on.freeSpace
   */
  constructor(connection, on) {
    byId('pressure-download').addEventListener('click', () => on.download());
    byId('pressure-free').addEventListener('click', () => on.freeSpace());
    connection.status.subscribe((status) => {
      const pressure = status && pressureOf(status);
      this.#banner.hidden = !pressure;
      if (!pressure) return;
      this.#banner.dataset.kind = pressure.kind;
      const urgency = pressure.kind === 'full' ? 'alert' : 'status';
      this.#banner.setAttribute('role', urgency);
      // Only what changes is written: it is spoken each time.
      put('pressure-title', pressure.title);
      put('pressure-text', pressure.text);
    });
  }
}

/**
 * @param {string} id
 * @param {string} text
 */
function put(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}
