/**
 * The way out when the host does not start: read what is stored, right here in
 * the page, and hand it over as files; go back to a restore point, or start anew.
 *
 * Rule 1: downloads only read. Nothing is fenced, set aside or repaired: whoever
 *         comes after finds the store as it was.
 * Rule 2: as much as there is. Unlike the host, which refuses a damaged state,
 *         this takes the newest image it can read and leaves out what is gone;
 *         SQLite's own tools recover more from that than from nothing.
 * Rule 3: what writes holds the writer lock, and deletes nothing: see
 *         worker/start-anew.js.
 */

import {
  decodeCheckpoint,
  extentLength,
  storedSize,
} from '../core/checkpoint.js';
import { NO_CHECKSUM } from '../core/checksum.js';
import { LogReader } from '../core/log-recovery.js';
import {
  DEFAULT_VOLUME,
  databaseName,
  imageName,
  rawFileName,
} from '../core/names.js';
import { EXTENT_SIZE, PAGE_SIZE } from '../core/page-size.js';
import { PageTable } from '../core/page-table.js';
import { PagedFolder } from '../core/paged-folder.js';
import { GZIP } from '../worker/gzip.js';
import { ImageFiles } from '../worker/image-files.js';
import { PageStore } from '../worker/page-store.js';
import { download } from './download.js';
import { StoredImage } from './stored-image.js';
import { zip } from './zip.js';

/** @import { Checkpoint } from '../core/checkpoint.js' */
/** @import { PagedFile } from '../core/paged-file.js' */
/** @import { DurableStore, RestorePointRow } from '../worker/page-store.js' */

const STORES = ['log', 'checkpoints', 'extents'];

/** Nobody looks at a volume that is open for a moment. */
const SILENT = { sealed: () => {}, settled: () => {}, changed: () => {} };

/** Where the log begins that has no checkpoint. */
const START = { epoch: 0, seq: 0, checksum: NO_CHECKSUM };

/**
 * Download every stored database file that can be read.
 *
 * @throws {Error} If there is none.
 */
export async function downloadStored() {
  await withStore(async (store) => {
    const folder = await readStored(store);
    if (folder.files.length === 0) {
      throw new Error('no database can be read in what is stored here');
    }
    for (const [path, file] of folder.files) {
      download(blobOf(file), path.split('/').at(-1) ?? path);
    }
  });
}

/**
 * @param {PagedFile} file  As `readStored` gives it.
 * @returns {Blob}
 */
export function blobOf(file) {
  const { image } = file;
  // The type of a lazy image is that of a host's, which can be read at once.
  const stored = /** @type {unknown} */ (image);
  if (stored instanceof StoredImage) return stored.blob(file.size);
  const bytes = new Uint8Array(file.size);
  file.read(bytes, 0);
  return new Blob([bytes]);
}

/**
 * Download every stored record and extent as it is, damaged or not, and each image
 * file by itself: it may be of any size.
 */
export async function downloadRaw() {
  await withStore(async (store) => {
    /** @type {import('./zip.js').ZippedFile[]} */
    const files = [];
    for (const name of /** @type {DurableStore[]} */ (STORES)) {
      for (const key of await store.keys(name)) {
        const bytes = await store.raw(name, key);
        // Negative keys are the reserve's: they hold nothing.
        if (typeof key === 'number' && key < 0) continue;
        if (!bytes) continue;
        files.push({ name: rawFileName(name, key), bytes: bytes.slice() });
      }
    }
    download(zip(files), 'stored-bytes.zip');
    const images = new ImageFiles(DEFAULT_VOLUME);
    for (const { id, file } of await storedImages(images)) {
      download(file, imageName(id));
    }
  });
}

/**
 * @param {ImageFiles} images
 * @returns {Promise<{id: number, file: Blob}[]>} None where there is no OPFS.
 */
async function storedImages(images) {
  try {
    const found = (await images.list()).map(async (id) => {
      const file = await images.blob(id);
      return file ? [{ id, file }] : [];
    });
    return (await Promise.all(found)).flat();
  } catch {
    return [];
  }
}

/** @returns {Promise<RestorePointRow[]>} Newest first. */
export function storedRestorePoints() {
  return withStore((store) => store.restorePoints());
}

