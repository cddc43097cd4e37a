/**
 * The page's one way to its database and its agents.
 *
 * Rule 1: views are there before the database is. They await `opened()`, or
 *         watch `state`.
 * Rule 2: a failed boot can be repeated; whoever awaits `opened()` goes on.
 * Rule 3: one reader of changes feeds all views, so that a commit costs one
 *         message however many views there are.
 */

import { AgentOS, AppError, createAgentOSStorage } from '../client.js';
import { Observable } from './observable.js';

/** @import { AgentOSStorage, StorageStatus } from '../client.js' */
/** @import { Durability } from './durability.js' */

/** @typedef {{ storage: AgentOSStorage, agent: AgentOS }} Opened */

/**
 * @typedef {| { kind: 'booting', reached: number, words: string }
 *   | { kind: 'locked', isWrong: boolean }
 *   | { kind: 'ready', opened: Opened }
 *   | { kind: 'failed', error: unknown }} ConnectionState
 */

const TABLES = [
  'conversations',
  'conversation_events',
  'sessions',
  'personas',
  'telemetry',
];

/** Errors of calls to a database that was closed or handed over meanwhile. */
const GONE = new Set(['storage_closed', 'host_changed', 'passphrase_required']);

/** While something is pending, how long until we look again. */
const PENDING_MS = 250;

export class Connection {
  /** @type {Observable<ConnectionState>} */
  state = new Observable(/** @type {ConnectionState} */ (booting(0.01)));

  /** @type {Observable<StorageStatus | null>} */
  status = new Observable(/** @type {StorageStatus | null} */ (null));

  /** The newest failure of a read that nobody awaits. */
  failure = new Observable(/** @type {unknown} */ (null));

  /** The tables written by the newest commit, ours or another tab's. */
  changed = new Observable(/** @type {ReadonlySet<string>} */ (new Set()));

  /** @type {PromiseWithResolvers<Opened>} */
  #opened = deferred();

  /** @type {AsyncIterator<unknown> | null} */
  #changes = null;

  /** @type {Durability} */
  #durability;

  /** For the status. @type {Promise<void> | null} */
  #asking = null;

  /** @type {Promise<void> | null} */
  #askingAgain = null;

  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Durability} durability */
  constructor(durability) {
    this.#durability = durability;
    document.addEventListener('visibilitychange', () => this.refreshStatus());
  }

  /** @returns {Promise<Opened>}  Pending until a boot succeeds. */
  opened() {
    return this.#opened.promise;
  }

  /**
   * Boot; the outcome is `state`. Call it again after a failure.
   *
   * @param {object} [options]
   * @param {boolean} [options.takeOver]  Ask the tab that has the database to let
   *   go, where tabs cannot share it.
   * @param {string} [options.passphrase]  Of a database that is locked.
   */
  async open({ takeOver = false, passphrase } = {}) {
    let reached = 0.01;
    this.state.set(booting(reached));
    try {
      const storage = await createAgentOSStorage({
        platform: 'web',
        durability: this.#durability,
        takeOver,
        ...(passphrase === undefined ? {} : { passphrase }),
        onProgress: ({ fraction, message }) => {
          // A bar that goes back is read as a fault.
          reached = Math.max(reached, fraction ?? 0);
          this.state.set(booting(reached, message ?? 'Starting'));
        },
        onHostEvent: (name) => {
          if (name === 'status') void this.refreshStatus();
          if (name === 'host') this.state.set(handedOver());
        },
      });
      const agent = new AgentOS();
      await agent.initialize({ storage });
      const opened = { storage, agent };
      this.state.set({ kind: 'ready', opened });
      this.#opened.resolve(opened);
      void this.#follow(storage);
      await this.refreshStatus();
    } catch (error) {
      this.state.set(lockedBy(error) ?? { kind: 'failed', error });
    }
  }

  /** Close the database, for all tabs, until somebody has the passphrase. */
  async lock() {
    const { storage } = await this.opened();
    await storage.lock();
    await this.refreshStatus();
  }

  /**
   * Open the database again in another mode.
   *
   * @param {Durability} durability
   */
  async reopen(durability) {
    const { storage } = await this.opened();
    this.#durability = durability;
    this.#opened = deferred();
    await this.#changes?.return?.();
    await this.open();
    await storage.close();
  }

  /**
   * Run a read that nobody awaits. What fails is `failure`, unless the
   * connection itself has gone: then `state` tells, or what comes next reads.
   *
   * @param {() => Promise<unknown>} work
   */
  async background(work) {
    try {
      await work();
    } catch (error) {
      const isGone = error instanceof AppError && GONE.has(error.code);
      if (!isGone) this.failure.set(error);
    }
  }

  /**
   * Tell the status that holds now, or a later one.
   *
   * @returns {Promise<void>}
   */
  async refreshStatus() {
    if (this.#asking) {
      // Its answer may be on its way already.
      this.#askingAgain ??= this.#asking.then(() => {
        this.#askingAgain = null;
        return this.refreshStatus();
      });
      return this.#askingAgain;
    }
    this.#asking = this.#askStatus().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #askStatus() {
    const { state } = this;
    if (state.value.kind !== 'ready') return;
    const { storage } = state.value.opened;
    try {
      const status = await storage.status();
      this.status.set(status);
      if (status.durableSeq < status.committedSeq) {
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.refreshStatus(), PENDING_MS);
      }
    } catch (error) {
      // While reopening, the old storage is gone: the new one is asked next.
      if (
        state.value.kind === 'ready' &&
        state.value.opened.storage === storage
      ) {
        // Everything that was shown goes with the page.
        if (lockedBy(error)) location.reload();
        else state.set({ kind: 'failed', error });
      }
    }
  }

  /** @param {AgentOSStorage} storage */
  async #follow(storage) {
    const changes = storage.watch(TABLES)[Symbol.asyncIterator]();
    this.#changes = changes;
    try {
      for (;;) {
        const { done, value } = await changes.next();
        if (done) break;
        this.changed.set(new Set(value.tables));
        void this.refreshStatus();
      }
    } catch {
      // The host is gone; asking for the status tells the person.
    }
    await this.refreshStatus();
  }
}

/**
 * @param {unknown} error
 * @returns {ConnectionState | null}  Null if it is about something else.
 */
function lockedBy(error) {
  const code = error instanceof AppError ? error.code : null;
  const isWrong = code === 'wrong_passphrase';
  return isWrong || code === 'passphrase_required'
    ? { kind: 'locked', isWrong }
    : null;
}

/**
 * @param {number} reached  Share of the whole boot, 0 to 1.
 * @returns {ConnectionState}
 */
function booting(reached, words = 'Starting') {
  return { kind: 'booting', reached, words };
}

/** @returns {ConnectionState} */
function handedOver() {
  const error = new AppError(
    'host_changed',
    'another tab has taken over the database with another release; reload this tab to go on',
  );
  return { kind: 'failed', error };
}

/**
 * @template T
 * @typedef {{ promise: Promise<T>, resolve: (value: T) => void }} PromiseWithResolvers
 */

/**
 * @returns {PromiseWithResolvers<Opened>}
 */
function deferred() {
  /** @type {(value: Opened) => void} */
  let resolve = () => {};
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { promise: /** @type {Promise<Opened>} */ (promise), resolve };
}
