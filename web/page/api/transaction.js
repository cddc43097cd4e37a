/** The database inside one `transaction`; nests by savepoints. */

/** @import { OpenDatabase } from './open-database.js' */
/** @import * as T from '../../client-types.js' */

export class Transaction {
  #session;
  #id;
  #options;
  #depth = 0;

  /**
   * @param {OpenDatabase} session
   * @param {string} id
   * @param {T.CallOptions} [options]  Of every call inside.
   */
  constructor(session, id, options) {
    this.#session = session;
    this.#id = id;
    this.#options = options;
  }

  /**
   * @param {string} sql
   * @param {T.Parameters} [params]
   * @returns {Promise<T.RunResult>}
   */
  run(sql, params) {
    return this.#call('db.run', { sql, params });
  }

  /**
   * @param {string} sql
   * @param {T.Parameters} [params]
   * @returns {Promise<T.Row | null>}
   */
  get(sql, params) {
    return this.#call('db.get', { sql, params });
  }

  /**
   * @param {string} sql
   * @param {T.Parameters} [params]
   * @returns {Promise<T.Row[]>}
   */
  all(sql, params) {
    return this.#call('db.all', { sql, params });
  }

  /** @param {string} script */
  exec(script) {
    return this.#call('db.exec', { script });
  }

  /**
   * @param {T.BatchOperation[]} operations
   * @returns {Promise<T.BatchResult>}
   */
  batch(operations) {
    return this.#call('db.batch', { operations });
  }

  /**
   * A savepoint: undone alone if *work* throws.
   *
   * @template R
   * @param {(transaction: Transaction) => Promise<R>} work
   * @returns {Promise<R>}
   */
  async transaction(work) {
    const name = `client_${this.#depth++}`;
    await this.run(`SAVEPOINT ${name}`);
    try {
      const result = await work(this);
      await this.run(`RELEASE ${name}`);
      return result;
    } catch (error) {
      await this.run(`ROLLBACK TO ${name}`);
      await this.run(`RELEASE ${name}`);
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /**
   * @param {string} method
   * @param {object} argument
   */
  #call(method, argument) {
    const whole = { ...argument, transactionId: this.#id };
    return this.#session.call(method, whole, this.#options);
  }
}
