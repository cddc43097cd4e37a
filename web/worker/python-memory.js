/**
 * Putting a copy of Python's memory back (see snapshot.js), as Pyodide does it with
 * `_loadSnapshot`, but without the zeros, and while the copy is still being read.
 *
 * Pyodide wants the copy as one array before it compiles anything: 15 MB would become
 * 31 MB, which it copies once more. Here it gets the head, which tells whether the
 * copy fits this runtime, and the rest goes from where it was read into the heap.
 */

import { copyTo } from '../core/sparse-bytes.js';

/** @import { Sparse } from '../core/sparse-bytes.js' */

/** In bytes: the words of the head that say how long it is. */
const SIZE_AT = 4;
const FIRST_WORDS = 8;

/**
 * Options for `loadPyodide`.
 *
 * @param {Promise<(settings: any) => Promise<any>>} factory  Makes the runtime.
 * @param {Promise<Sparse>} memory  A rejection becomes that of `loadPyodide`.
 */
export function restoring(factory, memory) {
  return {
    // Says that there is one.
    _loadSnapshot: new Uint8Array(0),
    createPyodideModule: async (/** @type {any} */ settings) => {
      const make = await factory;
      const [runtime, sparse] = await Promise.all([make(settings), memory]);
      const { API } = runtime;
      const restoreHead = API.restoreSnapshot;
      API.restoreSnapshot = () => {
        const head = headOf(sparse);
        const { HEAPU8 } = runtime;
        if (sparse.length - head.length > HEAPU8.length) {
          throw new Error('the copy is larger than the memory of this runtime');
        }
        const state = restoreHead(head);
        copyTo(sparse, head.length, HEAPU8);
        return state;
      };
      return runtime;
    },
  };
}

/** @param {Sparse} sparse */
function headOf(sparse) {
  const first = new Uint8Array(FIRST_WORDS);
  copyTo(sparse, 0, first);
  const size = new DataView(first.buffer).getUint32(SIZE_AT, true);
  const head = new Uint8Array(Math.min(size, sparse.length));
  copyTo(sparse, 0, head);
  return head;
}
