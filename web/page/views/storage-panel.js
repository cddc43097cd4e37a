/** What is durable, where it is kept, and how much room there is. */

import { MODES, describeStatus, durabilityOf } from '../durability.js';
import { formatBytes, formatCount, formatPlural } from '../format.js';
import { canAskToPersist, persistWords } from '../persistence.js';
import { preferences } from '../preferences.js';
import { RISKS, shareOf, spaceWords } from '../storage-pressure.js';
import { byId, fromTemplate, messageOf, part, showFacts } from './markup.js';
import { toast, told } from './toasts.js';

/** @import { StorageStatus } from '../../client.js' */
/** @import { Connection } from '../connection.js' */
/** @import { StateWords } from '../durability.js' */

export class StoragePanel {
  #persist = byId('persist', HTMLButtonElement);
  #flush = byId('flush-now', HTMLButtonElement);

  /** @type {Connection} */
  #connection;

  /** Whether the release can start without a network. */
  #offline = 'Not yet';

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    this.#makeModes();
    this.#persist.addEventListener('click', () => this.#askToPersist());
    this.#flush.addEventListener('click', () =>
      told(async () => {
        const { storage } = await connection.opened();
        await storage.flush();
        await connection.refreshStatus();
      }),
    );
    connection.state.subscribe(({ kind }) => {
      for (const input of this.#modes()) input.disabled = kind !== 'ready';
      if (kind === 'booting') this.#showState(WAITING);
      if (kind === 'failed') this.#showState(FAILED);
      if (kind === 'locked') this.#showState(LOCKED);
    });
    connection.status.subscribe((status) => {
      if (status) this.#show(status);
    });
  }

  /** @param {string} text */
  showOffline(text) {
    this.#offline = text;
    const { value: status } = this.#connection.status;
    if (status) this.#showAbout(status);
  }

  #makeModes() {
    const chosen = durabilityOf(preferences.get('durability'));
    const choices = MODES.map(({ mode, name, text }) => {
      const element = fromTemplate('choice-template');
      const input = part(element, 'input', HTMLInputElement);
      input.name = 'durability';
      input.value = mode;
      input.checked = mode === chosen;
      input.addEventListener('change', () => this.#choose(mode));
      part(element, 'name').textContent = name;
      part(element, 'text').textContent = text;
      return element;
    });
    byId('durability').replaceChildren(...choices);
  }

  #modes() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (
      byId('durability').querySelectorAll('input')
    );
  }

  /** @param {import('../durability.js').Durability} mode */
  async #choose(mode) {
    preferences.set('durability', mode);
    await told(() => this.#connection.reopen(mode));
  }

  async #askToPersist() {
    toast(persistWords(await navigator.storage.persist()));
    await this.#connection.refreshStatus();
  }

  /** @param {StorageStatus} status */
  #show(status) {
    this.#showState(describeStatus(status));
    const error = byId('state-error');
    error.hidden = !status.lastError;
    error.textContent = status.lastError ? messageOf(status.lastError) : '';
    this.#flush.hidden = !status.lastError || status.mode === 'memory';
    for (const input of this.#modes()) {
      input.checked = input.value === status.durability;
    }
    this.#showSpace(status);
    this.#showAbout(status);
  }

  /** @param {StateWords} words */
  #showState({ tone, word, sentence }) {
    for (const id of ['state-card', 'state-chip']) byId(id).dataset.tone = tone;
    byId('state-chip-text').textContent = word;
    byId('state-word').textContent = word;
    byId('state-sentence').textContent = sentence;
  }

  /** @param {StorageStatus} status */
  #showSpace(status) {
    const share = shareOf(status);
    const meter = byId('quota-meter');
    meter.setAttribute('aria-valuenow', String(Math.round(share * 100)));
    meter.dataset.tone = share > 0.9 ? 'unsaved' : 'durable';
    byId('quota-fill').style.width =
      `${Math.max(share * 100, share > 0 ? 1 : 0)}%`;
    byId('quota-text').textContent = spaceWords(status);
    meter.setAttribute('aria-valuetext', spaceWords(status));
    byId('persist-text').textContent = RISKS[status.evictionRisk];
    const isStored = status.mode !== 'memory';
    this.#persist.hidden = !isStored || !canAskToPersist(status.persisted);
  }

  /** @param {StorageStatus} status */
  #showAbout(status) {
    const { databaseBytes, committedSeq, durableSeq, pendingBytes } = status;
    showFacts(byId('facts'), [
      ['Database', formatBytes(databaseBytes)],
      ['Kept in', PLACES[status.mode] ?? status.mode],
      ['Committed', `up to ${formatCount(committedSeq)}`],
      ['Durable', `up to ${formatCount(durableSeq)}`],
      ['Pending', pendingBytes > 0 ? formatBytes(pendingBytes) : 'nothing'],
      ['Last error', status.lastError ?? 'none'],
      ['Set aside at the start', setAside(status)],
      ['Tabs connected', String(status.tabs ?? 1)],
      ['Host', status.sharedHost ? 'shared by all tabs' : 'this tab only'],
      ['Works offline', this.#offline],
      ['Release', status.release ?? 'development'],
    ]);
  }
}

/**
 * What did not verify when the store was opened; it is kept, not deleted.
 *
 * @param {StorageStatus} status
 */
function setAside({ recovery }) {
  const count = recovery?.setAside ?? 0;
  return count === 0 ? null : formatPlural(count, 'damaged record');
}

/** @type {Record<string, string>} */
const PLACES = {
  indexeddb: 'this browser (IndexedDB)',
  memory: 'memory only',
};

/** @type {StateWords} */
const WAITING = {
  tone: 'waiting',
  word: 'Starting',
  sentence: 'The database is being opened.',
};

/** @type {StateWords} */
const LOCKED = {
  tone: 'waiting',
  word: 'Locked',
  sentence: 'The database is encrypted. Its passphrase opens it.',
};

/** @type {StateWords} */
const FAILED = {
  tone: 'unsaved',
  word: 'Not open',
  sentence: 'The database did not open. Nothing was deleted.',
};
