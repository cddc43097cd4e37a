/**
 * What this browser remembers of its user, beside the database.
 *
 * Rule 1: every key of `localStorage` and `sessionStorage` is built here.
 * Rule 2: what a person has written is kept here only while the database is plain
 *         too; with an encrypted one it is forgotten with the page.
 * Rule 3: storage may be blocked or full. Then a preference holds only as long
 *         as the page; nothing fails because of it.
 */

const PREFIX = 'pyodide-app:';

/**
 * @param {() => Storage} open  Reading the property itself may throw.
 */
function guarded(open) {
  /** @type {Map<string, string>} */
  const whileOpen = new Map();
  return {
    /** @param {string} key */
    get(key) {
      try {
        return open().getItem(PREFIX + key) ?? whileOpen.get(key) ?? null;
      } catch {
        return whileOpen.get(key) ?? null;
      }
    },
    /**
     * @param {string} key
     * @param {string | null} value  `null` forgets it.
     */
    set(key, value) {
      whileOpen.delete(key);
      try {
        if (value === null) open().removeItem(PREFIX + key);
        else open().setItem(PREFIX + key, value);
      } catch {
        if (value !== null) whileOpen.set(key, value);
      }
    },
  };
}

/** @typedef {ReturnType<typeof guarded>} Preferences */

/** Kept on this device. */
export const preferences = guarded(() => localStorage);

/** Kept as long as this tab. */
export const tabPreferences = guarded(() => sessionStorage);

/**
 * Hear when another tab changes a preference of this device.
 *
 * @param {string} key
 * @param {(value: string | null) => void} listener
 */
export function onPreference(key, listener) {
  addEventListener('storage', (event) => {
    if (event.key === PREFIX + key) listener(event.newValue);
  });
}

const DRAFT = 'draft:';

const ENCRYPTED = 'encrypted';

const LAST_LIST = 'conversations';

/** While the database is encrypted. @type {Map<string, string>} */
const unstoredDrafts = new Map();

const STORE = 'store';

/** Whether the database was last seen in OPFS; a hint that saves a detour. */
export const isInOpfs = () => preferences.get(STORE) === 'opfs';

/** @param {boolean} isThere  In OPFS. */
export function noteOpfs(isThere) {
  if (isThere !== isInOpfs()) preferences.set(STORE, isThere ? 'opfs' : null);
}

/** Known before the database is open. */
export const isEncrypted = () => preferences.get(ENCRYPTED) === 'yes';

/** @param {boolean} encrypted  From now on. */
export function noteEncryption(encrypted) {
  if (encrypted === isEncrypted()) return;
  preferences.set(ENCRYPTED, encrypted ? 'yes' : null);
  if (encrypted) hidePlainText();
  else storeDrafts();
}

/**
 * Run *work*, which encrypts. What lies here as plain text is gone before, should
 * the page die meanwhile.
 *
 * @template R
 * @param {() => Promise<R>} work
 */
export async function whileEncrypting(work) {
  const wasEncrypted = isEncrypted();
  noteEncryption(true);
  try {
    return await work();
  } catch (error) {
    noteEncryption(wasEncrypted);
    throw error;
  }
}

function hidePlainText() {
  preferences.set(LAST_LIST, null);
  for (const key of storedDrafts()) {
    unstoredDrafts.set(key, preferences.get(key) ?? '');
    preferences.set(key, null);
  }
}

function storeDrafts() {
  for (const [key, text] of unstoredDrafts) {
    preferences.set(key, text === '' ? null : text);
  }
  unstoredDrafts.clear();
}

/** @returns {string[]} Their keys. */
function storedDrafts() {
  try {
    return Object.keys(localStorage)
      .filter((key) => key.startsWith(PREFIX + DRAFT))
      .map((key) => key.slice(PREFIX.length));
  } catch {
    return []; // Blocked storage holds none.
  }
}

/**
 * What was typed and not yet sent; it must outlive the page.
 *
 * @param {string | null} conversationId  `null` for one that has no id yet.
 */
export function readDraft(conversationId) {
  const key = DRAFT + (conversationId ?? 'new');
  return unstoredDrafts.get(key) ?? preferences.get(key) ?? '';
}

/**
 * @param {string | null} conversationId
 * @param {string} text  Empty forgets it.
 */
export function keepDraft(conversationId, text) {
  const key = DRAFT + (conversationId ?? 'new');
  if (isEncrypted()) {
    unstoredDrafts.set(key, text);
    return;
  }
  unstoredDrafts.delete(key);
  preferences.set(key, text === '' ? null : text);
}

/** @returns {string | null}  What was kept of the list of conversations. */
export const readLastList = () =>
  isEncrypted() ? null : preferences.get(LAST_LIST);

/** @param {string} text  Of the list of conversations, for the next start. */
export function keepLastList(text) {
  if (!isEncrypted()) preferences.set(LAST_LIST, text);
}
