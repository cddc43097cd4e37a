/**
 * What the state of the storage is called, everywhere in the interface.
 *
 * *Committed*: SQLite has it. *Durable*: it survives the death of the tab, and
 * the browser said so. No third word.
 */

/** @import { StorageStatus } from '../client.js' */

/**
 * @typedef {object} StateWords
 * @property {'waiting' | 'durable' | 'pending' | 'unsaved'} tone
 * @property {string} word  For the chip.
 * @property {string} sentence
 */

/** In the words of the guarantees table in ARCHITECTURE.md. */
export const MODES = /** @type {const} */ ([
  {
    mode: 'batched',
    name: 'Batched',
    text: 'Committed at once, durable within a tenth of a second. A crash of the tab or browser loses at most that window; a power loss also what the system still held back.',
  },
  {
    mode: 'commit',
    name: 'Commit',
    text: 'Acknowledged when durable. A crash of the tab or browser loses nothing acknowledged; a power loss what the system still held back.',
  },
  {
    mode: 'strict',
    name: 'Strict',
    text: 'Acknowledged when durable on the disk. Neither a crash nor a power loss loses anything acknowledged, as far as the browser honours it. Slower.',
  },
]);

/** @typedef {typeof MODES[number]['mode']} Durability */

/**
 * @param {string | null} mode
 * @returns {Durability}  The default for a word we do not know.
 */
export function durabilityOf(mode) {
  return MODES.find((known) => known.mode === mode)?.mode ?? 'batched';
}

/**
 * @param {StorageStatus} status
 * @returns {StateWords}
 */
export function describeStatus(status) {
  if (status.mode === 'memory') {
    return {
      tone: 'unsaved',
      word: 'Not saved: memory only',
      sentence:
        'This browser gives no durable storage. Everything is lost with this tab: download a backup before you close it.',
    };
  }
  if (status.lastError) {
    return {
      tone: 'unsaved',
      word: `Not saved: ${shortReason(status.lastErrorCode)}`,
      sentence:
        'Everything is committed and still in memory, but the browser refused to make the newest changes durable. Keep this tab open, and download a backup.',
    };
  }
  if (status.durableSeq < status.committedSeq) {
    return {
      tone: 'pending',
      word: 'Not yet durable',
      sentence: 'Committed. The newest changes are on their way to the disk.',
    };
  }
  return {
    tone: 'durable',
    word: 'Durable',
    sentence: 'Everything survives the death of this tab.',
  };
}

/** @param {string | null} code */
function shortReason(code) {
  switch (code) {
    case 'quota_exceeded':
      return 'storage is full';
    case 'writer_fenced':
      return 'another window took over';
    case 'store_unavailable':
      return 'storage is unavailable';
    case 'store_damaged':
      return 'storage is damaged';
    default:
      return 'see Storage';
  }
}
