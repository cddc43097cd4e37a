/**
 * The page's end of the border: one connection to the host, however many
 * databases the page opens.
 *
 * Rule 1: a SharedWorker, one for all tabs of this release. Where there is none, or
 *         where the database lies in OPFS, a dedicated Worker; then one tab owns the
 *         database.
 * Rule 2: this tab's life is a Web Lock that the host waits for; the host's is one
 *         that this tab waits for, so that no call waits for a dead one.
 * Rule 3: the tail is written here when the page goes (see tail-writer.js).
 */

import { lockForLife, lockFree } from '../core/life-locks.js';
import { DEFAULT_VOLUME, tabLockName, workerName } from '../core/names.js';
import { AppError, hostChanged, hostStopped } from '../core/rpc-messages.js';
import { RpcPeer } from '../core/rpc-peer.js';
import { encode } from '../core/wire-codec.js';
import { availability, prompt } from './built-in-model.js';
import { TailWriter } from './tail-writer.js';

/** @import { Payload } from '../core/wire-codec.js' */
/** @import { Serving } from '../core/rpc-peer.js' */

/**
 * @typedef {object} HostOptions
 * @property {boolean} [takeOver]  Ask the tab that owns the database to let go.
 * @property {boolean} [dedicated]  A Worker of this page alone, even where
 *   there are SharedWorkers.
 */

/** @typedef {(name: string, payload: any) => void} HostListener */

const HOST = new URL('../worker/host.js', import.meta.url);

/** @type {RpcClient | null} */
let client = null;

/**
 * The connection of this page; made by the first call. If it is shared and a
 * dedicated one is needed, it ends with `host_changed`.
 *
 * @param {HostOptions} [options]
 */
export function connectToHost(options = {}) {
  if (client?.isShared && options.dedicated) client.close();
  if (!client || client.isClosed) client = new RpcClient(options);
  return client;
}

export class RpcClient {
  isClosed = false;

  /** True if all tabs share one host. */
  isShared;

  /** @type {Set<HostListener>} */
  #listeners = new Set();
  #peer;
  #tail;

  /** @param {HostOptions} options */
  constructor({ takeOver = false, dedicated = false }) {
    requireLocks();
    const tabId = crypto.randomUUID();
    this.isShared = 'SharedWorker' in globalThis && !dedicated;
    const name = workerName(DEFAULT_VOLUME, takeOver);
    const fail = (/** @type {Event} */ event) => this.#failed(event);
    const port = startHost(this.isShared ? sharedPort : ownPort, name, fail);
    this.#peer = new RpcPeer(port, {
      serve: (method, payload, serving) => serve(method, payload, serving),
      onOther: (message) => {
        if (message.kind === 'event')
          this.#event(message.name, message.payload);
      },
      // Hello comes before any call.
      isHeld: true,
    });
    port.start();
    this.#tail = new TailWriter(() => {
      this.#peer.call('host.leaving', null).catch(() => {});
    });
    void this.#sayHello(tabId);
  }

  /**
   * @param {string} method
   * @param {unknown} argument
   * @param {{signal?: AbortSignal | undefined, onItem?: (item: any) => void}} [options]
   */
  async call(method, argument, options) {
    try {
      return await this.#peer.call(method, argument, options);
    } catch (error) {
      // A host that failed to start ends itself; the next call begins anew.
      const { detail } = /** @type {AppError} */ (error);
      if (isFailedStart(detail)) this.#close(/** @type {AppError} */ (error));
      throw error;
    }
  }

  /**
   * @param {string} method
   * @param {unknown} argument
   * @param {{signal?: AbortSignal | undefined}} [options]
   */
  stream(method, argument, options) {
    return this.#peer.stream(method, argument, options);
  }

  /**
   * @param {HostListener} listener
   * @returns {() => void} Stop listening.
   */
  listen(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Every open database of it ends. */
  close() {
    if (!this.isClosed) this.#event('host', { state: 'changed' });
  }

  /** @param {string} tabId */
  async #sayHello(tabId) {
    try {
      // The host takes a free lock for a dead tab: it is held first.
      await lockForLife(navigator.locks, tabLockName(tabId));
      this.#peer.release({ kind: 'hello', tabId });
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      this.#close(
        new AppError('store_unavailable', `no Web Lock is given: ${message}`),
      );
    }
  }

  /**
   * @param {string} name
   * @param {any} payload
   */
  #event(name, payload) {
    if (name === 'tail') this.#tail.receive(payload);
    if (name === 'host') this.#close(hostChanged());
    if (name === 'alive') void this.#awaitEnd(payload.lock);
    for (const listener of this.#listeners) listener(name, payload);
  }

  /** @param {string} lock  Free when the host has died. */
  async #awaitEnd(lock) {
    await lockFree(navigator.locks, lock);
    if (!this.isClosed) this.#close(hostStopped());
  }

  /** @param {Event} event */
  #failed(event) {
    const { message } = /** @type {ErrorEvent} */ (event);
    this.#close(
      new AppError(
        'boot_failed',
        `the database worker did not start${message ? `: ${message}` : ''}; ` +
          'reload, or use a current browser',
      ),
    );
  }

  /** @param {AppError} reason */
  #close(reason) {
    this.isClosed = true;
    this.#peer.close(reason);
    this.#tail.close();
  }
}

/** @param {any} detail  Of an error that the host answered with. */
function isFailedStart(detail) {
  return detail?.boot === true;
}

/** @typedef {(name: string, onFailure: (event: Event) => void) => MessagePort} Start */

/**
 * @param {Start} start
 * @param {string} name
 * @param {(event: Event) => void} onFailure
 */
function startHost(start, name, onFailure) {
  try {
    return start(name, onFailure);
  } catch (error) {
    // Where a page may not store anything it may not start a worker either.
    const { message } = /** @type {Error} */ (error);
    throw new AppError(
      'boot_failed',
      `this page may not start a worker: ${message}; allow site data for it`,
    );
  }
}

/**
 * @param {string} name
 * @param {(event: Event) => void} onFailure
 */
function sharedPort(name, onFailure) {
  const worker = new SharedWorker(HOST, { type: 'module', name });
  worker.onerror = onFailure;
  return worker.port;
}

/**
 * @param {string} name
 * @param {(event: Event) => void} onFailure
 */
function ownPort(name, onFailure) {
  const worker = new Worker(HOST, { type: 'module', name });
  worker.onerror = onFailure;
  const { port1, port2 } = new MessageChannel();
  worker.postMessage(null, [port2]);
  return port1;
}

/**
 * What the host may call here: what the platform has in documents alone.
 *
 * @param {string} method
 * @param {Payload} payload
 * @param {Serving} serving
 */
async function serve(method, payload, serving) {
  if (method === 'languageModel.availability')
    return encode(await availability());
  if (method === 'languageModel.prompt') return prompt(payload, serving);
  throw new AppError('unknown_method', `a page has no method ${method}`);
}

function requireLocks() {
  if (!navigator.locks) {
    throw new AppError(
      'store_unavailable',
      'this page has no Web Locks; open it over HTTPS or on localhost',
    );
  }
}
