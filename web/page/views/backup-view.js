/** Download backup, plain or encrypted, and the list of restore points. */

import { download } from '../download.js';
import { backupFileName, formatBytes, formatDateTime } from '../format.js';
import { confirmWith, showDialog } from './dialogs.js';
import { byId, fromTemplate, labelled, part } from './markup.js';
import { toast, told } from './toasts.js';

/** @import { RestorePoint } from '../../client.js' */
/** @import { Connection } from '../connection.js' */
/** @import { ExportOptions } from '../../client-types.js' */
/** @import { PassphraseDialog } from './passphrase-dialog.js' */

export class BackupView {
  #button = byId('download', HTMLButtonElement);
  #other = byId('export-other', HTMLButtonElement);
  #bar = byId('download-bar', HTMLProgressElement);
  #list = byId('restore-points');

  /** @type {Connection} */
  #connection;

  /** @type {PassphraseDialog} */
  #passphrases;

  /**
   * @param {Connection} connection
   * @param {PassphraseDialog} passphrases
   */
  constructor(connection, passphrases) {
    this.#connection = connection;
    this.#passphrases = passphrases;
    this.#button.addEventListener('click', () => told(() => this.#choose()));
    this.#other.addEventListener('click', () => told(() => this.#encrypted()));
    connection.state.subscribe(({ kind }) => {
      this.#button.disabled = kind !== 'ready';
      this.#other.disabled = kind !== 'ready';
      if (kind === 'ready') void connection.background(() => this.refresh());
    });
  }

  async refresh() {
    const { storage } = await this.#connection.opened();
    const points = await storage.restorePoints();
    byId('restore-heading').hidden = points.length === 0;
    this.#list.replaceChildren(...points.map((point) => this.#row(point)));
  }

  /** @param {string} id */
  async restore(id) {
    const { storage } = await this.#connection.opened();
    await storage.restore(id);
    await this.refresh();
    toast('Restored. What was there before is a restore point now.');
  }

  /** An encrypted database leaves as such, unless the person wants otherwise. */
  async #choose() {
    if (!this.#connection.status.value?.encryption) {
      await this.#download({});
      return;
    }
    const dialog = byId('export-dialog', HTMLDialogElement);
    const [same] = dialog.querySelectorAll('input');
    if (!same) return;
    same.checked = true;
    if (await showDialog(dialog)) {
      await this.#download({ keepEncryption: same.checked });
    }
  }

  async #encrypted() {
    await this.#passphrases.ask(
      {
        title: 'Download an encrypted backup',
        text: 'Only the file is encrypted, by a passphrase of its own. Without that nobody can read it.',
        accept: 'Download',
        asksNew: true,
        asksFormat: true,
      },
      ({ next, cipher }) => this.#download({ passphrase: next, cipher }),
    );
  }

  /** @param {ExportOptions} options */
  async #download(options) {
    this.#button.disabled = true;
    this.#bar.hidden = false;
    this.#bar.removeAttribute('value');
    try {
      const { storage } = await this.#connection.opened();
      const blob = await storage.exportBlob(options);
      const isSealed = Boolean(options.passphrase || options.keepEncryption);
      const name = backupFileName(Date.now(), isSealed);
      download(blob, name);
      const words = isSealed ? 'encrypted' : 'not encrypted';
      toast(`${name}, ${formatBytes(blob.size)}, ${words}.`);
    } finally {
      this.#bar.hidden = true;
      this.#button.disabled = false;
    }
  }

  /** @param {RestorePoint} point */
  #row({ id, reason, createdAt, size, stored, encrypted }) {
    const row = fromTemplate('restore-template');
    const when = formatDateTime(createdAt);
    part(row, 'when').textContent = when;
    const room = stored < size ? `${formatBytes(stored)} stored` : null;
    part(row, 'reason').textContent = [reason, formatBytes(size), room]
      .filter(Boolean)
      .join(' · ');
    this.#action(row, 'restore', `Restore the state of ${when}`, async () => {
      const isSure = await confirmWith({
        title: 'Go back to this state?',
        text: `Everything becomes as it was on ${when}. The present state is kept as a restore point.`,
        accept: 'Restore',
      });
      if (isSure) await this.restore(id);
    });
    this.#action(row, 'download', `Download the state of ${when}`, async () => {
      const { storage } = await this.#connection.opened();
      const bytes = await storage.readRestorePoint(id);
      download(new Blob([bytes]), backupFileName(createdAt, encrypted));
    });
    this.#action(row, 'delete', `Delete the state of ${when}`, async () => {
      const isSure = await confirmWith({
        title: 'Delete this restore point?',
        text: `The state of ${when} can then no longer be brought back.`,
        accept: 'Delete',
      });
      if (!isSure) return;
      const { storage } = await this.#connection.opened();
      await storage.deleteRestorePoint(id);
      await this.refresh();
    });
    return row;
  }

  /**
   * @param {HTMLElement} row
   * @param {string} name
   * @param {string} label
   * @param {() => Promise<void>} run
   */
  #action(row, name, label, run) {
    const button = part(row, name, HTMLButtonElement);
    labelled(button, label);
    button.addEventListener('click', () => told(run));
  }
}
