/**
 * The messages between a tab and the host, and the error that crosses.
 *
 * Rule 1: each call ends in exactly one of reply, error, end.
 * Rule 2: both sides may call. The host's methods are named in its method table;
 *         a page serves only what the platform has in documents alone.
 *
 *   hello   tab → host   the first message: which tab this port belongs to
 *   call    {id, method, payload}         → any items, then reply, end or error
 *   cancel  {id}                          the caller does not want it any more
 *   reply   {id, payload}   item {id, payload}   end {id}
 *   error   {id, error: {code, message, detail}}
 *   event   {name, payload: plain data}   progress, status, tail, host, alive
 */

import { isBlob } from './wire-codec.js';

/** @import { Payload } from './wire-codec.js' */

/**
 * @typedef {object} ErrorData
 * @property {string} code
 * @property {string} message
 * @property {unknown} [detail]
 */

/**
 * @typedef {{kind: 'hello', tabId: string}
 *   | {kind: 'call', id: number, method: string, payload: Payload}
 *   | {kind: 'cancel', id: number}
 *   | {kind: 'reply', id: number, payload: Payload}
 *   | {kind: 'item', id: number, payload: Payload}
 *   | {kind: 'end', id: number}
 *   | {kind: 'error', id: number, error: ErrorData}
 *   | {kind: 'event', name: string, payload: any}} Message
 */

/** Of an argument, in characters; its byte arrays do not count. */
export const LONGEST_ARGUMENT = 64 << 20;

/**
 * Whether something that came through a port is a message at all.
 *
 * @param {any} data
 * @returns {data is Message}
 */
export function isMessage(data) {
  return typeof data === 'object' && typeof data?.kind === 'string';
}

/**
 * @param {unknown} method
 * @param {any} payload
 * @throws {AppError} 'invalid_arguments'
 */
export function checkCall(method, payload) {
  const isPayload =
    typeof payload?.json === 'string' &&
    Array.isArray(payload.blobs) &&
    payload.blobs.every(
      (/** @type {any} */ b) => b instanceof ArrayBuffer || isBlob(b),
    );
  if (typeof method !== 'string' || !isPayload) {
    throw new AppError('invalid_arguments', 'the call is malformed');
  }
  if (payload.json.length > LONGEST_ARGUMENT) {
    throw new AppError(
      'invalid_arguments',
      `the argument is longer than ${LONGEST_ARGUMENT} characters; pass it in ` +
        'several calls, or as bytes',
    );
  }
}

/** A failure with a stable code, on either side of the border. */
export class AppError extends Error {
  /**
   * @param {string} code
   * @param {string} message  Ends with the way out, if there is one.
   * @param {unknown} [detail]
   */
  constructor(code, message, detail = null) {
    super(message);
    this.name = 'AppError';
    this.code = code;
    this.detail = detail;
  }
}

/**
 * @param {unknown} error
 * @returns {ErrorData}
 */
export function errorData(error) {
  const { code, message, detail } = /** @type {AppError} */ (error ?? {});
  return typeof code === 'string'
    ? { code, message, detail: detail ?? null }
    : { code: 'internal', message: message ?? String(error), detail: null };
}

/** @param {ErrorData} data */
export function asError({ code, message, detail }) {
  return new AppError(code, message, detail);
}

export function hostChanged() {
  return new AppError(
    'host_changed',
    'another release has taken over the database; reload this page',
  );
}

export function hostStopped() {
  return new AppError(
    'host_changed',
    'the database worker has stopped; reload this page',
  );
}

/** Named as the platform names it, so that both ways of asking work. */
export function aborted() {
  const error = new AppError('aborted', 'the call was cancelled');
  error.name = 'AbortError';
  return error;
}
