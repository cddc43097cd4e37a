/**
 * The host's side of every port: which tabs there are, and what they may call.
 *
 * Rule 1: a call is either a method of the host itself or goes to Python, whose
 *         method table decides; nothing else can be called.
 * Rule 2: calls may come before Python is up; they wait. If the start failed,
 *         they fail with its error.
 * Rule 3: a tab is gone when its Web Lock is free, and so is the host. No heartbeat.
 */

import { lockForLife, lockFree } from '../core/life-locks.js';
import { hostLockName, tabLockName } from '../core/names.js';
import { AppError, errorData, hostChanged } from '../core/rpc-messages.js';
import { RpcPeer } from '../core/rpc-peer.js';
import { decode, encode } from '../core/wire-codec.js';

/** @import { Locks } from '../core/life-locks.js' */
/** @import { Payload } from '../core/wire-codec.js' */
/** @import { Serving } from '../core/rpc-peer.js' */

/**
 * @typedef {object} Dispatch  Python, behind its method table.
 * @property {(method: string, payload: Payload, tabId: string,
 *   serving: Serving) => Promise<Payload | null>} call
 * @property {(tabId: string) => void} tabGone
 */

/** @typedef {(argument: any, tabId: string) => Promise<unknown>} HostMethod */

export class RpcServer {
  /** @type {Map<string, RpcPeer>} */
  #tabs = new Map();
  #dispatch;
  #hostMethods;
  #onTab;
  #onTabGone;

  /** The newest progress, for tabs that come later. @type {unknown} */
  #progress = null;
  #isClosed = false;

  /** Held until this worker dies. */
  #lifeLock = hostLockName(crypto.randomUUID());

  /** Resolves when it is held. @type {Promise<void>} */
  #alive;
  #locks;

  /**
   * @param {object} parts
   * @param {Promise<Dispatch>} parts.dispatch
   * @param {Record<string, HostMethod>} parts.hostMethods
   * @param {(tabId: string) => void} parts.onTab
   * @param {(tabId: string) => void} parts.onTabGone
   * @param {Locks} [parts.locks]
   */
  constructor({
    dispatch,
    hostMethods,
    onTab,
    onTabGone,
    locks = navigator.locks,
  }) {
    this.#dispatch = dispatch;
    this.#hostMethods = hostMethods;
    this.#onTab = onTab;
    this.#onTabGone = onTabGone;
    // Who calls is told; a start that fails with no call open is nobody's.
    dispatch.catch(() => {});
    this.#locks = locks;
    this.#alive = lockForLife(locks, this.#lifeLock);
    // Without Web Locks the start fails, and says so.
    this.#alive.catch(() => {});
  }

  get tabCount() {
    return this.#tabs.size;
  }

  /** @param {MessagePort} port  Of a tab that will say hello. */
  connect(port) {
    /** @type {string | null} */
    let tabId = null;
    const peer = new RpcPeer(port, {
      serve: async (method, payload, serving) => {
        if (tabId === null)
          throw new AppError('internal', 'no hello came first');
        return this.#serve(method, payload, tabId, serving);
      },
      onOther: (message) => {
        if (message.kind !== 'hello' || tabId !== null) return;
        if (typeof message.tabId !== 'string') return;
        tabId = message.tabId;
        this.#welcome(tabId, peer);
      },
    });
    port.start();
  }

  /**
   * @param {string} name
   * @param {unknown} payload
   */
  broadcast(name, payload) {
    if (name === 'progress') this.#progress = payload;
    for (const peer of this.#tabs.values()) peer.event(name, payload);
  }

  /**
   * @param {string} tabId
   * @param {string} name
   * @param {unknown} payload
   * @param {ArrayBuffer[]} transfer
   */
  send(tabId, name, payload, transfer) {
    this.#tabs.get(tabId)?.event(name, payload, transfer);
  }

  /**
   * Call what a page serves.
   *
   * @param {string} tabId
   * @param {string} method
   * @param {unknown} argument
   */
  callPage(tabId, method, argument) {
    return this.#tab(tabId).call(method, argument);
  }

  /**
   * Call what a page serves as a stream.
   *
   * @param {string} tabId
   * @param {string} method
   * @param {unknown} argument
   */
  streamFromPage(tabId, method, argument) {
    return this.#tab(tabId).stream(method, argument);
  }

  /** No call is served any more: another host owns the database. */
  close() {
    this.#isClosed = true;
    this.broadcast('host', { state: 'changed' });
    for (const peer of this.#tabs.values()) peer.close(hostChanged());
  }

  /** @param {string} tabId */
  #tab(tabId) {
    const peer = this.#tabs.get(tabId);
    if (!peer) throw new AppError('host_changed', 'the tab has gone');
    return peer;
  }

  /**
   * @param {string} tabId
   * @param {RpcPeer} peer
   */
  #welcome(tabId, peer) {
    this.#tabs.set(tabId, peer);
    this.#onTab(tabId);
    if (this.#isClosed) peer.event('host', { state: 'changed' });
    else if (this.#progress) peer.event('progress', this.#progress);
    void this.#awaitEnd(tabId, peer);
    void this.#promiseLife(peer);
  }

  /** @param {RpcPeer} peer */
  async #promiseLife(peer) {
    await this.#alive;
    peer.event('alive', { lock: this.#lifeLock });
  }

  /**
   * @param {string} tabId
   * @param {RpcPeer} peer
   */
  async #awaitEnd(tabId, peer) {
    await lockFree(this.#locks, tabLockName(tabId));
    this.#tabs.delete(tabId);
    peer.close(new AppError('host_changed', 'the tab has gone'));
    this.#onTabGone(tabId);
    try {
      (await this.#dispatch).tabGone(tabId);
    } catch {
      // The start failed: there is nothing that the tab could have left behind.
    }
  }

  /**
   * @param {string} method
   * @param {Payload} payload
   * @param {string} tabId
   * @param {Serving} serving
   */
  async #serve(method, payload, tabId, serving) {
    if (this.#isClosed) throw hostChanged();
    const own = Object.hasOwn(this.#hostMethods, method)
      ? this.#hostMethods[method]
      : null;
    if (own) return encode(await own(decode(payload), tabId));
    const dispatch = await this.#started();
    if (serving.isCancelled()) return null;
    return dispatch.call(method, payload, tabId, serving);
  }

  async #started() {
    try {
      return await this.#dispatch;
    } catch (error) {
      const { code, message } = errorData(error);
      throw new AppError(code === 'internal' ? 'boot_failed' : code, message, {
        boot: true,
      });
    }
  }
}
