/**
 * The rescue screen, where what is stored cannot be opened: go back to a restore
 * point, or start anew. Nothing is deleted by either.
 */

import { formatBytes, formatDateTime } from '../format.js';
import { isEncrypted } from '../preferences.js';
import {
  beginAnew,
  downloadRaw,
  downloadRestorePoint,
  storedRestorePoints,
} from '../rescue.js';
import { confirmWith } from './dialogs.js';
import { byId, codeOf, fromTemplate, labelled, part } from './markup.js';
import { told } from './toasts.js';

/** @import { RestorePointRow } from '../../worker/page-store.js' */
/** @import { Connection } from '../connection.js' */

/** @type {Set<string | null>} */
const DAMAGED = new Set(['store_damaged', 'backup_not_a_database']);

const KEPT =
  'What is stored now is kept aside: it can be downloaded afterwards from Storage, and deleted there.';

export class RescueView {
  #rescue = byId('rescue');

  /** @param {Connection} connection */
  constructor(connection) {
    connection.state.subscribe((state) => {
      const isDamaged = state.kind === 'failed' && tellsDamage(state.error);
      this.#rescue.hidden = !isDamaged;
      if (isDamaged) void told(() => this.#showPoints());
    });
    byId('rescue-raw').addEventListener('click', () => told(downloadRaw));
    byId('rescue-anew').addEventListener('click', () =>
      told(() =>
        this.#begin(null, {
          title: 'Start with an empty database?',
          text: isEncrypted()
            ? `${KEPT} The new database is not encrypted.`
            : KEPT,
          accept: 'Start anew',
        }),
      ),
    );
  }

  async #showPoints() {
    const points = await storedRestorePoints();
    byId('rescue-none').hidden = points.length > 0;
    byId('rescue-points').replaceChildren(
      ...points.map((point) => this.#row(point)),
    );
  }

  /** @param {RestorePointRow} point */
  #row(point) {
    const row = fromTemplate('restore-template');
    const when = formatDateTime(point.createdAt);
    part(row, 'when').textContent = when;
    part(row, 'reason').textContent =
      `${point.reason} · ${formatBytes(point.size)}`;
    part(row, 'delete').remove();
    const restore = part(row, 'restore', HTMLButtonElement);
    labelled(restore, `Restore the state of ${when}`);
    restore.addEventListener('click', () =>
      told(() =>
        this.#begin(point, {
          title: 'Go back to this state?',
          text: `The database becomes as it was on ${when}. ${KEPT}`,
          accept: 'Restore',
        }),
      ),
    );
    const save = part(row, 'download', HTMLButtonElement);
    labelled(save, `Download the state of ${when}`);
    save.addEventListener('click', () =>
      told(() => downloadRestorePoint(point)),
    );
    return row;
  }

  /**
   * @param {RestorePointRow | null} point
   * @param {{ title: string, text: string, accept: string }} question
   */
  async #begin(point, question) {
    if (!(await confirmWith(question))) return;
    this.#rescue.inert = true;
    byId('rescue-status').textContent = 'Setting aside what is stored …';
    try {
      await beginAnew(point);
      // The host that could not open it may still be there.
      location.reload();
    } finally {
      this.#rescue.inert = false;
      byId('rescue-status').textContent = '';
    }
  }
}

/**
 * The store does not verify, or SQLite cannot read the file in it.
 *
 * @param {unknown} error
 */
function tellsDamage(error) {
  const code = codeOf(error);
  if (code !== 'sql') return DAMAGED.has(code);
  const { detail } = /** @type {{detail?: {sqliteCode?: string}}} */ (error);
  return /^SQLITE_(CORRUPT|NOTADB)/.test(detail?.sqliteCode ?? '');
}
