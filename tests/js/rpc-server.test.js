/** The host's side of every port: tabs that come, call, wait and die. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';

import { lockForLife, lockFree } from '../../web/core/life-locks.js';
import { tabLockName } from '../../web/core/names.js';
import { AppError, LONGEST_ARGUMENT } from '../../web/core/rpc-messages.js';
import { RpcPeer } from '../../web/core/rpc-peer.js';
import { decode, encode } from '../../web/core/wire-codec.js';
import { RpcServer } from '../../web/worker/rpc-server.js';
import { LockRegistry } from './fakes/locks.js';

/** @import { Serve } from '../../web/core/rpc-peer.js' */
/** @import { Dispatch } from '../../web/worker/rpc-server.js' */

/** Answers with what it was asked; streams under names that begin so. */
class Echo {
  /** @type {string[]} */
  gone = [];

  /** @type {Dispatch['call']} */
  async call(method, payload, tabId, serving) {
    if (method === 'endless') {
      serving.item(encode(tabId));
      return new Promise(() => {});
    }
    return encode({ method, tabId, got: decode(payload) });
  }

  /** @param {string} tabId */
  tabGone(tabId) {
    this.gone.push(tabId);
  }
}

/** One host and its tabs, joined by real ports. */
class World {
  #t;
  #registry = new LockRegistry();
  #hostLocks = this.#registry.context();
  echo = new Echo();
  /** @type {(dispatch: Dispatch) => void} */
  started = () => {};
  /** @type {(error: unknown) => void} */
  failed = () => {};

  /** @param {import('node:test').TestContext} t */
  constructor(t) {
    this.#t = t;
    /** @type {Promise<Dispatch>} */
    const dispatch = new Promise((resolve, reject) => {
      this.started = resolve;
      this.failed = reject;
    });
    this.server = new RpcServer({
      dispatch,
      hostMethods: { 'host.name': async (argument, tab) => [argument, tab] },
      onTab: () => {},
      onTabGone: () => {},
      locks: this.#hostLocks,
    });
  }

  /**
   * @param {string} tabId
   * @param {Serve} [serve]
   */
  async tab(tabId, serve = async () => encode(null)) {
    const { port1, port2 } = new MessageChannel();
    this.#t.after(() => port1.close());
    const locks = this.#registry.context();
    /** @type {Map<string, any>} */
    const events = new Map();
    const peer = new RpcPeer(port1, {
      serve,
      isHeld: true,
      onOther: (message) => {
        if (message.kind === 'event') events.set(message.name, message.payload);
      },
    });
    this.server.connect(/** @type {any} */ (port2));
    const greet = async () => {
      await lockForLife(locks, tabLockName(tabId));
      peer.release({ kind: 'hello', tabId });
    };
    return { peer, events, greet, locks };
  }

  dies() {
    this.#hostLocks.die();
  }
}

/** @param {() => boolean} holds */
async function until(holds) {
  while (!holds()) await new Promise(setImmediate);
}

test('calls made before the start wait, and are answered in order', async (t) => {
  const world = new World(t);
  const { peer, greet } = await world.tab('a');
  const calls = [peer.call('one', { x: 1 }), peer.call('two', {})];
  await greet();

  world.started(world.echo);

  assert.deepEqual(await Promise.all(calls), [
    { method: 'one', tabId: 'a', got: { x: 1 } },
    { method: 'two', tabId: 'a', got: {} },
  ]);
});

test('a method of the host does not wait for Python', async (t) => {
  const { peer, greet } = await new World(t).tab('a');
  await greet();

  assert.deepEqual(await peer.call('host.name', 7), [7, 'a']);
});

test('what an object has by nature is no method of the host', async (t) => {
  const world = new World(t);
  const { peer, greet } = await world.tab('a');
  await greet();
  world.started(world.echo);

  const { method } = await peer.call('toString', null);

  assert.equal(method, 'toString');
});

for (const [name, error, code] of /** @type {const} */ ([
  ['an error without a code', new Error('no wasm'), 'boot_failed'],
  ['a DOMException, whose code is a number', { code: 20 }, 'boot_failed'],
  [
    'an error with a code',
    new AppError('storage_in_use', 'x'),
    'storage_in_use',
  ],
])) {
  test(`a start that fails with ${name} fails every call`, async (t) => {
    const world = new World(t);
    const { peer, greet } = await world.tab('a');
    const early = peer.call('one', {});
    early.catch(() => {});
    await greet();

    world.failed(error);

    await assert.rejects(early, { code });
    await assert.rejects(peer.call('two', {}), { code });
  });
}

