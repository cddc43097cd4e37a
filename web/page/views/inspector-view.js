/** The inspector: how the database is stored, and whether all of it verifies. */

import { attachCopy } from '../copy.js';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPlural,
  formatTime,
} from '../format.js';
import { byId, showFacts } from './markup.js';
import { told } from './toasts.js';

/** @import { Diagnosis } from '../../client.js' */
/** @import { FlushTiming, StoreState, Verification } from '../../client-types.js' */
/** @import { Connection } from '../connection.js' */

export class InspectorView {
  #details = byId('inspector', HTMLDetailsElement);
  #verify = byId('inspector-verify', HTMLButtonElement);
  #copy = byId('inspector-copy', HTMLButtonElement);

  /** @type {Connection} */
  #connection;

  /** What is shown, and copied. @type {Diagnosis | null} */
  #diagnosis = null;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    this.#details.addEventListener('toggle', () => {
      if (this.#details.open) void told(() => this.#look(false));
    });
    this.#verify.addEventListener('click', () => told(() => this.#look(true)));
    attachCopy(this.#copy, () => JSON.stringify(this.#diagnosis, null, 2));
  }

  /** @param {boolean} verify */
  async #look(verify) {
    const verdict = byId('inspector-verdict');
    this.#verify.disabled = true;
    verdict.dataset.tone = 'waiting';
    verdict.textContent = verify ? 'Reading everything back …' : 'Looking …';
    try {
      const { storage } = await this.#connection.opened();
      const found = await storage.diagnose({ verify });
      this.#diagnosis = found;
      this.#show(found);
    } catch (error) {
      verdict.textContent = 'It could not be found out.';
      throw error;
    } finally {
      this.#verify.disabled = false;
    }
  }

  /** @param {Diagnosis} diagnosis */
  #show(diagnosis) {
    const { store, verification } = diagnosis;
    const verdict = byId('inspector-verdict');
    verdict.dataset.tone = toneOf(verification);
    verdict.textContent = verdictOf(verification);
    showFacts(byId('inspector-facts'), [
      ...(store ? factsOfStore(store) : []),
      ['Database', diagnosis.path],
      ['SQLite', diagnosis.sqlite],
      ['Engine', diagnosis.engine],
      ['Python', diagnosis.python],
      ['Release', diagnosis.build ?? diagnosis.release],
    ]);
    const flushes = store?.flushes ?? [];
    byId('inspector-flushes-heading').hidden = flushes.length === 0;
    byId('inspector-flushes').replaceChildren(...tableOf(flushes));
    this.#copy.disabled = false;
  }
}

/** @param {Verification | null} verification */
function toneOf(verification) {
  if (!verification) return 'waiting';
  return verification.ok ? 'durable' : 'unsaved';
}

/** @param {Verification | null} verification */
function verdictOf(verification) {
  if (!verification) return 'Not verified since this was opened.';
  const { ok, problems, bytes, durationMs, comparedImage } = verification;
  if (!ok) {
    const rest = problems.length > 3 ? ` and ${problems.length - 3} more` : '';
    return `Damage was found: ${problems.slice(0, 3).join('; ')}${rest}. What is in memory is sound: download a backup before you close this tab.`;
  }
  const same = comparedImage ? ' and equals what is in memory' : '';
  return `Everything that is stored verifies${same}: ${formatBytes(bytes)} in ${formatDuration(durationMs)}.`;
}

/**
 * @param {StoreState} store
 * @returns {[string, string | null][]}
 */
function factsOfStore(store) {
  const { features, rewrites, quarantined } = store;
  const missing = Object.keys(features).filter((name) => !features[name]);
  return [
    ['Log head', store.head],
    ['Epoch', formatCount(store.epoch)],
    ['Log', sized(store.records, 'record', store.logBytes)],
    ['Checkpoints', sized(store.checkpoints, '', store.checkpointBytes)],
    ['Garbage', store.garbage === 0 ? 'none' : formatCount(store.garbage)],
    ['Reserve', formatBytes(store.reserveBytes)],
    ['Restore points', sized(store.restorePoints, '', store.restorePointBytes)],
    [
      'Set aside',
      quarantined === 0
        ? 'nothing'
        : sized(quarantined, 'record', store.quarantinedBytes),
    ],
    ['Connection lost', times(store.losses)],
    ['Written anew', times(rewrites)],
    ['Missing features', missing.join(', ') || 'none'],
  ];
}

/** @param {number} count */
const times = (count) =>
  count === 0 ? 'never' : formatPlural(count, 'time', 'times');

/**
 * @param {number} count
 * @param {string} one  Empty for a bare number.
 * @param {number} bytes
 */
function sized(count, one, bytes) {
  const number = one ? formatPlural(count, one) : formatCount(count);
  return count === 0 ? number : `${number}, ${formatBytes(bytes)}`;
}

/**
 * Newest first.
 *
 * @param {FlushTiming[]} flushes
 * @returns {HTMLElement[]}  None if there is nothing to show.
 */
function tableOf(flushes) {
  if (flushes.length === 0) return [];
  const table = document.createElement('table');
  const head = table.createTHead().insertRow();
  for (const name of ['At', 'Took', 'Written', 'Pages']) {
    const cell = document.createElement('th');
    cell.scope = 'col';
    cell.textContent = name;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const { kind, at, durationMs, bytes, pages } of [...flushes].reverse()) {
    const row = body.insertRow();
    row.insertCell().textContent = formatTime(at);
    row.insertCell().textContent = `${durationMs.toFixed(1)} ms`;
    row.insertCell().textContent = formatBytes(bytes);
    row.insertCell().textContent =
      kind === 'checkpoint' ? 'checkpoint' : formatCount(pages);
  }
  return [table];
}
