/**
 * One end of a port: calls out, serves calls in. Both ends are alike.
 *
 * Rule 1: each call ends in exactly one of reply, error, end of its stream.
 * Rule 2: nothing is thrown where nobody can catch it: what a method throws goes
 *         to its caller, and closing rejects every call that is open.
 * Rule 3: a stream is read one item at a time; what comes early waits in order.
 */

import { ItemStream } from './item-stream.js';
import {
  aborted,
  AppError,
  asError,
  checkCall,
  errorData,
  isMessage,
} from './rpc-messages.js';
import { decode, encode, transferables } from './wire-codec.js';

/** @import { Message } from './rpc-messages.js' */
/** @import { Payload } from './wire-codec.js' */

/**
 * @typedef {object} Port  A MessagePort, as far as we use it.
 * @property {(message: any, transfer: ArrayBuffer[]) => void} postMessage
 * @property {any} onmessage  Set to a listener of {data}.
 * @property {() => void} close
 */

/**
 * @typedef {object} Signal  An AbortSignal, as far as we use it.
 * @property {boolean} aborted
 * @property {(type: 'abort', listener: () => void, options?: any) => void}
 *   addEventListener
 * @property {(type: 'abort', listener: () => void) => void} removeEventListener
 */

/**
 * @typedef {object} Serving  What a call that came in may use.
 * @property {(payload: Payload) => void} item  One item of a stream.
 * @property {() => boolean} isCancelled
 * @property {(listener: () => void) => void} onCancel
 */

/**
 * @typedef {(method: string, payload: Payload, serving: Serving) =>
 *   Promise<Payload | null>} Serve  Null ends a stream.
 */

/**
 * @typedef {object} PendingCall
 * @property {(result: any) => void} reply
 * @property {(item: any) => void} item
 * @property {() => void} end
 * @property {(error: AppError) => void} fail
 */

export class RpcPeer {
  #port;
  #serve;
  #onOther;

  /** What waits for `release`. @type {[Message, ArrayBuffer[]][] | null} */
  #held;
  #nextId = 1;

  /** @type {Map<number, PendingCall>} */
  #calls = new Map();

  /** Calls that came in: how to cancel them. @type {Map<number, (() => void)[]>} */
  #serving = new Map();

  /** @type {AppError | null} */
  #closedBy = null;

  /**
   * @param {Port} port
   * @param {object} parts
   * @param {Serve} parts.serve
   * @param {(message: Message) => void} parts.onOther  Messages that are no part
   *   of a call.
   * @param {boolean} [parts.isHeld]  Messages wait for `release`.
   */
  constructor(port, { serve, onOther, isHeld = false }) {
    this.#port = port;
    this.#serve = serve;
    this.#onOther = onOther;
    this.#held = isHeld ? [] : null;
    port.onmessage = (/** @type {{data: any}} */ { data }) =>
      this.#receive(data);
  }

