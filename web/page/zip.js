/**
 * A ZIP archive whose files are stored as they are: for a handful of files that
 * belong together. Nothing in the platform makes one.
 *
 * Source: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
 */

/** @typedef {{name: string, bytes: Uint8Array<ArrayBuffer>}} ZippedFile */

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;

/** Of the format that reads it: 2.0. */
const VERSION = 20;

/** 1 January 1980, the first day that the format knows. */
const DATE = 0x21;

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let crc = n;
  for (let bit = 0; bit < 8; bit++)
    crc = (crc >>> 1) ^ (0xedb88320 * (crc & 1));
  return crc;
});

/**
 * @param {ZippedFile[]} files  Below 4 GiB in all; their names are ASCII.
 * @returns {Blob}
 */
export function zip(files) {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const parts = [];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const directory = [];
  let offset = 0;
  for (const { name, bytes } of files) {
    const path = new TextEncoder().encode(name);
    const size = bytes.length;
    // Flags and method are 0; so is the time of the day.
    const common = [
      [2, VERSION],
      [2, 0],
      [2, 0],
      [2, 0],
      [2, DATE],
      [4, crc32(bytes)],
      [4, size],
      [4, size],
      [2, path.length],
      [2, 0],
    ];
    const local = fields([[4, LOCAL], ...common]);
    directory.push(
      fields([
        [4, CENTRAL],
        [2, VERSION],
        ...common,
        [2, 0],
        [2, 0],
        [2, 0],
        [4, 0],
        [4, offset],
      ]),
      path,
    );
    parts.push(local, path, bytes);
    offset += local.length + path.length + size;
  }
  const directorySize = directory.reduce((sum, { length }) => sum + length, 0);
  const end = fields([
    [4, END],
    [2, 0],
    [2, 0],
    [2, files.length],
    [2, files.length],
    [4, directorySize],
    [4, offset],
    [2, 0],
  ]);
  return new Blob([...parts, ...directory, end], { type: 'application/zip' });
}

/** @param {number[][]} values  Each as [bytes, value], little-endian. */
function fields(values) {
  const bytes = values.flatMap(([length = 0, value = 0]) =>
    Array.from({ length }, (_, i) => (value >>> (8 * i)) & 0xff),
  );
  return Uint8Array.from(bytes);
}

/** @param {Uint8Array} bytes */
function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc = (crc >>> 8) ^ Number(CRC_TABLE[(crc ^ byte) & 0xff]);
  }
  return ~crc >>> 0;
}
