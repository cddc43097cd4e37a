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

import { decodeCheckpoint } from '../core/checkpoint.js';
import { NO_CHECKSUM } from '../core/checksum.js';
import { LogReader } from '../core/log-recovery.js';
import { DEFAULT_VOLUME, databaseName } from '../core/names.js';
import { PagedFolder } from '../core/paged-folder.js';
import { PageStore } from '../worker/page-store.js';
import { download } from './download.js';

/** @import { Checkpoint } from '../core/checkpoint.js' */

/** Extents of 1 MiB read in one transaction. */
const GROUP = 16;

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
 * @returns {Promise<PagedFolder>}
 */
async function readStored(store) {
  const folder = new PagedFolder(() => {});
  const stored = await store.checkpoints();
  const newest = stored
    .map(({ bytes }) => decodeCheckpoint(bytes))
    .filter((checkpoint) => typeof checkpoint !== 'string')
    .at(-1);
  if (newest) await readImages(store, folder, newest);
  const reader = new LogReader(newest?.next ?? START);
  for await (const [key, bytes] of store.log([
    reader.next.epoch,
    reader.next.seq,
  ])) {
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
  for (const { path, size, extents } of files) {
    const file = folder.loadFile(path);
    file.loadSize(size);
    for (let first = 0; first < extents.length; first += GROUP) {
      const group = extents.slice(first, first + GROUP);
      const images = await store.extents(group.map(({ key }) => key));
      images.forEach((bytes, index) => {
        // An extent without a key is all zeros; one that is gone stays so.
        if (bytes && group[index].key !== 0) {
          file.loadExtent(first + index, bytes);
        }
      });
    }
  }
}
