/**
 * Which tab holds the tail: copies of the sealed records whose fate is not known.
 *
 * One tab holds it. The worker lives as long as any tab, so the tail is needed
 * when the last one goes, and then that one holds it.
 */

/** @import { LogKey } from '../core/log-recovery.js' */
/** @import { SealedRecord } from './flusher.js' */

/** In bytes. A page that is being closed finishes a write of this size. */
const LARGEST_TAIL = 1 << 20;

export class TailKeeper {
  /** In the order they came. @type {string[]} */
  #tabs = [];
  #volume;
  #send;

  /**
   * @param {string} volume
   * @param {(tabId: string, payload: object, transfer: ArrayBuffer[]) => void} send
   */
  constructor(volume, send) {
    this.#volume = volume;
    this.#send = send;
  }

  /**
   * @param {string} tabId
   * @param {SealedRecord | null} record  That is under way.
   */
  tabCame(tabId, record) {
    this.#tabs.push(tabId);
    if (record && this.#tabs.length === 1) this.sealed(record);
  }

  /**
   * @param {string} tabId
   * @param {SealedRecord | null} record  That is under way.
   */
  tabWent(tabId, record) {
    const wasHolder = this.#tabs[0] === tabId;
    this.#tabs = this.#tabs.filter((id) => id !== tabId);
    if (record && wasHolder) this.sealed(record);
  }

  /** @param {SealedRecord} record */
  sealed({ key, bytes }) {
    if (bytes.length > LARGEST_TAIL) return;
    const copy = bytes.slice().buffer;
    this.#tell({ key, bytes: copy }, [copy]);
  }

  /** @param {LogKey} key */
  settled(key) {
    this.#tell({ key, bytes: null }, []);
  }

  /**
   * @param {object} payload
   * @param {ArrayBuffer[]} transfer
   */
  #tell(payload, transfer) {
    const [holder] = this.#tabs;
    if (holder)
      this.#send(holder, { volume: this.#volume, ...payload }, transfer);
  }
}
