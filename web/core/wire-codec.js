/**
 * What crosses the border: one JSON text, and byte arrays beside it.
 *
 * `pyodide_app/browser/wire.py` is its twin; tests/data/wire-vectors.json holds
 * both to the same.
 *
 * What JSON cannot say is an object with the key "$":
 *   {"$": "blob", "i": 0}         byte array, or Blob, number 0 of the payload
 *   {"$": "int", "v": "9007…"}    an integer beyond 2^53, a BigInt here
 *   {"$": "float", "v": "nan"}    also "inf" and "-inf"
 *   {"$": "object", "v": [[k, v]]} an object that has a key "$" of its own
 * `undefined` becomes null.
 */

/**
 * A Blob of the platform: a reference to bytes, which are not copied.
 *
 * @typedef {object} BlobLike
 * @property {number} size
 * @property {() => Promise<ArrayBuffer>} arrayBuffer
 */

/**
 * @typedef {object} Payload
 * @property {string} json
 * @property {(ArrayBuffer | BlobLike)[]} blobs  See `transferables`.
 */

const SAFE = 2 ** 53;
const MARK = '"$"';

/**
 * @param {unknown} value  Numbers, strings, booleans, null, BigInts, byte arrays,
 *   and arrays and plain objects of these.
 * @returns {Payload}
 * @throws {TypeError} If it holds anything else.
 */
export function encode(value) {
  /** @type {Payload['blobs']} */
  const blobs = [];
  return { json: JSON.stringify(prepare(value, blobs)), blobs };
}

/**
 * What of *blobs* is handed over when it is posted; the others are references.
 *
 * @param {Payload['blobs']} blobs
 */
export function transferables(blobs) {
  return blobs.filter((blob) => blob instanceof ArrayBuffer);
}

/** @param {any} value @returns {value is BlobLike} */
export function isBlob(value) {
  return (
    typeof value?.arrayBuffer === 'function' && typeof value.size === 'number'
  );
}

/**
 * @param {Payload} payload
 * @returns {any}
 */
export function decode({ json, blobs }) {
  // Reviving visits every value: only if there is something to revive.
  if (!json.includes(MARK)) return JSON.parse(json);
  return JSON.parse(json, (_, value) =>
    value !== null && typeof value === 'object' && '$' in value
      ? revive(value, blobs)
      : value,
  );
}

/**
 * @param {unknown} value
 * @param {Payload['blobs']} blobs
 * @returns {unknown}
 */
function prepare(value, blobs) {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'undefined':
      return null;
    case 'number':
      if (Number.isFinite(value)) return value;
      return { $: 'float', v: Number.isNaN(value) ? 'nan' : infinity(value) };
    case 'bigint':
      if (value > -SAFE && value < SAFE) return Number(value);
      return { $: 'int', v: value.toString() };
    case 'object':
      return value === null ? null : prepareObject(value, blobs);
    default:
      throw new TypeError(`a ${typeof value} cannot cross to the host`);
  }
}

/**
 * @param {object} value
 * @param {Payload['blobs']} blobs
 * @returns {unknown}
 */
function prepareObject(value, blobs) {
  if (Array.isArray(value)) return value.map((item) => prepare(item, blobs));
  if (value instanceof ArrayBuffer || isBlob(value))
    return { $: 'blob', i: blobs.push(value) - 1 };
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    // A copy: the caller's array must not be detached by the transfer.
    const bytes = new Uint8Array(buffer, byteOffset, byteLength).slice();
    return { $: 'blob', i: blobs.push(bytes.buffer) - 1 };
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    const name = prototype.constructor?.name ?? 'object';
    throw new TypeError(`a ${name} cannot cross to the host; use plain data`);
  }
  const entries = Object.entries(value).map(([key, item]) => [
    key,
    prepare(item, blobs),
  ]);
  if ('$' in value) return { $: 'object', v: entries };
  return Object.fromEntries(entries);
}

/**
 * @param {any} marked
 * @param {Payload['blobs']} blobs
 */
function revive(marked, blobs) {
  switch (marked.$) {
    case 'blob': {
      const blob = blobs[marked.i];
      return isBlob(blob) ? blob : new Uint8Array(blob ?? 0);
    }
    case 'int':
      return BigInt(marked.v);
    case 'float':
      return FLOATS[/** @type {keyof typeof FLOATS} */ (marked.v)];
    case 'object':
      return Object.fromEntries(marked.v);
    default:
      throw new TypeError(`the payload has an unknown mark ${marked.$}`);
  }
}

const FLOATS = { nan: NaN, inf: Infinity, '-inf': -Infinity };

/** @param {number} value */
function infinity(value) {
  return value > 0 ? 'inf' : '-inf';
}
