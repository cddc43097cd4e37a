/** The agent runtime on a storage. */

import { AppError } from '../../core/rpc-messages.js';
import { closed } from './open-database.js';

/** @import { AgentOSStorage } from './agentos-storage.js' */
/** @import { IndexedDbAdapter } from './indexed-db-adapter.js' */
/** @import * as T from '../../client-types.js' */

export class AgentOS {
  /** @type {IndexedDbAdapter | null} */
  #db = null;

  /** @type {T.Provider | undefined} */
  #provider;

  /**
   * @param {object} parts
   * @param {AgentOSStorage} [parts.storage]
   * @param {IndexedDbAdapter} [parts.storageAdapter]  Opened if it is not, and
   *   given the six tables.
   * @param {T.Provider[]} [parts.providers]  The first is the default.
   */
  async initialize({ storage, storageAdapter, providers = [] }) {
    await storageAdapter?.open({ withSchema: true });
    this.#db = storage?.getAdapter() ?? storageAdapter ?? null;
    [this.#provider] = providers;
    await this.listPersonas();
  }

  /**
   * @param {T.UserMessage} message
   * @returns {Promise<T.Chunk>} The final response.
   * @throws {AppError} What the provider failed with.
   */
  async handleUserMessage(message) {
    /** @type {T.Chunk | null} */
    let last = null;
    for await (const chunk of this.streamUserMessage(message)) last = chunk;
    if (last?.type === 'final_response') return last;
    const { code, message: text } = /** @type {any} */ (last ?? {});
    throw new AppError(code ?? 'internal', text ?? 'there was no answer', last);
  }

  /**
   * @param {T.UserMessage} message
   * @returns {T.Stream<T.Chunk>} Leaving the loop stops the answer;
   *   what was said is kept.
   */
  streamUserMessage({ signal, provider = this.#provider, ...message }) {
    const argument = { ...message, provider };
    return this.#session.stream('agentos.stream', argument, { signal });
  }

  /**
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.Persona[]>}
   */
  listPersonas(options) {
    return this.#session.call('agentos.personas', {}, options);
  }

  /**
   * Reach the provider without asking it anything.
   *
   * @param {T.Provider} provider
   * @param {T.CallOptions} [options]
   * @returns {Promise<{models: string[]}>}
   */
  checkProvider(provider, options) {
    return this.#session.call('agentos.checkProvider', { provider }, options);
  }

  get #session() {
    if (!this.#db) throw closed();
    return this.#db.session;
  }
}
