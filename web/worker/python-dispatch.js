/**
 * The border between JavaScript and Python: one crossing each way per call.
 *
 * Rule 1: no proxy outlives the call for which it was made; whoever creates one
 *         destroys it in the same function.
 * Rule 2: Python sees the JSON text and the byte arrays, and gives back the same.
 */

import { AppError } from '../core/rpc-messages.js';
import { isBlob } from '../core/wire-codec.js';

/** @import { Dispatch, RpcServer } from './rpc-server.js' */
/** @import { Volume } from './volume.js' */

/** Flushes in a row with nothing to do, after which others get their turn. */
const IDLE_FLUSHES = 100;

/** What Python may use of this worker, by the name `bridge`. */
export class Bridge {
  #server;
  #volume;

  /** As the last flush left it. */
  #durableSeq = -1;
  #idleFlushes = 0;

  /**
   * Python's own, told of the end of each flush.
   *
   * @type {(number: number, durableSeq: number, error?: unknown) => void}
   */
  onFlushed = () => {};

  /**
   * @param {RpcServer} server
   * @param {Volume} volume
   */
  constructor(server, volume) {
    this.#server = server;
    this.#volume = volume;
  }

  /**
   * No promise crosses: Python would come back to it two turns later.
   *
   * @param {number} number  Names the flush for `onFlushed`.
   * @param {boolean} strict
   */
  flush(number, strict) {
    this.#volume.flush(strict).then(
      (durableSeq) => this.#flushed(number, durableSeq),
      (error) => this.onFlushed(number, 0, error),
    );
  }

  /**
   * Who flushes on end what is durable would never let go of this turn.
   *
   * @param {number} number
   * @param {number} durableSeq
   */
  #flushed(number, durableSeq) {
    const isIdle = durableSeq === this.#durableSeq;
    this.#durableSeq = durableSeq;
    this.#idleFlushes = isIdle ? this.#idleFlushes + 1 : 0;
    if (this.#idleFlushes < IDLE_FLUSHES) {
      this.onFlushed(number, durableSeq);
      return;
    }
    this.#idleFlushes = 0;
    setTimeout(() => this.onFlushed(number, durableSeq));
  }

  get tabCount() {
    return this.#server.tabCount;
  }

  /**
   * @param {string} tabId
   * @param {string} method
   * @param {string} json  The argument.
   */
  callPage(tabId, method, json) {
    return this.#server.callPage(tabId, method, JSON.parse(json));
  }

  /**
   * Call a page that answers with a stream.
   *
   * @param {string} tabId
   * @param {string} method
   * @param {string} json  The argument.
   */
  streamFromPage(tabId, method, json) {
    return this.#server.streamFromPage(tabId, method, JSON.parse(json));
  }
}

/**
 * @param {any} pyodide
 * @param {Volume} volume
 * @param {RpcServer} server
 * @returns {Promise<Dispatch>}
 */
export async function createPythonDispatch(pyodide, volume, server) {
  const host = pyodide.pyimport('pyodide_app.browser.host');
  const python = await host.boot(volume, new Bridge(server, volume));
  host.destroy();
  let nextCall = 1;
  return {
    async call(method, { json, blobs }, tabId, serving) {
      const callId = nextCall++;
      const bytes = blobs.map((blob) =>
        isBlob(blob) ? blob : new Uint8Array(blob),
      );
      const item = (/** @type {string} */ text, /** @type {any} */ { parts }) =>
        serving.item({ json: text, blobs: buffersOf(parts) });
      const { error, text, parts } = await new Promise((answer) => {
        python.serve(callId, method, json, bytes, tabId, item, answer);
        serving.onCancel(() => {
          python.cancel(callId);
          // Nobody waits for what it may still say.
          answer({});
        });
      });
      if (error) {
        throw new AppError(error.code, error.message, JSON.parse(error.detail));
      }
      if (typeof text !== 'string') return null;
      return { json: text, blobs: buffersOf(parts) };
    },
    tabGone: (tabId) => python.tab_gone(tabId),
  };
}

/** @param {(Uint8Array | Blob)[]} parts */
function buffersOf(parts) {
  return parts.map((part) => (isBlob(part) ? part : bufferOf(part)));
}

/** @param {Uint8Array} part */
function bufferOf({ buffer, byteOffset, byteLength }) {
  const isWhole = byteLength === buffer.byteLength;
  return /** @type {ArrayBuffer} */ (
    isWhole ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)
  );
}
