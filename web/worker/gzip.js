/** Compression of kept copies, by the browser's own gzip. */

/**
 * @typedef {object} Packing
 * @property {(bytes: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>} pack
 * @property {(bytes: Uint8Array) => Promise<Uint8Array<ArrayBuffer>>} unpack
 */

/** @type {Packing} */
export const GZIP = {
  pack: (bytes) => through(bytes, new CompressionStream('gzip')),
  unpack: (bytes) => through(bytes, new DecompressionStream('gzip')),
};

/**
 * @param {Uint8Array} bytes
 * @param {CompressionStream | DecompressionStream} transform
 */
async function through(bytes, transform) {
  const blob = new Blob([/** @type {Uint8Array<ArrayBuffer>} */ (bytes)]);
  const stream = blob.stream().pipeThrough(transform);
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
