/** What crosses the border, by the names that JavaScript uses. Times are Unix milliseconds. */

export type SqlValue = null | number | bigint | string | boolean | Uint8Array;
export type Parameters = SqlValue[] | Record<string, SqlValue>;
export type Row = Record<string, null | number | bigint | string | Uint8Array>;
export type Durability = 'batched' | 'commit' | 'strict';

/** `sqlcipher` is the format of SQLCipher 4, for its apps and mobile plugins. */
export type Cipher = 'chacha20' | 'sqlcipher';

export interface ExportOptions extends CallOptions {
  /** Encrypt the file by it. */
  passphrase?: string;
  cipher?: Cipher;
  /** Without a passphrase: that of the database, if it has one. */
  keepEncryption?: boolean;
}

export interface RunResult {
  /** Rows changed by the statement; 0 for a SELECT or a definition. */
  changes: number;
  lastInsertRowid: number | bigint | null;
}

export interface BatchOperation {
  statement: string;
  parameters?: Parameters;
}

export interface BatchResult {
  successful: number;
  failed: number;
  results: (RunResult | null)[];
  errors: { index: number; error: { code: string; message: string } }[];
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
}

export interface WriteOptions extends CallOptions {
  /** A repeat under the same key gets the first answer; it is not run again. */
  idempotencyKey?: string | undefined;
}

/** Read it with `for await`; leaving the loop, or `return`, ends it at once. */
export interface Stream<T> extends AsyncIterableIterator<T, void, void> {
  return(): Promise<IteratorResult<T, void>>;
}

/**
 * Where the image of a database is kept.
 *
 * - `indexeddb`: all of it is in memory while it is open; all tabs share it.
 * - `opfs`: in a file of the origin's private file system, of which memory holds
 *   what is used; one tab at a time has it.
 */
export type Store = 'indexeddb' | 'opfs';

export interface OpenOptions extends CallOptions {
  /** Names the database. */
  dbName?: string;
  /** One that is elsewhere moves when it is opened. Default: where it is. */
  store?: Store | undefined;
  /** What an awaited write means; see the table in README.md. */
  durability?: Durability;
  /** Whether `batched` commits become durable by themselves. */
  autoSave?: boolean;
  saveIntervalMs?: number;
  /**
   * Opens an encrypted database, for all tabs; a new one becomes encrypted. One
   * that is plain is refused: open it without, then call `encrypt`.
   */
  passphrase?: string;
  /** Default: that of the database. */
  cipher?: Cipher;
  /** The start of the host; `fraction` is of the whole. */
  onProgress?: (progress: Progress) => void;
  /** `status`: it may differ; `host`: another release has taken over. */
  onHostEvent?: (name: string, payload: unknown) => void;
  /** Where there is no SharedWorker: ask the tab that has the database. */
  takeOver?: boolean;
  /** Of the original: its place in IndexedDB. Means nothing here. */
  storeName?: string;
  /** Of the original: how it loads its engine. Means nothing here. */
  sqlJsConfig?: unknown;
}

export interface StorageOptions extends OpenOptions {
  platform?: 'auto' | 'web' | 'memory';
  /** False works in memory, for this tab alone. */
  persistence?: boolean;
}

export interface Progress {
  phase: string;
  fraction: number;
  message: string;
}

export interface Resolution {
  kind: string;
  reason: string;
  attempts: [kind: string, reason: string][];
}

/**
 * - `none`: a file; nobody deletes it.
 * - `low`: the app is installed, or the browser promised to keep the data.
 * - `disk_pressure`: the browser may delete them when the disk gets full.
 * - `unused_7_days`: Safari deletes them after 7 days of use without a visit.
 * - `private_window`: probably one; all is deleted with it.
 * - `memory_only`: nothing is stored.
 */
export type EvictionRisk =
  | 'none'
  | 'low'
  | 'disk_pressure'
  | 'unused_7_days'
  | 'private_window'
  | 'memory_only';

