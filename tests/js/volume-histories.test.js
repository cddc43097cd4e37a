/**
 * Generated histories of the whole page store over a fake IndexedDB.
 *
 * `HISTORIES=20000 node --test volume-histories.test.js` runs more of them,
 * `SEED=123` one alone, with what happened in it.
 */

import { test } from 'node:test';

import { VolumeHistory } from './fakes/volume-history.js';

/** @import { Options } from './fakes/volume-history.js' */

const HISTORIES = Number(process.env.HISTORIES ?? 2400);
const SEED = process.env.SEED ? Number(process.env.SEED) : null;

/** @type {[name: string, options: Options][]} */
const KINDS = [
  ['crashes and lost connections', {}],
  ['replaced files', { hasReplacements: true }],
  ['quota', { hasQuota: true, hasReplacements: true }],
  ['wiped storage', { hasWipes: true }],
  ['failing requests', { hasFaults: true }],
  ['hosts that take over', { hasTakeOvers: true }],
  [
    'all at once',
    {
      steps: 60,
      hasReplacements: true,
      hasQuota: true,
      hasFaults: true,
      hasTakeOvers: true,
    },
  ],
];

for (const [i, [name, options]] of KINDS.entries()) {
  test(`whatever happens, no mix and nothing acknowledged is lost: ${name}`, async () => {
    const count = HISTORIES / KINDS.length;
    const seeds = SEED
      ? [SEED]
      : Array.from({ length: count }, (_, n) => n * KINDS.length + i + 1);
    for (const seed of seeds) {
      if (seed % KINDS.length !== (i + 1) % KINDS.length) continue;
      const history = new VolumeHistory(seed, options);
      try {
        await history.run();
        if (history.failure) throw history.failure;
      } catch (error) {
        const happened = history.log.slice(-60).join('\n  ');
        throw new Error(`SEED=${seed} (${name})\n  ${happened}\n${error}`, {
          cause: error,
        });
      }
    }
  });
}
