/**
 * The border between JavaScript and Python: one crossing each way per call.
 *
 * Rule 1: no proxy outlives the call for which it was made; whoever creates one
 *         destroys it in the same function.
 * Rule 2: Python sees the JSON text and the byte arrays, and gives back the same.
 */

import { AppError } from '../core/rpc-messages.js';

/** @import { Dispatch, RpcServer } from './rpc-server.js' */
/** @import { Serving } from '../core/rpc-peer.js' */
/** @import { Volume } from './volume.js' */

/** What Python may use of this worker, by the name `bridge`. */
class Bridge {
  #server;

  /** @param {RpcServer} server */
  constructor(server) {
    this.#server = server;
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
  const python = await host.boot(volume, new Bridge(server));
  host.destroy();
  let nextCall = 1;
  return {
    async call(method, { json, blobs }, tabId, serving) {
      const callId = nextCall++;
      const bytes = blobs.map((blob) => new Uint8Array(blob));
      const item = (/** @type {string} */ text, /** @type {any} */ { parts }) =>
        serving.item({ json: text, blobs: buffersOf(parts) });
      const task = python.call(callId, method, json, bytes, tabId, item);
      serving.onCancel(() => python.cancel(callId));
      const { error, text, parts } = await ended(task, serving);
      if (error) {
        throw new AppError(error.code, error.message, JSON.parse(error.detail));
      }
      if (typeof text !== 'string') return null;
      return { json: text, blobs: buffersOf(parts) };
    },
    tabGone: (tabId) => python.tab_gone(tabId),
  };
}

/**
 * @param {any} task  A call that Python has begun.
 * @param {Serving} serving
 */
async function ended(task, serving) {
  try {
    return await task;
  } catch (error) {
    // Cancelled before its first step; nobody waits for the answer.
    if (serving.isCancelled()) return {};
    throw error;
  } finally {
    task.destroy();
  }
}

/** @param {Uint8Array[]} parts */
function buffersOf(parts) {
  return parts.map(({ buffer, byteOffset, byteLength }) =>
    byteLength === buffer.byteLength
      ? /** @type {ArrayBuffer} */ (buffer)
      : /** @type {ArrayBuffer} */ (
          buffer.slice(byteOffset, byteOffset + byteLength)
        ),
  );
}
