/**
 * The medium under a fake IndexedDB: what a browser tells, and what would be
 * left of it if the power went now.
 *
 * Rule 1: a strict commit, and all before it, survives a power loss. Of the
 *         relaxed commits after it a prefix survives, of any length.
 * Rule 2: the last commit that survives may be torn: one of its byte arrays is
 *         cut off or has a wrong bit. (Chromium keeps large values in files of
 *         their own, which are not covered by the checksums of its log.)
 * Rule 3: values are never changed in place.
 */

import { compareKeys } from './keys.js';

/** @import { Key, FakeKeyRange } from './keys.js' */

/**
 * @typedef {{database: string, kind: 'version', version: number} |
 *   {database: string, kind: 'create', store: string, autoIncrement: boolean} |
 *   {database: string, kind: 'put', store: string, key: Key, value: unknown} |
 *   {database: string, kind: 'delete', store: string, key: Key}} Change
 */

export class StoredStore {
  /** In the order of the keys. @type {[Key, unknown][]} */
  rows = [];
  nextKey = 1;

  /** @param {boolean} autoIncrement */
  constructor(autoIncrement) {
    this.autoIncrement = autoIncrement;
  }

  /** @param {Key} key */
  get(key) {
    const row = this.rows[this.#indexOf(key)];
    return row && compareKeys(row[0], key) === 0 ? row[1] : undefined;
  }

  /**
   * @param {Key} key
   * @param {unknown} value
   */
  put(key, value) {
    const index = this.#indexOf(key);
    const row = this.rows[index];
    const present = row && compareKeys(row[0], key) === 0;
    this.rows.splice(index, present ? 1 : 0, [key, value]);
    if (typeof key === 'number' && key >= this.nextKey) this.nextKey = key + 1;
  }

  /** @param {Key} key */
  delete(key) {
    const index = this.#indexOf(key);
    const row = this.rows[index];
    if (row && compareKeys(row[0], key) === 0) this.rows.splice(index, 1);
  }

  /** @param {FakeKeyRange} range */
  within(range) {
    return this.rows.filter(([key]) => range.includes(key));
  }

  /** Of the first row that does not come before it. @param {Key} key */
  #indexOf(key) {
    let [low, high] = [0, this.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const [found] = /** @type {[Key, unknown]} */ (this.rows[middle]);
      if (compareKeys(found, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** @typedef {{version: number, stores: Map<string, StoredStore>}} StoredDatabase */

export class Disk {
  /** What a browser tells, by name. @type {Map<string, StoredDatabase>} */
  live = new Map();

  /** What survives for sure. @type {Map<string, StoredDatabase>} */
  #safe = new Map();

  /** Relaxed commits behind it. @type {Change[][]} */
  #relaxed = [];

  /** In bytes: of what is live. */
  get usage() {
    let sum = 0;
    for (const { stores } of this.live.values()) {
      for (const { rows } of stores.values()) {
        for (const [, value] of rows) sum += sizeOf(value);
      }
    }
    return sum;
  }

  /**
   * A transaction has been committed; its changes are in `live` already.
   *
   * @param {Change[]} changes
   * @param {boolean} strict
   */
  commit(changes, strict) {
    if (changes.length > 0) this.#relaxed.push(changes);
    if (!strict) return;
    for (const change of this.#relaxed.flat()) apply(this.#safe, change);
    this.#relaxed = [];
  }

  /**
   * The power goes, and comes again.
   *
   * @param {(below: number) => number} random
   * @param {boolean} [tear]
   */
  losePower(random, tear = false) {
    const kept = this.#relaxed.slice(0, random(this.#relaxed.length + 1));
    const last = kept.at(-1);
    if (tear && last) kept[kept.length - 1] = torn(last, random);
    for (const change of kept.flat()) apply(this.#safe, change);
    this.#relaxed = [];
    this.live.clear();
    for (const [name, { version, stores }] of this.#safe) {
      this.live.set(name, { version, stores: copyOf(stores) });
    }
  }

  /** The person clears the data of the site. */
  wipe() {
    this.live.clear();
    this.#safe.clear();
    this.#relaxed = [];
  }

  /**
   * Change what is stored behind everybody's back.
   *
   * @param {string} database
   * @param {string} store
   * @param {Key} key
   * @param {Uint8Array | undefined} value  Undefined: it is gone.
   */
  tamper(database, store, key, value) {
    const change = /** @type {Change} */ (
      value
        ? { database, kind: 'put', store, key, value }
        : { database, kind: 'delete', store, key }
    );
    apply(this.live, change);
    this.commit([change], true);
  }

  /** Another disk with the same on it, all of it safe. */
  copy() {
    const copy = new Disk();
    for (const [name, { version, stores }] of this.live) {
      copy.live.set(name, { version, stores: copyOf(stores) });
      copy.#safe.set(name, { version, stores: copyOf(stores) });
    }
    return copy;
  }

  /**
   * @param {string} database
   * @param {string} store
   */
  rows(database, store) {
    return this.live.get(database)?.stores.get(store)?.rows ?? [];
  }
}

/**
 * @param {Map<string, StoredDatabase>} databases
 * @param {Change} change
 */
export function apply(databases, change) {
  const database = databases.get(change.database);
  if (change.kind === 'version') {
    if (database) database.version = change.version;
    else
      databases.set(change.database, {
        version: change.version,
        stores: new Map(),
      });
    return;
  }
  if (change.kind === 'create') {
    database?.stores.set(change.store, new StoredStore(change.autoIncrement));
    return;
  }
  const store = database?.stores.get(change.store);
  if (change.kind === 'put') store?.put(change.key, change.value);
  else store?.delete(change.key);
}

/** @param {unknown} value  In bytes, as the quota counts. */
export function sizeOf(value) {
  return value instanceof Uint8Array ? value.length : 64;
}

/** @param {Map<string, StoredStore>} stores */
function copyOf(stores) {
  const copies = new Map();
  for (const [name, store] of stores) {
    const copy = new StoredStore(store.autoIncrement);
    copy.rows = [...store.rows];
    copy.nextKey = store.nextKey;
    copies.set(name, copy);
  }
  return copies;
}

/**
 * @param {Change[]} changes
 * @param {(below: number) => number} random
 */
function torn(changes, random) {
  const change = changes[changes.length - 1];
  if (change?.kind !== 'put' || !(change.value instanceof Uint8Array)) {
    return changes;
  }
  const whole = change.value;
  let value = whole.slice(0, random(whole.length));
  if (random(2) === 0 && whole.length > 0) {
    value = whole.slice();
    const at = random(whole.length);
    value[at] = /** @type {number} */ (value[at]) ^ (1 << random(8));
  }
  return [...changes.slice(0, -1), { ...change, value }];
}
