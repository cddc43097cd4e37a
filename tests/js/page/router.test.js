import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatRoute, parseRoute } from '../../../web/page/router.js';

test('every id survives the way into an address and back', () => {
  const ids = ['conv-1', 'a/b', '#?&=', 'café 営業', '100%', '🌱'];

  for (const conversationId of ids) {
    for (const eventId of [null, ...ids]) {
      assert.deepEqual(parseRoute(formatRoute(conversationId, eventId)), {
        conversationId,
        eventId,
      });
    }
  }
});

test('an address we do not know is a new conversation', () => {
  const nowhere = { conversationId: null, eventId: null };

  for (const hash of ['', '#', '#/', '#/new', '#/c/', '#/x/1', '#composer']) {
    assert.deepEqual(parseRoute(hash), nowhere, hash);
  }
});

test('a stray percent sign is taken as it stands', () => {
  assert.equal(parseRoute('#/c/50%').conversationId, '50%');
});
