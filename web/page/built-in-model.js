/**
 * The browser's built-in language model, served to the host: `LanguageModel`
 * exists in documents only.
 *
 * Source: https://github.com/webmachinelearning/prompt-api
 */

import { decode, encode } from '../core/wire-codec.js';
import { AppError } from '../core/rpc-messages.js';

/** @import { Payload } from '../core/wire-codec.js' */
/** @import { Serving } from '../core/rpc-peer.js' */

/**
 * @typedef {object} LanguageModelSession
 * @property {(text: string, options: {signal: AbortSignal}) =>
 *   ReadableStream<string>} promptStreaming
 * @property {() => void} destroy
 */

/**
 * @typedef {object} LanguageModelApi
 * @property {() => Promise<string>} availability
 * @property {(options: object) => Promise<LanguageModelSession>} create
 */

/** @returns {LanguageModelApi | null} */
function api() {
  return /** @type {any} */ (globalThis).LanguageModel ?? null;
}

/** @returns {Promise<string>} 'unavailable', 'downloadable', 'downloading', 'available'. */
export async function availability() {
  return (await api()?.availability()) ?? 'unavailable';
}

/**
 * Answer the last message; each item is a piece of text.
 *
 * @param {Payload} payload  {messages: {role, content}[]}
 * @param {Serving} serving
 */
export async function prompt(payload, serving) {
  const { messages } = decode(payload);
  const model = api();
  if (!model) {
    throw new AppError(
      'provider',
      'this browser has no built-in model; choose another provider',
      { retryable: false },
    );
  }
  const controller = new AbortController();
  serving.onCancel(() => controller.abort());
  try {
    for await (const piece of answer(model, messages, controller.signal))
      serving.item(encode(piece));
  } catch (error) {
    // A DOMException has no code of ours, and the person can only try again.
    const { message } = /** @type {Error} */ (error);
    throw new AppError('provider', `the browser's model failed: ${message}`, {
      retryable: true,
    });
  }
  return null;
}

/**
 * @param {LanguageModelApi} model
 * @param {{role: string, content: string}[]} messages
 * @param {AbortSignal} signal
 */
async function* answer(model, messages, signal) {
  const initialPrompts = messages.slice(0, -1);
  const session = await model.create({ initialPrompts, signal });
  try {
    const question = messages.at(-1)?.content ?? '';
    const reader = session.promptStreaming(question, { signal }).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    session.destroy();
  }
}
