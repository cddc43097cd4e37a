/**
 * The way out when the host does not start: read what is stored, right here in
 * the page, and hand it over as files.
 *
 * Rule 1: read only. Nothing is fenced, set aside or repaired: whoever comes
 *         after finds the store as it was.
 * Rule 2: as much as there is. Unlike the host, which refuses a damaged state,
 *         this takes the newest image it can read and leaves out what is gone;
 *         SQLite's own tools recover more from that than from nothing.
 */

import { decodeCheckpoint, extentLength } from '../core/checkpoint.js';
import { NO_CHECKSUM } from '../core/checksum.js';
import { LogReader } from '../core/log-recovery.js';
import { DEFAULT_VOLUME, databaseName } from '../core/names.js';
import { PagedFolder } from '../core/paged-folder.js';
import { PageStore } from '../worker/page-store.js';
import { download } from './download.js';

/** @import { Checkpoint } from '../core/checkpoint.js' */

/** Where the log begins that has no checkpoint. */
const START = { epoch: 0, seq: 0, checksum: NO_CHECKSUM };

/**
 * Download every stored database file.
 *
 * @throws {Error} If nothing readable is stored.
 */
export async function downloadStored() {
  const store = new PageStore(databaseName(DEFAULT_VOLUME));
  try {
    const folder = await readStored(store);
    if (folder.files.length === 0) {
      throw new Error('nothing is stored in this browser yet');
    }
    for (const [path, file] of folder.files) {
      const bytes = new Uint8Array(file.size);
      file.read(bytes, 0);
      download(new Blob([bytes]), path.split('/').at(-1) ?? path);
    }
  } finally {
    store.close();
  }
}

/**
 * @param {PageStore} store
 * @returns {Promise<PagedFolder>} What can be read of it.
 */
export async function readStored(store) {
  const folder = new PagedFolder(() => {});
  const stored = await store.checkpoints();
  const newest = stored
    .map(({ bytes }) => decodeCheckpoint(bytes))
    .filter((checkpoint) => typeof checkpoint !== 'string')
    .at(-1);
  if (newest) await readImages(store, folder, newest);
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
 */
async function readImages(store, folder, { files }) {
  /** @type {{key: number | null, bytes: Uint8Array | undefined}} */
  let segment = { key: null, bytes: undefined };
  for (const { path, size, extents } of files) {
    const file = folder.loadFile(path);
    file.loadSize(size);
    for (const [number, { key, offset }] of extents.entries()) {
      if (segment.key !== key) {
        segment = { key, bytes: (await store.extents([key]))[0] };
      }
      const end = offset + extentLength(size, number);
      // One that is gone stays zeros.
      const bytes = segment.bytes?.subarray(offset, end);
      if (bytes) file.loadExtent(number, bytes);
    }
  }
}
