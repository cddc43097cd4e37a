/**
 * A file as it was at one commit, on its way out while writes go on.
 *
 * As a Blob it leaves this process piece by piece, and the browser may keep it on
 * disk: nobody holds all of it in memory beside the database.
 */

/** @import { FileView } from '../core/paged-file.js' */

/** Extents, of 1 MiB each, that are copied at a time. */
const AT_A_TIME = 16;

export class FrozenFile {
  #view;

  /** @param {FileView} view  Of a whole file; closed by `close`. */
  constructor(view) {
    this.#view = view;
  }

  get size() {
    return this.#view.size;
  }

  /** @param {string} type */
  async toBlob(type) {
    const { extentCount } = this.#view;
    const parts = [];
    for (let first = 0; first < extentCount; first += AT_A_TIME) {
      const last = Math.min(first + AT_A_TIME, extentCount);
      const extents = [];
      for (let n = first; n < last; n++) extents.push(this.#view.extent(n));
      const part = new Blob(extents);
      // It can be read: the browser has taken it over.
      await part.slice(0, 1).arrayBuffer();
      parts.push(part);
    }
    return new Blob(parts, { type });
  }

  close() {
    this.#view.close();
  }
}