  /**
   * @param {string} method
   * @param {unknown} argument
   * @param {{signal?: Signal | undefined, onItem?: (item: any) => void}} [options]
   *   `onItem` gets what is told before the reply: how far it is.
   * @returns {Promise<any>}
   * @throws {AppError}
   */
  call(method, argument, { signal, onItem = () => {} } = {}) {
    return new Promise((resolve, reject) => {
      this.#begin(method, argument, signal, {
        reply: resolve,
        item: onItem,
        end: () => resolve(null),
        fail: reject,
      });
    });
  }

  /**
   * @param {string} method
   * @param {unknown} argument
   * @param {{signal?: Signal | undefined}} [options]
   * @returns {ItemStream} Leaving the loop cancels it.
   */
  stream(method, argument, { signal } = {}) {
    return new ItemStream((pending) =>
      this.#begin(method, argument, signal, pending),
    );
  }

  /**
   * @param {string} name
   * @param {unknown} payload  Plain data; cloned, not encoded.
   * @param {ArrayBuffer[]} [transfer]
   */
  event(name, payload, transfer = []) {
    this.post({ kind: 'event', name, payload }, transfer);
  }

  /**
   * @param {Message} message
   * @param {ArrayBuffer[]} [transfer]
   */
  post(message, transfer = []) {
    if (this.#held) this.#held.push([message, transfer]);
    else this.#port.postMessage(message, transfer);
  }

  /** @param {Message} first  Comes before everything that has waited. */
  release(first) {
    const waiting = this.#held ?? [];
    this.#held = null;
    this.post(first);
    for (const [message, transfer] of waiting) this.post(message, transfer);
  }

  /** @param {AppError} reason  What every open and later call fails with. */
  close(reason) {
    if (this.#closedBy) return;
    this.#closedBy = reason;
    for (const { fail } of [...this.#calls.values()]) fail(reason);
    this.#calls.clear();
    for (const id of [...this.#serving.keys()]) this.#cancelServing(id);
  }

  /**
   * @param {string} method
   * @param {unknown} argument
   * @param {Signal | undefined} signal
   * @param {PendingCall} pending
   * @returns {() => void} Cancels the call, if it has not ended.
   */
  #begin(method, argument, signal, pending) {
    const id = this.#nextId++;
    const forget = () => {
      signal?.removeEventListener('abort', abort);
      return this.#calls.delete(id);
    };
    const cancel = () => {
      if (forget()) this.post({ kind: 'cancel', id });
    };
    const abort = () => {
      cancel();
      pending.fail(aborted());
    };
    if (this.#closedBy || signal?.aborted) {
      pending.fail(this.#closedBy ?? aborted());
      return () => {};
    }
    try {
      const payload = encode(argument);
      const transfer = transferables(payload.blobs);
      this.post({ kind: 'call', id, method, payload }, transfer);
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      pending.fail(new AppError('invalid_arguments', message));
      return () => {};
    }
    signal?.addEventListener('abort', abort, { once: true });
    this.#calls.set(id, {
      item: pending.item,
      reply: (result) => void (forget(), pending.reply(result)),
      end: () => void (forget(), pending.end()),
      fail: (error) => void (forget(), pending.fail(error)),
    });
    return cancel;
  }

  /** @param {unknown} message  Whatever somebody posted. */
  #receive(message) {
    if (!isMessage(message)) return;
    switch (message.kind) {
      case 'call':
        void this.#answer(message.id, message.method, message.payload);
        break;
      case 'cancel':
        this.#cancelServing(message.id);
        break;
      case 'reply':
      case 'item':
        this.#deliver(message.id, message.kind, message.payload);
        break;
      case 'end':
        this.#calls.get(message.id)?.end();
        break;
      case 'error':
        this.#calls.get(message.id)?.fail(asError(message.error));
        break;
      default:
        this.#onOther(message);
    }
  }

  /**
   * @param {number} id
   * @param {'reply' | 'item'} kind
   * @param {Payload} payload
   */
  #deliver(id, kind, payload) {
    const call = this.#calls.get(id);
    if (!call) return;
    let value;
    try {
      value = decode(payload);
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      call.fail(new AppError('internal', message));
      return;
    }
    call[kind](value);
  }

  /**
   * @param {number} id
   * @param {string} method
   * @param {Payload} payload
   */
  async #answer(id, method, payload) {
    /** @type {(() => void)[]} */
    const listeners = [];
    this.#serving.set(id, listeners);
    const isCancelled = () => !this.#serving.has(id);
    try {
      checkCall(method, payload);
      const result = await this.#serve(method, payload, {
        isCancelled,
        item: (item) => {
          if (!isCancelled())
            this.post(
              { kind: 'item', id, payload: item },
              transferables(item.blobs),
            );
        },
        onCancel: (listener) => {
          if (isCancelled()) listener();
          else listeners.push(listener);
        },
      });
      if (isCancelled()) return;
      if (result)
        this.post(
          { kind: 'reply', id, payload: result },
          transferables(result.blobs),
        );
      else this.post({ kind: 'end', id });
    } catch (error) {
      if (!isCancelled())
        this.post({ kind: 'error', id, error: errorData(error) });
    } finally {
      this.#serving.delete(id);
    }
  }

  /** @param {number} id */
  #cancelServing(id) {
    const listeners = this.#serving.get(id) ?? [];
    this.#serving.delete(id);
    for (const listener of listeners) listener();
  }
}
