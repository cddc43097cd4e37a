/** A statement that has been checked, to run many times. */

import { closed } from './open-database.js';

/** @import { IndexedDbAdapter } from './indexed-db-adapter.js' */
/** @import * as T from '../../client-types.js' */

export class PreparedStatement {
  #adapter;
  #sql;
  #isFinal = false;

  /**
   * @param {IndexedDbAdapter} adapter
   * @param {string} sql
   */
  constructor(adapter, sql) {
    this.#adapter = adapter;
    this.#sql = sql;
  }

  /**
   * @param {T.Parameters} [params]
   * @param {T.WriteOptions} [options]
   */
  async run(params, options) {
    this.#check();
    return this.#adapter.run(this.#sql, params, options);
  }

  /**
   * @param {T.Parameters} [params]
   * @param {T.CallOptions} [options]
   */
  async get(params, options) {
    this.#check();
    return this.#adapter.get(this.#sql, params, options);
  }

  /**
   * @param {T.Parameters} [params]
   * @param {T.CallOptions} [options]
   */
  async all(params, options) {
    this.#check();
    return this.#adapter.all(this.#sql, params, options);
  }

  async finalize() {
    this.#isFinal = true;
  }

  #check() {
    if (this.#isFinal) throw closed();
  }
}
