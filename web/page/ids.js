/**
 * A UUIDv7: unique on every device, and sorted by the time it was made.
 *
 * @param {number} now  Unix milliseconds.
 * @param {Uint8Array} random  At least 10 bytes.
 * @returns {string}
 *
 * Source: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7
 */
export function uuid7(now, random) {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(now) << 16n);
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0'));
  return [4, 2, 2, 2, 6]
    .map((length) => hex.splice(0, length).join(''))
    .join('-');
}

export const newId = () =>
  uuid7(Date.now(), crypto.getRandomValues(new Uint8Array(10)));
