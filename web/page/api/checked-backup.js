/** A backup on its way to the host. */

import { aborted } from '../../core/rpc-messages.js';
import { checkBackupFile } from '../backup-file.js';

/**
 * @param {Uint8Array | Blob} backup
 * @param {AbortSignal} [signal]
 * @returns {Promise<Uint8Array | Blob>} The same: an array is copied, because it is
 *   the caller's; a Blob is a reference, and the host reads where it lies.
 * @throws {AppError} `backup_too_large`, `backup_not_a_database`.
 */
export async function checkedBackup(backup, signal) {
  if (backup instanceof Blob) await checkBackupFile(backup);
  if (signal?.aborted) throw aborted();
  return backup;
}
