/**
 * Giving space back: choose what goes, see what that means, delete it.
 *
 * Rule 1: nothing goes before the person has seen how much it is.
 * Rule 2: without a restore point only if the person says so.
 */

import { formatBytes, formatPlural } from '../format.js';
import {
  AGES,
  momentOf,
  planFacts,
  planWords,
  pressureOf,
  reportWords,
  tooMuchWords,
} from '../storage-pressure.js';
import { showDialog } from './dialogs.js';
import { byId, codeOf, messageOf, part, showFacts } from './markup.js';
import { told } from './toasts.js';

/** @import { PruneReport } from '../../client.js' */
/** @import { Connection } from '../connection.js' */

/** Conversations that stay unless the person says otherwise. */
const KEEP = 20;

/** @typedef {'choose' | 'prune' | 'done'} Stage */

export class PruneDialog {
  #dialog = byId('prune-dialog', HTMLDialogElement);
  #age = byId('prune-age', HTMLSelectElement);
  #keep = byId('prune-keep', HTMLInputElement);
  #restorePoint = byId('prune-restore-point', HTMLInputElement);
  #givesUp = byId('prune-give-up', HTMLInputElement);
  #accept = byId('prune-accept', HTMLButtonElement);
  #cancel = part(this.#dialog, 'cancel', HTMLButtonElement);

  /** @type {Connection} */
  #connection;

  /** @type {() => void} */
  #onPruned;

  /** @type {Stage} */
  #stage = 'choose';

  /** Of the newest preview that was asked for. */
  #asked = 0;

  /** Of all restore points, in bytes. */
  #keptBytes = 0;

  /**
   * @param {Connection} connection
   * @param {object} on
   * @param {() => void} on.download
   * @param {() => void} on.pruned
   */
  constructor(connection, on) {
    this.#connection = connection;
    this.#onPruned = on.pruned;
    this.#age.replaceChildren(
      ...AGES.map(([days, words]) => new Option(words, String(days))),
    );
    for (const control of [this.#age, this.#keep, this.#givesUp]) {
      control.addEventListener('input', () => void this.#preview());
    }
    byId('prune-download').addEventListener('click', () => on.download());
    this.#dialog.addEventListener('cancel', (event) => {
      if (this.#stage === 'prune') event.preventDefault();
    });
    const button = byId('free-space', HTMLButtonElement);
    button.addEventListener('click', () => void this.show());
    connection.state.subscribe(({ kind }) => {
      button.disabled = kind !== 'ready';
    });
  }

  async show() {
    await told(async () => {
      const { storage } = await this.#connection.opened();
      const points = await storage.restorePoints();
      this.#age.value = '30';
      this.#keep.value = String(KEEP);
      // Where nothing fits, a copy of everything does not either.
      this.#restorePoint.checked = !this.#isFull;
      byId('prune-restore-size').textContent = this.#isFull
        ? 'There is no room for it now. Download a backup instead.'
        : `It takes up to ${formatBytes(this.#status?.databaseBytes)} until you delete it.`;
      this.#givesUp.checked = false;
      byId('prune-give-up-row').hidden = points.length === 0;
      this.#keptBytes = points.reduce((sum, point) => sum + point.size, 0);
      byId('prune-give-up-size').textContent =
        `${formatPlural(points.length, 'state')}, together ${formatBytes(this.#keptBytes)}.`;
      this.#enter('choose', 'Free space');
      void showDialog(this.#dialog, () => {
        void this.#prune();
        return false;
      });
      await this.#preview();
    });
  }

  get #status() {
    return this.#connection.status.value;
  }

  get #isFull() {
    return this.#status !== null && pressureOf(this.#status)?.kind === 'full';
  }

  /** In bytes: what a full store can give up for the smaller database. */
  get #room() {
    const reserve = this.#status?.reserveBytes ?? 0;
    return reserve + (this.#givesUp.checked ? this.#keptBytes : 0);
  }

  #choice() {
    const keep = Math.max(0, Math.floor(Number(this.#keep.value) || 0));
    const days = Number(this.#age.value);
    return { olderThan: momentOf(days, Date.now()), keep };
  }

  async #preview() {
    const asked = ++this.#asked;
    await told(async () => {
      const { storage } = await this.#connection.opened();
      const plan = await storage.planPrune(this.#choice());
      if (asked !== this.#asked || this.#stage !== 'choose') return;
      byId('prune-preview').textContent = planWords(plan);
      showFacts(byId('prune-facts'), planFacts(plan));
      const warning = this.#isFull ? tooMuchWords(plan, this.#room) : null;
      byId('prune-warning').hidden = warning === null;
      byId('prune-warning').textContent = warning;
      const { conversations, sessions, telemetry } = plan;
      this.#accept.disabled = conversations + sessions + telemetry === 0;
      this.#accept.textContent =
        conversations === 0
          ? 'Delete'
          : `Delete ${formatPlural(conversations, 'conversation')}`;
    });
  }

  async #prune() {
    if (this.#stage !== 'choose' || this.#accept.disabled) return;
    this.#enter('prune', 'Freeing space');
    try {
      const { storage } = await this.#connection.opened();
      const report = await storage.prune({
        ...this.#choice(),
        keepRestorePoint: this.#restorePoint.checked,
        deleteRestorePoints: this.#givesUp.checked,
      });
      this.#showReport(report);
    } catch (error) {
      this.#refuse(error);
    }
    this.#onPruned();
    await this.#connection.refreshStatus();
  }

  /** @param {PruneReport} report */
  #showReport(report) {
    this.#enter('done', 'Space was freed');
    byId('prune-preview').textContent = reportWords(report);
    showFacts(byId('prune-facts'), planFacts(report));
  }

  /** @param {unknown} error */
  #refuse(error) {
    this.#enter('choose', 'Free space');
    const box = byId('prune-error');
    box.hidden = false;
    box.textContent = REFUSALS[codeOf(error) ?? ''] ?? messageOf(error);
    void this.#preview();
  }

  /**
   * @param {Stage} stage
   * @param {string} title
   */
  #enter(stage, title) {
    this.#stage = stage;
    byId('prune-title').textContent = title;
    byId('prune-choice').hidden = stage !== 'choose';
    byId('prune-subtitle').hidden = stage === 'done';
    byId('prune-warning').hidden = true;
    byId('prune-bar').hidden = stage !== 'prune';
    byId('prune-error').hidden = true;
    byId('prune-download').hidden = stage !== 'choose';
    this.#accept.hidden = stage !== 'choose';
    this.#accept.disabled = true;
    this.#cancel.disabled = stage === 'prune';
    this.#cancel.textContent = stage === 'done' ? 'Close' : 'Cancel';
    if (stage !== 'choose') byId('prune-title').focus();
  }
}

/** @type {Record<string, string>} */
const REFUSALS = {
  no_room_for_restore_point:
    'Nothing was deleted, because there is no space for a restore point. Download a backup, then free space without one.',
  quota_exceeded:
    'It is done and committed, but what stays does not fit beside what is stored, so it is not durable. Let more go, or delete restore points.',
};
