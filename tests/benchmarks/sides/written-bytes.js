/**
 * The bytes that a document or worker hands to IndexedDB and to OPFS, counted at
 * their doors, in the same way for all sides: what `add` and `put` are given, and
 * what `write` of a synchronous access handle is.
 */

let total = 0;

/** Count from now on. */
export function countWrittenBytes() {
  const store = IDBObjectStore.prototype;
  for (const name of ['add', 'put']) {
    const original = store[name];
    store[name] = function (value, ...key) {
      total += bytesIn(value);
      return original.call(this, value, ...key);
    };
  }
  const handle = globalThis.FileSystemSyncAccessHandle?.prototype;
  if (!handle) return;
  const { write } = handle;
  handle.write = function (...given) {
    const written = write.apply(this, given);
    total += written;
    return written;
  };
}

/** Since counting began. */
export function writtenBytes() {
  return total;
}

/** @param {unknown} value */
function bytesIn(value) {
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (value instanceof ArrayBuffer) return value.byteLength;
  if (value instanceof Blob) return value.size;
  if (typeof value === 'string') return value.length;
  if (value === null || typeof value !== 'object') return 8;
  return Object.values(value).reduce((sum, part) => sum + bytesIn(part), 0);
}
