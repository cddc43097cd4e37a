/** Tokens, cost and waiting time by day and by model. */

import {
  formatCost,
  formatCount,
  formatDate,
  formatDuration,
} from '../format.js';
import { groupUsage, totalUsage } from '../usage-totals.js';
import { byId } from './markup.js';
import { told } from './toasts.js';

/** @import { Connection } from '../connection.js' */
/** @import { UsageGroup } from '../usage-totals.js' */

const DAY_MS = 86_400_000;

export class UsagePanel {
  #panel = byId('usage-panel');
  #range = byId('usage-range', HTMLSelectElement);

  /** @type {Connection} */
  #connection;

  #isStale = true;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    this.#range.addEventListener('change', () => void this.#refresh());
    connection.changed.subscribe((tables) => {
      if (!tables.has('telemetry')) return;
      this.#isStale = true;
      if (!this.#panel.hidden) void this.#refresh();
    });
  }

  /** The panel became visible. */
  shown() {
    if (this.#isStale) void this.#refresh();
  }

  #refresh() {
    this.#isStale = false;
    return told(async () => {
      const { storage } = await this.#connection.opened();
      const days = Number(this.#range.value);
      const since = days === 0 ? null : Date.now() - days * DAY_MS;
      const { rows } = await storage.telemetry.summary({ since });
      byId('usage-empty').hidden = rows.length > 0;
      for (const card of this.#panel.querySelectorAll('.card + .card')) {
        /** @type {HTMLElement} */ (card).hidden = rows.length === 0;
      }
      this.#showTotals(totalUsage(rows));
      const byDay = groupUsage(rows, ({ day }) => day);
      byDay.sort((a, b) => (a.name < b.name ? 1 : -1));
      const byModel = groupUsage(rows, ({ model }) => model ?? 'unknown');
      byModel.sort((a, b) => b.totalTokens - a.totalTokens);
      byId('usage-days').replaceChildren(table('Day', byDay, nameOfDay));
      byId('usage-models').replaceChildren(
        table('Model', byModel, (name) => name),
      );
    });
  }

  /** @param {UsageGroup} total */
  #showTotals({ calls, totalTokens, costUsd, latencyMs }) {
    /** @type {[string, string][]} */
    const facts = [
      ['answers', formatCount(calls)],
      ['tokens', formatCount(totalTokens)],
      ['cost', formatCost(costUsd)],
      ['average wait', latencyMs === null ? '–' : formatDuration(latencyMs)],
    ];
    byId('usage-totals').replaceChildren(
      ...facts.map(([name, value]) => {
        const pair = document.createElement('div');
        const term = document.createElement('dt');
        const description = document.createElement('dd');
        term.textContent = name;
        description.textContent = value;
        pair.append(term, description);
        return pair;
      }),
    );
  }
}

/**
 * @param {string} heading
 * @param {readonly UsageGroup[]} groups
 * @param {(name: string) => string} nameOf
 */
function table(heading, groups, nameOf) {
  const element = document.createElement('table');
  const head = element.createTHead().insertRow();
  for (const name of [heading, 'Tokens', 'Cost', 'Wait']) {
    const cell = document.createElement('th');
    cell.scope = 'col';
    cell.textContent = name;
    head.append(cell);
  }
  const body = element.createTBody();
  const most = Math.max(1, ...groups.map(({ totalTokens }) => totalTokens));
  for (const group of groups) {
    const row = body.insertRow();
    const name = row.insertCell();
    name.append(nameOf(group.name), bar(group.totalTokens / most));
    row.insertCell().textContent = formatCount(group.totalTokens);
    row.insertCell().textContent = formatCost(group.costUsd);
    row.insertCell().textContent =
      group.latencyMs === null ? '–' : formatDuration(group.latencyMs);
  }
  return element;
}

/** The number stands beside it: the bar is for the eye only. @param {number} share */
function bar(share) {
  const track = document.createElement('span');
  const fill = document.createElement('span');
  track.className = 'bar-track';
  track.ariaHidden = 'true';
  fill.className = 'bar-fill';
  fill.style.width = `${share * 100}%`;
  track.append(fill);
  return track;
}

/** @param {string} day  `YYYY-MM-DD`, a day of UTC. */
function nameOfDay(day) {
  const [year, month, date] = day.split('-').map(Number);
  return formatDate(new Date(year, month - 1, date).getTime());
}
