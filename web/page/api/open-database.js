/** One open database over the connection of this page. */

import { AppError } from '../../core/rpc-messages.js';

/** @import { RpcClient } from '../rpc-client.js' */
/** @import * as T from '../../client-types.js' */

export class OpenDatabase {
  /**
   * @param {RpcClient} rpc
   * @param {{storageId: string, kind: string, capabilities: string[],
   *   resolution: T.Resolution}} opened  What the host answered.
   * @param {() => void} stop  Listening to the host's events.
   * @param {boolean} withSchema  It was opened with the six tables.
   */
  constructor(rpc, opened, stop, withSchema) {
    this.rpc = rpc;
    this.opened = opened;
    this.stop = stop;
    this.withSchema = withSchema;
  }

  /**
   * @param {string} method
   * @param {object} argument
   * @param {T.WriteOptions & {onItem?: (item: any) => void}} [options]
   */
  call(method, argument, { idempotencyKey, ...options } = {}) {
    const { storageId } = this.opened;
    const whole = { storageId, idempotencyKey, ...argument };
    return this.rpc.call(method, whole, options);
  }

  /**
   * @param {string} method
   * @param {object} argument
   * @param {T.CallOptions} [options]
   */
  stream(method, argument, { signal } = {}) {
    const { storageId } = this.opened;
    return this.rpc.stream(method, { storageId, ...argument }, { signal });
  }
}

export function closed() {
  return new AppError(
    'storage_closed',
    'the database is not open; call open()',
  );
}