/** @param {RestorePointRow} point */
export async function downloadRestorePoint({ id, path }) {
  const { RestorePoints } = await import('../worker/restore-points.js');
  await withStore(async (store) => {
    const points = new RestorePoints(store, GZIP, () => undefined);
    const { pieces } = await points.read(id);
    /** @type {BlobPart[]} */
    const parts = [];
    for await (const [, bytes] of pieces) parts.push(bytes.slice());
    download(new Blob(parts), path.split('/').at(-1) ?? path);
  });
}

/**
 * Set everything aside that is stored, and begin with an empty store or with a
 * restore point. The host can be started afterwards.
 *
 * @param {RestorePointRow | null} point
 * @throws {Error} A part may have been set aside; it can be called again.
 */
export async function beginAnew(point) {
  const [{ Volume }, { acquireWriterLock }, { startAnew }] = await Promise.all([
    import('../worker/volume.js'),
    import('../worker/writer-lock.js'),
    import('../worker/start-anew.js'),
  ]);
  const work = async () => {
    await withStore((store) => startAnew(store, Date.now()));
    if (!point) return;
    const volume = await Volume.open(DEFAULT_VOLUME, { events: SILENT });
    const staged = `${volume.scratch}/restored`;
    await volume.stageRestorePoint(point.id, staged);
    await volume.replaceFile(point.path, staged);
    await volume.close();
  };
  /** @type {Promise<void>} */
  let working = Promise.resolve();
  const lock = await acquireWriterLock(DEFAULT_VOLUME, {
    takeOver: true,
    onAsked: () => working,
  });
  try {
    working = work();
    await working;
  } finally {
    lock.release();
  }
}

/**
 * @param {PageStore} store
 * @param {ImageFiles} [images]
 * @returns {Promise<PagedFolder>} What can be read of it; `blobOf` its files.
 */
export async function readStored(
  store,
  images = new ImageFiles(DEFAULT_VOLUME),
) {
  const folder = new PagedFolder(() => {});
  const stored = await store.checkpoints();
  const newest = stored
    .map(({ bytes }) => decodeCheckpoint(bytes))
    .filter((checkpoint) => typeof checkpoint !== 'string')
    .at(-1);
  if (newest) await readImages(store, folder, newest, images);
  const reader = new LogReader(newest?.next ?? START);
  const { epoch, seq } = reader.next;
  for (const [key, bytes] of await store.log([epoch, seq])) {
    const record = reader.take(key, bytes);
    if (record) folder.load(record);
  }
  return folder;
}

/**
 * @param {PageStore} store
 * @param {PagedFolder} folder
 * @param {Checkpoint} checkpoint
 * @param {ImageFiles} images
 */
async function readImages(store, folder, { files }, images) {
  /** @type {{key: number | null, bytes: Uint8Array | undefined}} */
  let segment = { key: null, bytes: undefined };
  const imageFiles = new Map(
    (await storedImages(images)).map(({ id, file }) => [id, file]),
  );
  for (const entry of files) {
    const { path, size, extents, image: id } = entry;
    const stored = storedSize(entry);
    /** @type {(number: number, bytes: Uint8Array) => void} */
    let load;
    if (id > 0) {
      const bytes = new Uint8Array(stored);
      load = (number, piece) => bytes.set(piece, number * EXTENT_SIZE);
      const table = new PageTable(Math.ceil(size / PAGE_SIZE), bytes);
      const found = imageFiles.get(id) ?? new Blob();
      const image = /** @type {any} */ (new StoredImage(found, table));
      folder.loadFile(path, image).loadSize(size);
    } else {
      const file = folder.loadFile(path);
      file.loadSize(size);
      load = (number, piece) => file.loadExtent(number, piece);
    }
    for (const [number, { key, offset }] of extents.entries()) {
      if (segment.key !== key) {
        segment = { key, bytes: (await store.extents([key]))[0] };
      }
      const end = offset + extentLength(stored, number);
      // One that is gone stays zeros.
      const bytes = segment.bytes?.subarray(offset, end);
      if (bytes) load(number, bytes);
    }
  }
}

/**
 * @template R
 * @param {(store: PageStore) => Promise<R>} work
 */
async function withStore(work) {
  const store = new PageStore(databaseName(DEFAULT_VOLUME));
  try {
    return await work(store);
  } finally {
    store.close();
  }
}
