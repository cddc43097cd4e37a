/**
 * The JavaScript API: the same storage and the same agents as in Python.
 *
 *     const storage = await createAgentOSStorage();
 *     const db = storage.getAdapter();
 *     await db.run('INSERT INTO note VALUES (?)', ['buy milk']);
 *
 * Every failure is an `AppError` with a stable `code`. Every call takes a `signal`,
 * but for those that are finished once they have begun: `close`, `restore`.
 * Data are plain: numbers, strings, booleans, null, BigInts, byte arrays, and arrays
 * and plain objects of these. Names and shapes are those of the original
 * `StorageAdapter`; what it made synchronous (`exportDatabase`) is asynchronous here.
 */

import { AGENTOS_DATABASE } from './core/names.js';
import { AgentOSStorage } from './page/api/agentos-storage.js';
import { IndexedDbAdapter } from './page/api/indexed-db-adapter.js';

/** @import * as T from './client-types.js' */

/** @typedef {T.SqlValue} SqlValue */
/** @typedef {T.Durability} Durability */
/** @typedef {T.StorageStatus} StorageStatus */
/** @typedef {T.Conversation} Conversation */
/** @typedef {T.ConversationEvent} ConversationEvent */
/** @typedef {T.SearchHit} SearchHit */
/** @typedef {T.Session} Session */
/** @typedef {T.Persona} Persona */
/** @typedef {T.UsageRow} UsageRow */
/** @typedef {T.BackupInspection} BackupInspection */
/** @typedef {T.BackupProblem} BackupProblem */
/** @typedef {T.BackupCounts} BackupCounts */
/** @typedef {T.ImportReport} ImportReport */
/** @typedef {T.Diagnosis} Diagnosis */
/** @typedef {T.QuarantinedItem} QuarantinedItem */
/** @typedef {T.RestorePoint} RestorePoint */
/** @typedef {T.PruneChoice} PruneChoice */
/** @typedef {T.PrunePlan} PrunePlan */
/** @typedef {T.PruneReport} PruneReport */
/** @typedef {T.EvictionRisk} EvictionRisk */
/** @typedef {T.Provider} Provider */
/** @typedef {T.Chunk} Chunk */

export { AppError } from './core/rpc-messages.js';
export { AgentOS } from './page/api/agentos.js';
export { PreparedStatement } from './page/api/prepared-statement.js';
export {
  Conversations,
  Personas,
  Sessions,
  Telemetry,
  Workflows,
} from './page/api/repositories.js';
export { Transaction } from './page/api/transaction.js';
export { AgentOSStorage, IndexedDbAdapter };

/**
 * Open a database with the six tables and their repositories.
 *
 * @param {T.StorageOptions} [options]
 * @returns {Promise<AgentOSStorage>}
 * @throws {AppError} `storage_in_use`, `store_unavailable`, `schema_too_new`, …
 */
export async function createAgentOSStorage(options = {}) {
  const db = new IndexedDbAdapter({ dbName: AGENTOS_DATABASE, ...options });
  await db.open({ withSchema: true, signal: options.signal });
  return new AgentOSStorage(db);
}
