/**
 * A file that may be a backup: what can be known from its size and its first bytes
 * is checked before the host gets it.
 */

import { AppError } from '../core/rpc-messages.js';

/** In bytes; what fits into memory beside the database it replaces. */
const LARGEST_BACKUP = 1 << 30;

/** Source: https://www.sqlite.org/fileformat2.html#magic_header_string */
const MAGIC = 'SQLite format 3\0';

/**
 * @param {Blob} backup
 * @throws {AppError} `backup_too_large`, `backup_not_a_database`.
 */
export async function checkBackupFile(backup) {
  if (backup.size > LARGEST_BACKUP) {
    throw new AppError(
      'backup_too_large',
      `the file has ${Math.round(backup.size / 2 ** 20)} MB; a browser can take ` +
        'up to 1,024 MB. Use the desktop version for it',
      { size: backup.size, limit: LARGEST_BACKUP },
    );
  }
  const head = await backup.slice(0, MAGIC.length).text();
  // The host says more about a small file; a large one is not worth its time.
  if (head !== MAGIC && backup.size > 2 ** 20) {
    throw new AppError(
      'backup_not_a_database',
      'the file is not a SQLite database; choose a .db file that was exported ' +
        'as a backup',
    );
  }
}