/** What no tab of ours would post. @type {any[]} */
const GARBAGE = [
  ...[null, undefined, 0, 'call', [], {}, new Map(), new Uint8Array(3)],
  ...[{ kind: 7 }, { kind: 'no such' }, { kind: 'hello' }, { kind: 'cancel' }],
  ...[{ kind: 'reply' }, { kind: 'error', id: 1 }, { kind: 'item', id: {} }],
  ...[{ kind: 'hello', tabId: { toString: 1 } }, { kind: 'call' }],
  { kind: 'call', id: 1 },
  { kind: 'call', id: 1, method: '__proto__' },
  { kind: 'call', id: {}, method: ['host.name'], payload: null },
  { kind: 'call', id: 2, method: 'host.name', payload: { json: 5, blobs: [] } },
  {
    kind: 'call',
    id: 3,
    method: 'host.name',
    payload: { json: '', blobs: {} },
  },
  {
    kind: 'call',
    id: 4,
    method: 'host.name',
    payload: { json: '{', blobs: [] },
  },
  {
    kind: 'call',
    id: 5,
    method: 'host.name',
    payload: { json: '{"$":"blob","i":9}', blobs: ['x'] },
  },
];

for (const greets of [false, true]) {
  test(`garbage on a port ${greets ? 'after' : 'before'} hello harms nobody`, async (t) => {
    const world = new World(t);
    const { port1, port2 } = new MessageChannel();
    t.after(() => port1.close());
    world.server.connect(/** @type {any} */ (port2));
    /** @type {any[]} */
    const answers = [];
    port1.on('message', (message) => answers.push(message));
    if (greets) port1.postMessage({ kind: 'hello', tabId: 'bad' });
    const other = await world.tab('good');
    await other.greet();
    world.started(world.echo);

    for (const message of GARBAGE) port1.postMessage(message);

    const answer = await other.peer.call('one', 1);
    assert.deepEqual(answer, { method: 'one', tabId: 'good', got: 1 });
    const wrong = GARBAGE.filter((message) => message?.kind === 'call');
    await until(
      () =>
        answers.filter(({ kind }) => kind === 'error').length === wrong.length,
    );
    assert.ok(answers.every(({ kind }) => ['error', 'event'].includes(kind)));
  });
}

test('an argument that is too long is refused before it is read', async (t) => {
  const world = new World(t);
  const { peer, greet } = await world.tab('a');
  await greet();
  world.started(world.echo);

  const sent = peer.call('one', 'x'.repeat(LONGEST_ARGUMENT));

  await assert.rejects(sent, { code: 'invalid_arguments' });
});

test('a call before hello is refused', async (t) => {
  const world = new World(t);
  const { peer } = await world.tab('a');
  world.started(world.echo);

  peer.release({ kind: 'cancel', id: 0 });

  await assert.rejects(peer.call('one', {}), { code: 'internal' });
});

test('a tab that comes late hears the newest progress', async (t) => {
  const world = new World(t);
  world.server.broadcast('progress', { fraction: 0.2 });
  world.server.broadcast('progress', { fraction: 0.7 });

  const { events, greet } = await world.tab('a');
  await greet();
  await until(() => events.has('progress'));

  assert.deepEqual(events.get('progress'), { fraction: 0.7 });
});

test('a tab that dies leaves no call, and Python is told', async (t) => {
  const world = new World(t);
  const [dying, living] = [await world.tab('a'), await world.tab('b')];
  await Promise.all([dying.greet(), living.greet()]);
  world.started(world.echo);
  const stream = dying.peer.stream('endless', {});
  assert.deepEqual(await stream.next(), { done: false, value: 'a' });

  dying.locks.die();
  await until(() => world.echo.gone.length > 0);

  assert.deepEqual(world.echo.gone, ['a']);
  assert.equal(world.server.tabCount, 1);
  assert.equal((await living.peer.call('one', {})).tabId, 'b');
});

test('a host that hands over ends every call with host_changed', async (t) => {
  const world = new World(t);
  const { peer, greet, events } = await world.tab('a');
  await greet();
  const waiting = peer.call('one', {});
  waiting.catch(() => {});
  await until(() => events.has('alive'));

  world.server.close();
  await until(() => events.has('host'));
  world.started(world.echo);

  assert.deepEqual(events.get('host'), { state: 'changed' });
  await assert.rejects(peer.call('later', {}), { code: 'host_changed' });
});

test('the death of the host is noticed by every tab', async (t) => {
  const world = new World(t);
  const tabs = [await world.tab('a'), await world.tab('b')];
  const ends = tabs.map(async ({ greet, events, locks }) => {
    await greet();
    await until(() => events.has('alive'));
    await lockFree(locks, events.get('alive').lock);
  });
  await until(() => tabs.every(({ events }) => events.has('alive')));

  world.dies();

  await Promise.all(ends);
});

test('the host calls the page, and reads its streams', async (t) => {
  const world = new World(t);
  const { greet } = await world.tab('a', async (method, payload, serving) => {
    if (method === 'ask') return encode(decode(payload) + 1);
    serving.item(encode('piece'));
    return null;
  });
  await greet();
  await until(() => world.server.tabCount === 1);

  assert.equal(await world.server.callPage('a', 'ask', 1), 2);
  const pieces = [];
  for await (const piece of world.server.streamFromPage('a', 'tell', null))
    pieces.push(piece);
  assert.deepEqual(pieces, ['piece']);
  assert.throws(() => world.server.callPage('nobody', 'ask', 1), {
    code: 'host_changed',
  });
});
