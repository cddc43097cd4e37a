/** Every name that two contexts must agree on, built in one place. */

const PREFIX = 'pyodide-app:';

/** The name of the volume of the Workbench. */
export const DEFAULT_VOLUME = 'main';

/** @param {string} volume */
export const databaseName = (volume) => `${PREFIX}pages:${volume}`;

/** The folders, in the file system of the origin, of a volume's image files.
 * @param {string} volume */
export const imageFolder = (volume) => ['pyodide-app', volume];

/** The file name of an image. @param {number} id */
export const imageName = (id) => `${id}.image`;

/** @param {string} name  @returns {number | null} Null if no image is named so. */
export function imageIdOf(name) {
  const [, digits] = /^([1-9]\d*)\.image$/.exec(name) ?? [];
  return digits === undefined ? null : Number(digits);
}

/** The lock that the one writer of a volume holds. @param {string} volume */
export const writerLockName = (volume) => `${PREFIX}writer:${volume}`;

/** The channel on which a writer is asked to let go. @param {string} volume */
export const handOverChannel = (volume) => `${PREFIX}hand-over:${volume}`;

/** The lock that lives as long as a tab. @param {string} tabId */
export const tabLockName = (tabId) => `${PREFIX}tab:${tabId}`;

/** The lock that lives as long as a host. @param {string} hostId */
export const hostLockName = (hostId) => `${PREFIX}alive:${hostId}`;

/** The lock of the tab that receives an answer. @param {string} conversationId */
export const answerLockName = (conversationId) =>
  `${PREFIX}answer:${conversationId}`;

/**
 * The name of a host's worker carries what its script address cannot.
 *
 * @param {string} volume
 * @param {boolean} takeOver
 */
export const workerName = (volume, takeOver) =>
  `${PREFIX}host:${volume}${takeOver ? ':take-over' : ''}`;

/** @type {Record<string, string>} */
const STORED = { log: 'record', checkpoints: 'checkpoint', extents: 'extents' };

/**
 * The file name of something stored, as it was stored.
 *
 * @param {string} store
 * @param {unknown} key
 */
export const rawFileName = (store, key) =>
  `${STORED[store]}-${[key].flat().join('.')}.bin`;

/** The database of `createAgentOSStorage`, and so of the Workbench. */
export const AGENTOS_DATABASE = 'agentos';
