import assert from 'node:assert/strict';
import { test } from 'node:test';

import { uuid7 } from '../../../web/page/ids.js';
import { titleFrom } from '../../../web/page/conversation-index.js';

test('an id has the form of a UUIDv7 and its time in front', () => {
  const random = new Uint8Array(10).fill(0xff);

  const id = uuid7(0x017f22e279b0, random);

  assert.equal(id, '017f22e2-79b0-7fff-bfff-ffffffffffff');
});

test('later ids sort behind earlier ones', () => {
  const random = new Uint8Array(10);
  const times = [0, 1, 255, 256, 1_795_000_000_000, 2 ** 47];

  const ids = times.map((time) => uuid7(time, random));

  assert.deepEqual([...ids].sort(), ids);
});

test('a conversation is named after the first line said in it', () => {
  assert.equal(titleFrom('  Hello   there\nsecond line'), 'Hello there');
});

test('a long first line is cut between words and between characters', () => {
  const words = titleFrom(`${'word '.repeat(30)}end`);
  const emoji = titleFrom('🌱'.repeat(100));

  assert.match(words, /^(?:word )+word…$/);
  assert.ok(words.length <= 61);
  assert.equal([...emoji].length, 61);
  assert.doesNotMatch(emoji, /\p{Surrogate}/u);
});
