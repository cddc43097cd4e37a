/**
 * A machine with a browser on it: hosts that own the volume, and a page that
 * holds the tail. What is stored outlives them.
 */

import { deflateRawSync, inflateRawSync } from 'node:zlib';

import { databaseName } from '../../../web/core/names.js';
import { ImageFiles } from '../../../web/worker/image-files.js';
import { LazyImages } from '../../../web/worker/lazy-images.js';
import { PageStore } from '../../../web/worker/page-store.js';
import { Volume } from '../../../web/worker/volume.js';
import { fakeOpfs } from './opfs.js';
import { World } from './world.js';

/** @import { SealedRecord } from '../../../web/worker/flusher.js' */
/** @import { LogKey } from '../../../web/core/log-recovery.js' */
/** @import { Process } from './world.js' */

export const DATABASE = databaseName('main');

/** Small, so that short histories meet large records and checkpoints. */
const LIMITS = {
  largestRecord: 40 << 10,
  smallestLog: 60 << 10,
  reserve: 16 << 10,
};

/** Small likewise: most pages have to be read, and some are spilled. */
const IMAGE_LIMITS = { cache: 128 << 10, spillAt: 5 };

/** At once, so that the world decides when things happen. */
const PACKING = {
  pack: async (/** @type {Uint8Array} */ bytes) =>
    new Uint8Array(deflateRawSync(bytes, { level: 1 })),
  unpack: async (/** @type {Uint8Array} */ bytes) =>
    new Uint8Array(inflateRawSync(bytes)),
};

export class Machine {
  /**
   * @param {number} seed
   * @param {{hasOpfs?: boolean}} [options]  Hosts are dedicated workers of a browser
   *   that has one.
   */
  constructor(seed, { hasOpfs = false } = {}) {
    this.hasOpfs = hasOpfs;
    this.world = new World(seed);
    this.random = this.world.random;
    this.hosts = 0;
  }

  get disk() {
    return this.world.disk;
  }

  /** A new host opens the volume. */
  async open() {
    const host = new Host(this);
    try {
      await this.world.until(host.start());
      return host;
    } catch (error) {
      host.kill();
      throw error;
    }
  }

  /** @param {string} store  How many rows it has. */
  count(store) {
    return this.disk.rows(DATABASE, store).length;
  }
}

export class Host {
  /** The tail, as the page holds it. @type {Map<string, SealedRecord>} */
  tail = new Map();

  /** @type {PageStore | null} */
  #pageStore = null;

  /** @param {Machine} machine */
  constructor(machine) {
    this.machine = machine;
    const { world } = machine;
    const number = ++machine.hosts;
    /** @type {Process} */
    this.worker = world.process(`worker ${number}`);
    /** @type {Process} */
    this.page = world.process(`page ${number}`);
    this.store = new PageStore(DATABASE, this.worker);
  }

  async start() {
    this.volume = await Volume.open('main', {
      store: this.store,
      clock: this.worker.clock,
      limits: LIMITS,
      packing: PACKING,
      images: this.#images(),
      events: {
        sealed: (record) => this.tail.set(record.key.join('.'), record),
        settled: (/** @type {LogKey} */ key) => this.tail.delete(key.join('.')),
        changed: () => {},
      },
    });
  }

  #images() {
    const { world, hasOpfs } = this.machine;
    const platform = hasOpfs ? fakeOpfs(world, this.worker) : {};
    return new LazyImages(new ImageFiles('main', platform), IMAGE_LIMITS);
  }

  /** @returns {Volume} */
  get opened() {
    if (!this.volume) throw new Error('the host has not started');
    return this.volume;
  }

  /** The page is leaving: it writes what the host has not confirmed. */
  writeTail() {
    this.#pageStore ??= new PageStore(DATABASE, this.page);
    for (const { key, bytes } of this.tail.values()) {
      // As in the page: the host reports what goes wrong.
      this.#pageStore.addRecord(key, bytes.slice()).catch(() => {});
    }
  }

  kill() {
    this.worker.kill();
    this.page.kill();
  }
}

/**
 * Every file of a volume as it is in memory.
 *
 * @param {Pick<Volume, 'folder'>} volume
 * @returns {Map<string, Uint8Array>}
 */
export function contentOf({ folder }) {
  return new Map(
    folder.files.map(([path, file]) => {
      const bytes = new Uint8Array(file.size);
      file.read(bytes, 0);
      return [path, bytes];
    }),
  );
}

/**
 * @param {Map<string, Uint8Array>} a
 * @param {Map<string, Uint8Array>} b
 */
export function sameContent(a, b) {
  if (a.size !== b.size) return false;
  for (const [path, bytes] of a) {
    const other = b.get(path);
    if (!other || Buffer.compare(bytes, other) !== 0) return false;
  }
  return true;
}

/**
 * Write a file under /scratch, as SQLite does.
 *
 * @param {Volume} volume
 * @param {string} name
 * @param {Uint8Array} bytes
 */
export function stage({ scratchFolder }, name, bytes) {
  const file = scratchFolder.find(name) ?? scratchFolder.create(name);
  file.resize(0);
  file.write(bytes, 0);
}
