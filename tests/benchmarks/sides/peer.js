/** A peer, seen from its page: it runs there, or in a dedicated worker. */

import { workerSide } from './worker-side.js';

/**
 * @param {{ name: string, bundle: string, inPage: boolean, options: object }} peer
 *   `name` is for its databases, `options` are for `open` of its engine.
 */
export async function createSide(peer) {
  if (peer.inPage) {
    const { peerMethods } = await import('./peer-methods.js');
    const methods = await peerMethods(peer);
    return (method, args) => methods[method](args);
  }
  const side = workerSide('/bench/sides/peer-worker.js');
  await side('load', peer);
  return side;
}
