/**
 * What the store holds, seen from a page beside the host, or without one: how far
 * a checkpoint has come.
 */

import { decodeCheckpoint } from '/core/checkpoint.js';
import { databaseName, DEFAULT_VOLUME } from '/core/names.js';
import { PageStore } from '/worker/page-store.js';

/**
 * @returns {Promise<{checkpoint: number, older: number, unlisted: number}>}
 *   The newest checkpoint (0: there is none), how many older ones are still there,
 *   and how many segments it does not list.
 */
export async function lookAtStore() {
  const store = new PageStore(databaseName(DEFAULT_VOLUME));
  try {
    const checkpoints = await store.checkpoints();
    const keys = await store.extentKeys();
    const newest = checkpoints.at(-1);
    const { files } = newest ? decodeCheckpoint(newest.bytes) : { files: [] };
    const listed = new Set(
      files.flatMap(({ extents }) => extents.map(({ key }) => key)),
    );
    return {
      checkpoint: newest?.id ?? 0,
      older: Math.max(0, checkpoints.length - 1),
      unlisted: keys.filter((key) => !listed.has(key)).length,
    };
  } finally {
    store.close();
  }
}
