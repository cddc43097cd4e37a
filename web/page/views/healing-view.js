/**
 * What was set aside as damaged: a notice when it is new, and a list in the panel
 * as long as it is kept.
 */

import { download } from '../download.js';
import { formatBytes, formatDateTime, formatPlural } from '../format.js';
import { preferences } from '../preferences.js';
import { zip } from '../zip.js';
import { confirmWith } from './dialogs.js';
import { byId, fromTemplate, labelled, part } from './markup.js';
import { told } from './toasts.js';

/** @import { QuarantinedItem } from '../../client.js' */
/** @import { Connection } from '../connection.js' */

/** The time of the newest that a person has dismissed. */
const SEEN = 'quarantine-seen';

export class HealingView {
  #notice = byId('healing');

  /** @type {Connection} */
  #connection;

  /** What was set aside together, oldest first. @type {QuarantinedItem[][]} */
  #groups = [];

  /**
   * @param {Connection} connection
   * @param {() => void} showRestorePoints
   */
  constructor(connection, showRestorePoints) {
    this.#connection = connection;
    connection.state.subscribe(({ kind }) => {
      if (kind === 'ready') void connection.background(() => this.refresh());
      else this.#notice.hidden = true;
    });
    byId('healing-download').addEventListener('click', () =>
      told(() => this.#download(this.#groups.at(-1) ?? [])),
    );
    byId('healing-restore').addEventListener('click', showRestorePoints);
    byId('healing-dismiss').addEventListener('click', () => {
      preferences.set(SEEN, String(timeOf(this.#groups.at(-1))));
      this.#notice.hidden = true;
    });
  }

  async refresh() {
    const { storage } = await this.#connection.opened();
    const items = await storage.quarantine();
    const times = [...new Set(items.map(({ setAsideAt }) => setAsideAt))];
    this.#groups = times.map((time) =>
      items.filter(({ setAsideAt }) => setAsideAt === time),
    );
    byId('quarantine-heading').hidden = items.length === 0;
    const rows = this.#groups.map((group) => this.#row(group)).reverse();
    byId('quarantine').replaceChildren(...rows);
    await this.#notify();
  }

  async #notify() {
    const newest = this.#groups.at(-1);
    const isNew = timeOf(newest) > Number(preferences.get(SEEN) ?? 0);
    if (newest && isNew) {
      byId('healing-text').textContent = healingWords(newest);
      const { storage } = await this.#connection.opened();
      const points = await storage.restorePoints();
      byId('healing-restore').hidden = points.length === 0;
    }
    this.#notice.hidden = !(newest && isNew);
  }

  /** @param {QuarantinedItem[]} group */
  async #download(group) {
    const { storage } = await this.#connection.opened();
    const about = new TextEncoder().encode(JSON.stringify(group, null, 2));
    const files = [{ name: 'about.json', bytes: about }];
    for (const { id, name } of group) {
      files.push({ name, bytes: await storage.readQuarantined(id) });
    }
    const time = new Date(timeOf(group)).toISOString().slice(0, 10);
    download(zip(files), `set-aside-${time}.zip`);
  }

  /** @param {QuarantinedItem[]} group */
  #row(group) {
    const row = fromTemplate('restore-template');
    const when = formatDateTime(timeOf(group));
    part(row, 'when').textContent = when;
    part(row, 'reason').textContent =
      `${sizeWords(group)} · ${group[0]?.reason}`;
    part(row, 'restore').remove();
    const save = part(row, 'download', HTMLButtonElement);
    labelled(save, `Download what was set aside on ${when}`);
    save.addEventListener('click', () => told(() => this.#download(group)));
    const remove = part(row, 'delete', HTMLButtonElement);
    labelled(remove, `Delete what was set aside on ${when}`);
    remove.addEventListener('click', () => told(() => this.#delete(group)));
    return row;
  }

  /** @param {QuarantinedItem[]} group */
  async #delete(group) {
    const isSure = await confirmWith({
      title: 'Delete the damaged data?',
      text: `${sizeWords(group)} that did not verify. Nobody can recover anything from them afterwards.`,
      accept: 'Delete',
    });
    if (!isSure) return;
    const { storage } = await this.#connection.opened();
    for (const { id } of group) await storage.deleteQuarantined(id);
    await this.refresh();
  }
}

/** @param {QuarantinedItem[]} group  Set aside together. */
function healingWords(group) {
  const [{ openedAs } = { openedAs: null }] = group;
  return openedAs === null
    ? `What could not be opened is kept aside: ${sizeWords(group)}.`
    : `The database opened as it was on ${formatDateTime(openedAs)}; ${sizeWords(group)} could not be read.`;
}

/** @param {QuarantinedItem[]} group */
function sizeWords(group) {
  const bytes = group.reduce((sum, { size }) => sum + size, 0);
  return `${formatPlural(group.length, 'record')} (${formatBytes(bytes)})`;
}

/** @param {QuarantinedItem[] | undefined} group */
const timeOf = (group) => group?.[0]?.setAsideAt ?? 0;