export interface StorageStatus {
  mode: 'indexeddb' | 'memory' | 'native';
  durability: Durability;
  committedSeq: number;
  /** Equal to `committedSeq` if nothing would be lost now. */
  durableSeq: number;
  pendingBytes: number;
  lastError: string | null;
  lastErrorCode: string | null;
  usage: number | null;
  quota: number | null;
  persisted: boolean | null;
  /** Who might delete what is durable. */
  evictionRisk: EvictionRisk;
  databaseBytes: number;
  /** Null if the database is plain. */
  encryption: Cipher | null;
  /** Null if nothing is stored. */
  store: Store | null;
  /** `opfs` for a database in IndexedDB that had better not be all in memory. */
  advisedStore?: Store;
  tabs: number;
  /** The release that serves this page; null if it is not built. */
  release: string | null;
  /** True if all tabs share one host. */
  sharedHost: boolean;
  /** Kept free for `prune`: what stays has to fit into it when nothing else is. */
  reserveBytes?: number;
  recovery?: { records: number; setAside: number; problems: string[] };
  [detail: string]: unknown;
}

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

export interface PageOptions extends CallOptions {
  limit?: number;
  cursor?: string | null;
}

export interface Conversation {
  id: string;
  userId: string;
  personaId: string;
  createdAt: number;
  updatedAt: number;
  metadata: Record<string, unknown>;
  title?: string;
}

export interface ConversationEvent {
  id: string;
  conversationId: string;
  eventType: string;
  eventData: Record<string, unknown>;
  timestamp: number;
}

export interface ConversationWithEvents {
  conversation: Conversation;
  /** Oldest first. */
  events: ConversationEvent[];
}

export interface SearchHit {
  conversationId: string;
  /** Null if the title matched. */
  eventId: string | null;
  eventType: string;
  title: string | null;
  /** Plain text. */
  snippet: string;
  highlights: [start: number, end: number][];
  timestamp: number;
  score: number;
}

export interface Session {
  id: string;
  userId: string;
  displayName: string;
  targetType: 'persona' | 'agency';
  targetId: string;
  createdAt: number;
  updatedAt: number;
  metadata: Record<string, unknown>;
}

export interface Persona {
  id: string;
  displayName: string;
  description: string | null;
  definition: Record<string, unknown>;
  createdAt: number;
  updatedAt: number;
}

export interface TelemetryRecord {
  id: string;
  sessionId: string | null;
  eventType: string;
  eventData: Record<string, unknown>;
  timestamp: number;
}

export interface UsageRow {
  /** YYYY-MM-DD in UTC. */
  day: string;
  model: string;
  calls: number;
  promptTokens: number;
  completionTokens: number;
  totalTokens: number;
  costUsd: number;
  latencyMsAvg: number | null;
  latencyMsP95: number | null;
}

export interface Workflow {
  id: string;
  name: string;
  definition: Record<string, unknown>;
  createdAt: number;
  updatedAt: number;
}

export interface Change {
  tables: string[];
  seq: number;
}

export interface BackupCounts {
  conversations: number;
  events: number;
  messages: number;
  toolCalls: number;
  sessions: number;
  personas: number;
  telemetry: number;
  workflows: number;
  otherTables: number;
}

export interface BackupProblem {
  code: string;
  message: string;
}

export interface BackupInspection {
  kind: string;
  schemaVersion: number;
  sizeBytes: number;
  counts: BackupCounts;
  firstAt: number | null;
  lastAt: number | null;
  problems: BackupProblem[];
  importable: boolean;
  integrity: string;
}

export interface RestorePoint {
  id: string;
  reason: string;
  createdAt: number;
  /** Bytes of the SQLite file. */
  size: number;
  /** Bytes that it takes. */
  stored: number;
  /** Whether it takes the passphrase to read it. */
  encrypted: boolean;
}

export interface DiagnoseOptions extends CallOptions {
  /** Read everything back that is stored, and verify it. Default true. */
  verify?: boolean;
  /** Let SQLite check each table and index, too; everybody waits. */
  integrityCheck?: boolean;
}

export interface FlushTiming {
  kind: 'record' | 'checkpoint';
  at: number;
  /** Until the browser said that it is durable. */
  durationMs: number;
  bytes: number;
  /** In a record; 0 in a checkpoint. */
  pages: number;
}

