/** A peer's worker: what needs OPFS runs in one, and the others are given the same. */

import { peerMethods } from './peer-methods.js';
import { answerFromWorker } from './worker-side.js';

let methods = {
  async load(peer) {
    methods = await peerMethods(peer);
    return null;
  },
};

answerFromWorker((method, args) => methods[method](args));
