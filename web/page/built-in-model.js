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
      'provider_offline',
      'this browser has no built-in model; choose another provider',
    );
  }
  const controller = new AbortController();
  serving.onCancel(() => controller.abort());
  const { signal } = controller;
  const session = await model.create({
    initialPrompts: messages.slice(0, -1),
    signal,
  });
  try {
    const question = messages.at(-1)?.content ?? '';
    const reader = session.promptStreaming(question, { signal }).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return null;
      serving.item(encode(value));
    }
  } finally {
    session.destroy();
  }
}
