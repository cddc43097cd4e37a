/**
 * The tail: records that the host has sealed and the browser has not yet
 * confirmed. A worker cannot finish writing while its page is being closed in
 * Firefox; the page can.
 *
 * Rule 1: the page writes exactly the bytes that the host sealed, under the same
 *         key. Who comes second collides with equal bytes: harmless.
 * Rule 2: it writes only while it is leaving. Until then the host is quicker.
 * Rule 3: there is one request in each transaction and an explicit commit, as in
 *         the host (see page-store.js).
 * Rule 4: not in WebKit. There a page that goes in mid-write leaves the store
 *         locked until the browser ends: in 12 of 12 sessions of WebKitGTK 2.50
 *         that left up to eight times while they wrote; in 0 of 13 without it.
 */

import { databaseName } from '../core/names.js';
import { isWebKit } from '../core/webkit.js';
import { PageStore } from '../worker/page-store.js';

/** @import { LogKey } from '../core/log-recovery.js' */

/**
 * @typedef {object} TailEvent  What the host tells about one record.
 * @property {string} volume
 * @property {LogKey} key
 * @property {ArrayBuffer | null} bytes  Null: the record is stored.
 */

export class TailWriter {
  /** @type {Map<string, {key: LogKey, bytes: Uint8Array}>} */
  #tail = new Map();

  /** @type {PageStore | null} */
  #store = null;
  #abort = new AbortController();
  #mayWrite = !isWebKit(navigator.userAgent);

  /** @param {() => void} onLeaving  Ask the host to flush what it has. */
  constructor(onLeaving) {
    const leave = () => {
      onLeaving();
      this.#write();
    };
    const { signal } = this.#abort;
    addEventListener('pagehide', leave, { signal });
    document.addEventListener(
      'visibilitychange',
      () => {
        if (document.visibilityState === 'hidden') leave();
      },
      { signal },
    );
  }

  /** @param {TailEvent} event */
  receive({ volume, key, bytes }) {
    if (!this.#mayWrite) return;
    if (bytes) {
      this.#tail.set(key.join('.'), { key, bytes: new Uint8Array(bytes) });
      // Opening takes longer than a page has when it leaves.
      this.#store ??= this.#open(volume);
      if (document.visibilityState === 'hidden') this.#write();
    } else this.#tail.delete(key.join('.'));
  }

  close() {
    this.#abort.abort();
    this.#store?.close();
  }

  /** @param {string} volume */
  #open(volume) {
    const store = new PageStore(databaseName(volume));
    store.checkpoints().catch(ignore);
    return store;
  }

  #write() {
    for (const { key, bytes } of this.#tail.values()) {
      // The host writes it too, and reports what goes wrong.
      this.#store?.addRecord(key, bytes).catch(ignore);
    }
  }
}

function ignore() {}
