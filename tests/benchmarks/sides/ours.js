/** Our side, seen from its page: every call goes to the worker that runs Python. */

import { workerSide } from './worker-side.js';

export const createSide = async () => workerSide('/bench/sides/ours-worker.js');
