/** The browser's built-in model, as far as the host sees it. */

import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { decode, encode } from '../../../web/core/wire-codec.js';
import { availability, prompt } from '../../../web/page/built-in-model.js';

const MESSAGES = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hello?' },
];

/** A `LanguageModel` that answers with pieces, then fails if it shall. */
class Model {
  /** @type {unknown[]} */
  asked = [];
  isDestroyed = false;

  /**
   * @param {string[]} pieces
   * @param {Error} [failure]
   */
  constructor(pieces, failure) {
    this.pieces = pieces;
    this.failure = failure;
  }

  async availability() {
    return 'available';
  }

  /** @param {any} options */
  async create({ initialPrompts }) {
    this.asked.push(initialPrompts);
    return this;
  }

  /** @param {string} text */
  promptStreaming(text) {
    this.asked.push(text);
    const { pieces, failure } = this;
    return new ReadableStream({
      pull(controller) {
        const piece = pieces.shift();
        if (piece !== undefined) controller.enqueue(piece);
        else if (failure) controller.error(failure);
        else controller.close();
      },
    });
  }

  destroy() {
    this.isDestroyed = true;
  }
}

/** @param {Model | undefined} model */
function install(model) {
  Object.assign(globalThis, { LanguageModel: model });
}

/** @param {Model | undefined} model */
async function answered(model) {
  install(model);
  /** @type {string[]} */
  const said = [];
  const end = await prompt(encode({ messages: MESSAGES }), {
    item: (payload) => said.push(decode(payload)),
    isCancelled: () => false,
    onCancel: () => {},
  });
  return { said, end };
}

afterEach(() => install(undefined));

test('a browser without a model says so', async () => {
  assert.equal(await availability(), 'unavailable');
  await assert.rejects(answered(undefined), {
    code: 'provider',
    detail: { retryable: false },
  });
});

test('the last message is asked, the others come before it', async () => {
  const model = new Model(['Hel', 'lo']);

  const { said, end } = await answered(model);

  assert.deepEqual(said, ['Hel', 'lo']);
  assert.equal(end, null);
  assert.deepEqual(model.asked, [[MESSAGES[0]], 'Hello?']);
  assert.ok(model.isDestroyed);
});

test('a model that fails half-way is a failure of the provider', async () => {
  const model = new Model(['Hel'], new DOMException('gone', 'AbortError'));

  await assert.rejects(answered(model), {
    code: 'provider',
    message: "the browser's model failed: gone",
    detail: { retryable: true },
  });
  assert.ok(model.isDestroyed);
});
