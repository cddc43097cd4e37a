/**
 * Asking the browser to keep the data.
 *
 * Rule 1: only after the person did something that is worth keeping. Firefox asks
 *         the person, and Chromium looks at what the person has done so far.
 * Rule 2: by itself once per device; a browser that declines may be asked again
 *         in the storage panel.
 */

import { preferences } from './preferences.js';

const ASKED = 'asked-to-persist';

/** True if there is something to ask for. @param {boolean | null} persisted */
export const canAskToPersist = (persisted) =>
  persisted === false && 'persist' in (navigator.storage ?? {});

/**
 * The first time only.
 *
 * @param {boolean | null} persisted
 * @returns {Promise<boolean | null>}  Null if it was not asked.
 */
export async function askOnce(persisted) {
  if (!canAskToPersist(persisted) || preferences.get(ASKED)) return null;
  preferences.set(ASKED, 'yes');
  return navigator.storage.persist();
}

/** @param {boolean} isGranted */
export const persistWords = (isGranted) =>
  isGranted
    ? 'The browser promised to keep everything here until you clear it.'
    : 'The browser did not promise to keep this yet. It often does once the app is installed or used more; backups are safe in any case.';
