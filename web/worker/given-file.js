/**
 * A file whose bytes somebody else holds: what a person wants to import.
 *
 * It is read where it lies, a piece at a time, so that a backup of 500 MB takes no
 * memory of its own beside the database that is made of it. SQLite reads when it
 * needs a page and waits for it; so does this.
 */

import { PagedFile } from '../core/paged-file.js';

/**
 * Pages share modules that name this one, and never get there.
 *
 * @typedef {typeof globalThis & {FileReaderSync:
 *   new () => {readAsArrayBuffer: (blob: Blob) => ArrayBuffer}}} OfWorkers
 */

/** In bytes. */
const PIECE = 256 << 10;

/** In bytes: what stays in memory of a Blob that is being read, or an eighth of it.
 * Who checks an index jumps about in it. */
const SMALLEST_KEPT = 32 << 20;

export class GivenFile extends PagedFile {
  #source;

  /** Those used last at the end. @type {Map<number, Uint8Array>} */
  #pieces = new Map();

  /** @param {Uint8Array | Blob} source  Never changed. */
  constructor(source) {
    super();
    this.#source = source;
  }

  /** @override */
  get isReadOnly() {
    return true;
  }

  /** @override */
  get size() {
    return this.#source instanceof Uint8Array
      ? this.#source.length
      : this.#source.size;
  }

  /**
   * @override
   * @param {Uint8Array} target
   * @param {number} position
   * @returns {number} Bytes copied.
   * @throws {DOMException} The person has changed or removed the file meanwhile.
   */
  read(target, position) {
    const end = Math.min(position + target.length, this.size);
    for (let at = position; at < end;) {
      const number = Math.floor(at / PIECE);
      const start = at - number * PIECE;
      const part = this.#piece(number).subarray(start, start + end - at);
      target.set(part, at - position);
      at += part.length;
    }
    return Math.max(0, end - position);
  }

  /** @override */
  closed() {
    this.#pieces.clear();
  }

  /** @param {number} number */
  #piece(number) {
    const start = number * PIECE;
    if (this.#source instanceof Uint8Array) {
      return this.#source.subarray(start, start + PIECE);
    }
    const piece = this.#pieces.get(number) ?? readNow(this.#source, start);
    this.#pieces.delete(number);
    this.#pieces.set(number, piece);
    const [oldest] = this.#pieces.keys();
    const kept = Math.max(SMALLEST_KEPT, this.size / 8);
    if (this.#pieces.size > kept / PIECE && oldest !== undefined) {
      this.#pieces.delete(oldest);
    }
    return piece;
  }
}

/**
 * @param {Blob} blob
 * @param {number} start
 */
function readNow(blob, start) {
  const part = blob.slice(start, start + PIECE);
  const { FileReaderSync } = /** @type {OfWorkers} */ (globalThis);
  return new Uint8Array(new FileReaderSync().readAsArrayBuffer(part));
}
