/**
 * The fault laboratory: generated histories of the whole page store over a fake
 * IndexedDB, on every core, for as long or as many as asked.
 *
 *   node simulate.js --histories 100000
 *   node simulate.js --minutes 60 --seed 7
 *   node simulate.js --histories 1 --seed 123     one alone, with its story
 *
 * What goes wrong in them (power cuts at every step of the browser, torn tails,
 * failing requests and commits, quota, wipes, dead connections, frozen hosts that
 * wake up, take-overs) and what must hold is in ../js/fakes/volume-history.js.
 * The seed alone decides the history. Each thread stops at its first failure. Ends
 * with one line of JSON; the exit status is 1 if a history failed.
 */

import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import {
  isMainThread,
  parentPort,
  Worker,
  workerData,
} from 'node:worker_threads';

import { KINDS, VolumeHistory } from '../js/fakes/volume-history.js';

/**
 * @typedef {object} Share  What one thread has to do.
 * @property {number} seed  The first one.
 * @property {number} step  To the next one.
 * @property {number} histories
 * @property {number} endsAt  Unix milliseconds.
 */

/**
 * @typedef {object} Outcome
 * @property {Record<string, number>} kinds  Histories by kind.
 * @property {{seed: number, kind: string, story: string}[]} failures
 */

/**
 * @param {Share} share
 * @returns {Promise<Outcome>}
 */
async function simulate({ seed: first, step, histories, endsAt }) {
  /** @type {Outcome} */
  const outcome = { kinds: {}, failures: [] };
  for (let n = 0; n < histories && Date.now() < endsAt; n++) {
    const seed = first + n * step;
    const [kind, options] =
      KINDS[seed % KINDS.length] ?? /** @type {never} */ (null);
    const story = await failureOf(seed, options);
    outcome.kinds[kind] = (outcome.kinds[kind] ?? 0) + 1;
    if (story === null) continue;
    outcome.failures.push({ seed, kind, story });
    break;
  }
  return outcome;
}

/**
 * @param {number} seed
 * @param {import('../js/fakes/volume-history.js').Options} options
 * @returns {Promise<string | null>} What happened, if the promise was broken.
 */
async function failureOf(seed, options) {
  const history = new VolumeHistory(seed, options);
  try {
    await history.run();
    if (history.failure) throw history.failure;
    return null;
  } catch (error) {
    const { stack } = /** @type {Error} */ (error);
    return [...history.log.slice(-60), stack].join('\n  ');
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      histories: { type: 'string' },
      minutes: { type: 'string' },
      seed: { type: 'string', default: '1' },
    },
  });
  const began = Date.now();
  const minutes = Number(values.minutes ?? Infinity);
  const asked = Number(
    values.histories ?? (values.minutes ? Infinity : 10_000),
  );
  const seed = Number(values.seed);
  const threads = Math.min(availableParallelism(), asked);
  const shares = Array.from({ length: threads }, (_, i) => ({
    seed: seed + i,
    step: threads,
    histories: Math.ceil((asked - i) / threads),
    endsAt: began + minutes * 60_000,
  }));
  const outcomes = await Promise.all(shares.map(inThread));
  /** @type {Record<string, number>} */
  const kinds = {};
  for (const [kind, count] of outcomes.flatMap((o) =>
    Object.entries(o.kinds),
  )) {
    kinds[kind] = (kinds[kind] ?? 0) + count;
  }
  const failures = outcomes.flatMap((o) => o.failures);
  for (const { seed, kind, story } of failures) {
    console.error(`seed ${seed} (${kind})\n  ${story}`);
    console.error(`  again: node simulate.js --histories 1 --seed ${seed}\n`);
  }
  const histories = Object.values(kinds).reduce((sum, n) => sum + n, 0);
  const seconds = Math.round((Date.now() - began) / 1000);
  const summary = { histories, failed: failures.length, seconds, seed, kinds };
  process.stdout.write(`${JSON.stringify(summary)}\n`);
  process.exitCode = failures.length > 0 ? 1 : 0;
}

/**
 * @param {Share} share
 * @returns {Promise<Outcome>}
 */
function inThread(share) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: share });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`a thread ended: ${code}`)));
  });
}

if (isMainThread) await main();
else parentPort?.postMessage(await simulate(workerData));
