/** A backup on its way to the host. */

import { aborted } from '../../core/rpc-messages.js';
import { bytesOfBackup } from '../backup-file.js';

/**
 * @param {Uint8Array | Blob} backup
 * @param {AbortSignal} [signal]
 * @returns {Promise<Uint8Array | ArrayBufferLike>} A buffer is transferred, an array
 *   is copied, because it is the caller's.
 * @throws {AppError} `backup_too_large`, `backup_not_a_database`.
 */
export async function backupBytes(backup, signal) {
  const bytes = await bytesOfBackup(backup);
  if (signal?.aborted) throw aborted();
  return backup instanceof Uint8Array ? bytes : bytes.buffer;
}