/** What the host has in IndexedDB, for all databases of the origin. */
export interface StoreState {
  /** Where the next record goes: `epoch.seq`. */
  head: string;
  epoch: number;
  records: number;
  logBytes: number;
  checkpoints: number;
  checkpointBytes: number;
  /** Segments and parts of the log that wait to be deleted. */
  garbage: number;
  reserveBytes: number;
  restorePoints: number;
  restorePointBytes: number;
  quarantined: number;
  quarantinedBytes: number;
  /** How often the browser has closed the store under this host. */
  losses: number;
  /** How often all was written anew from memory, because it had gone. */
  rewrites: number;
  /** Oldest first. */
  flushes: FlushTiming[];
  features: Record<string, boolean>;
  userAgent: string;
}

export interface Verification {
  ok: boolean;
  problems: string[];
  method: 'checksums' | 'quick_check';
  bytes: number;
  /** What is stored was also compared with what is in memory. */
  comparedImage: boolean;
  durationMs: number;
  /** Null if `integrityCheck` was not asked for. */
  integrityProblems: number | null;
}

/** How a database is, with no word of its content. */
export interface Diagnosis {
  madeAt: number;
  release: string;
  /** The release that serves this page; null if it is not built. */
  build: string | null;
  sqlite: string;
  engine: string;
  python: string;
  mode: StorageStatus['mode'];
  path: string;
  durability: Durability;
  committedSeq: number;
  durableSeq: number;
  pendingBytes: number;
  lastErrorCode: string | null;
  usage: number | null;
  quota: number | null;
  persisted: boolean | null;
  evictionRisk: EvictionRisk;
  databaseBytes: number;
  encryption: Cipher | null;
  pageSize: number;
  /** Null where nothing is stored in IndexedDB. */
  store: StoreState | null;
  verification: Verification | null;
}

/** Something stored that did not verify, or followed what did not; it is kept. */
export interface QuarantinedItem {
  id: number;
  /** Of a file for it; it holds the bytes as they were stored. */
  name: string;
  reason: string;
  /** What was set aside together has the same. */
  setAsideAt: number;
  /** When the state that was opened instead was stored; null if nothing was left. */
  openedAs: number | null;
  /** In bytes. */
  size: number;
}

/** What goes: both must hold where both are given; one has to be. */
export interface PruneChoice {
  /** What was last updated before this goes; a number is in Unix milliseconds. */
  olderThan?: number | Date | undefined;
  /** The newest conversations that stay. */
  keep?: number | undefined;
}

export interface PruneOptions {
  /** Default true; `no_room_for_restore_point` if it finds no space. */
  keepRestorePoint?: boolean;
  /** Give up earlier restore points first. */
  deleteRestorePoints?: boolean;
}

export interface PrunePlan {
  conversations: number;
  events: number;
  sessions: number;
  telemetry: number;
  bytesBefore: number;
  /** Of the database file; an estimate. */
  bytesFreed: number;
}

export interface PruneReport extends PrunePlan {
  restorePoint: RestorePoint | null;
  restorePointsDeleted: number;
}

export interface ImportReport {
  mode: 'replace' | 'merge';
  kind: string;
  added: BackupCounts;
  updated: BackupCounts;
  skipped: BackupCounts;
  restorePoint: RestorePoint | null;
  problems: BackupProblem[];
}

export interface ImportOptions extends CallOptions {
  mode?: 'replace' | 'merge';
  /** Of the backup, if it is encrypted. */
  passphrase?: string;
  onProgress?: (progress: { phase: string; fraction: number }) => void;
}

/** A key stays in memory: it is never stored by the host. */
export type Provider =
  | { type: 'recall' }
  | { type: 'built-in' }
  | {
      type: 'openai';
      baseUrl: string;
      apiKey?: string;
      model: string;
      temperature?: number;
      inputPricePerMillion?: number;
      outputPricePerMillion?: number;
    };

export interface UserMessage {
  userId: string;
  personaId: string;
  /** Null or absent: answer the last one again. */
  userMessage?: string | null;
  conversationId?: string | null;
  provider?: Provider;
  signal?: AbortSignal;
}

export interface Chunk {
  type: string;
  streamId: string;
  isFinal: boolean;
  [field: string]: unknown;
}
