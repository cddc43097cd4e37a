/** Download backup, and the list of restore points. */

import { download } from '../download.js';
import { backupFileName, formatBytes, formatDateTime } from '../format.js';
import { confirmWith } from './dialogs.js';
import { byId, fromTemplate, part } from './markup.js';
import { toast, told } from './toasts.js';

/** @import { RestorePoint } from '../../client.js' */
/** @import { Connection } from '../connection.js' */

export class BackupView {
  #button = byId('download', HTMLButtonElement);
  #bar = byId('download-bar', HTMLProgressElement);
  #list = byId('restore-points');

  /** @type {Connection} */
  #connection;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    this.#button.addEventListener('click', () => told(() => this.#download()));
    connection.state.subscribe(({ kind }) => {
      this.#button.disabled = kind !== 'ready';
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

  async #download() {
    this.#button.disabled = true;
    this.#bar.hidden = false;
    this.#bar.removeAttribute('value');
    try {
      const { storage } = await this.#connection.opened();
      const blob = await storage.exportBlob();
      const name = backupFileName(Date.now());
      download(blob, name);
      toast(`${name}, ${formatBytes(blob.size)}.`);
    } finally {
      this.#bar.hidden = true;
      this.#button.disabled = false;
    }
  }

  /** @param {RestorePoint} point */
  #row({ id, reason, createdAt, size }) {
    const row = fromTemplate('restore-template');
    const when = formatDateTime(createdAt);
    part(row, 'when').textContent = when;
    part(row, 'reason').textContent = `${reason} · ${formatBytes(size)}`;
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
      download(new Blob([bytes]), backupFileName(createdAt));
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
    button.setAttribute('aria-label', label);
    button.title = label;
    button.addEventListener('click', () => told(run));
  }
}
