/** Each call ends in exactly one of a result, an error, or the end of its stream. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';

import { AppError } from '../../web/core/rpc-messages.js';
import { RpcPeer } from '../../web/core/rpc-peer.js';
import { decode, encode } from '../../web/core/wire-codec.js';

/** @import { Serve } from '../../web/core/rpc-peer.js' */

/**
 * @param {import('node:test').TestContext} t
 * @param {Serve} serve
 */
function connected(t, serve) {
  const { port1, port2 } = new MessageChannel();
  const nobody = async () => {
    throw new AppError('unknown_method', 'nothing is served here');
  };
  const client = new RpcPeer(port1, { serve: nobody, onOther: () => {} });
  const server = new RpcPeer(port2, { serve, onOther: () => {} });
  t.after(() => port1.close());
  return { client, server };
}

test('a call returns what the method returns', async (t) => {
  const { client } = connected(t, async (method, payload) =>
    encode({ method, got: decode(payload) }),
  );

  const answer = await client.call('echo', { bytes: new Uint8Array([1, 2]) });

  assert.deepEqual(answer, {
    method: 'echo',
    got: { bytes: new Uint8Array([1, 2]) },
  });
});

test("a Blob goes there and comes back, and is still the caller's", async (t) => {
  const { client } = connected(t, async (_, payload) =>
    encode(decode(payload)),
  );
  const blob = new Blob(['a file']);

  const { file } = await client.call('echo', { file: blob });

  assert.equal(await file.text(), 'a file');
  assert.equal(await blob.text(), 'a file');
});

test('an error crosses with its code, message and detail', async (t) => {
  const { client } = connected(t, async () => {
    throw new AppError('sql', 'near "x"', { sql: 'x' });
  });

  await assert.rejects(client.call('db.run', {}), {
    code: 'sql',
    message: 'near "x"',
    detail: { sql: 'x' },
  });
});

test('an error without a code is internal', async (t) => {
  const { client } = connected(t, async () => {
    throw new RangeError('secret path');
  });

  await assert.rejects(client.call('x', {}), { code: 'internal' });
});

test('answers find their calls, whatever their order', async (t) => {
  /** @type {Map<string, (value: any) => void>} */
  const waiting = new Map();
  const { client } = connected(
    t,
    (method) =>
      new Promise((resolve) => {
        waiting.set(method, resolve);
      }),
  );
  const first = client.call('first', {});
  const second = client.call('second', {});
  while (waiting.size < 2) await new Promise(setImmediate);

  waiting.get('second')?.(encode(2));
  waiting.get('first')?.(encode(1));

  assert.deepEqual(await Promise.all([first, second]), [1, 2]);
});

test('a stream yields its items in order and ends', async (t) => {
  const { client } = connected(t, async (_, __, { item }) => {
    for (let i = 0; i < 100; i++) item(encode(i));
    return null;
  });

  const items = [];
  for await (const item of client.stream('count', {})) items.push(item);

  assert.deepEqual(items, [...Array(100).keys()]);
});

test('what a stream yielded before it failed is not lost', async (t) => {
  const { client } = connected(t, async (_, __, { item }) => {
    item(encode('kept'));
    throw new AppError('provider_interrupted', 'it broke off');
  });

  /** @type {unknown[]} */
  const items = [];
  const read = async () => {
    for await (const item of client.stream('answer', {})) items.push(item);
  };

  await assert.rejects(read(), { code: 'provider_interrupted' });
  assert.deepEqual(items, ['kept']);
});

test('leaving the loop cancels the stream on the other side', async (t) => {
  /** @type {Promise<void>} */
  const cancelled = new Promise((resolve) => {
    t.diagnostic('waits for the cancel');
    const { client } = connected(t, (_, __, { item, onCancel }) => {
      onCancel(resolve);
      item(encode(1));
      return new Promise(() => {});
    });
    void (async () => {
      for await (const item of client.stream('endless', {})) if (item) break;
    })();
  });

  await cancelled;
});

test('a stream that waits for its next item can be ended at once', async (t) => {
  let isCancelled = () => false;
  const { client } = connected(t, (_, __, serving) => {
    ({ isCancelled } = serving);
    return new Promise(() => {});
  });
  const stream = client.stream('silent', {});
  const waiting = stream.next();
  await new Promise(setImmediate);

  await stream.return();

  assert.deepEqual(await waiting, { done: true, value: undefined });
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
  while (!isCancelled()) await new Promise(setImmediate);
});

test('a stream that is never read is never called', async (t) => {
  let calls = 0;
  const { client } = connected(t, async () => {
    calls++;
    return null;
  });

  client.stream('unread', {});
  await client.stream('returned', {}).return();
  await client.stream('read', {}).next();

  assert.equal(calls, 1);
});

test('an aborted stream throws after what had arrived', async (t) => {
  const controller = new AbortController();
  const { client } = connected(t, (_, __, { item }) => {
    item(encode(1));
    return new Promise(() => {});
  });
  const { signal } = controller;
  const stream = client.stream('endless', {}, { signal });
  assert.deepEqual(await stream.next(), { done: false, value: 1 });
  const waiting = stream.next();

  controller.abort();

  await assert.rejects(waiting, { code: 'aborted', name: 'AbortError' });
  assert.deepEqual(await stream.next(), { done: true, value: undefined });
});

test('what cannot be decoded fails its call, and only that', async (t) => {
  const { client } = connected(t, async (method) =>
    method === 'bad' ? { json: '{"$":"later"}', blobs: [] } : encode('good'),
  );

  await assert.rejects(client.call('bad', {}), { code: 'internal' });
  assert.equal(await client.call('fine', {}), 'good');
});

test('what is called before the greeting comes after it, in order', async () => {
  const { port1, port2 } = new MessageChannel();
  /** @type {string[]} */
  const got = [];
  const client = new RpcPeer(port1, {
    serve: async () => null,
    onOther: () => {},
    isHeld: true,
  });
  new RpcPeer(port2, {
    serve: async (method) => {
      got.push(method);
      return encode(null);
    },
    onOther: ({ kind }) => got.push(kind),
  });
  const calls = [client.call('one', {}), client.call('two', {})];

  client.release({ kind: 'hello', tabId: 'a' });
  await Promise.all(calls);
  port1.close();

  assert.deepEqual(got, ['hello', 'one', 'two']);
});

test('an aborted call rejects at once and is cancelled', async (t) => {
  let isCancelled = () => false;
  const { client } = connected(t, (_, __, serving) => {
    ({ isCancelled } = serving);
    return new Promise(() => {});
  });
  const controller = new AbortController();
  const call = client.call('slow', {}, { signal: controller.signal });

  await new Promise(setImmediate);
  controller.abort();

  await assert.rejects(call, { code: 'aborted' });
  while (!isCancelled()) await new Promise(setImmediate);
});

test('closing ends every open call, and every later one', async (t) => {
  const { client } = connected(t, () => new Promise(() => {}));
  const call = client.call('slow', {});

  client.close(new AppError('host_changed', 'gone'));

  await assert.rejects(call, { code: 'host_changed' });
  await assert.rejects(client.call('again', {}), { code: 'host_changed' });
});

test('an argument that is no data fails before it is sent', async (t) => {
  const { client } = connected(t, async () => encode(null));

  await assert.rejects(client.call('x', { when: new Date() }), {
    code: 'invalid_arguments',
  });
});
