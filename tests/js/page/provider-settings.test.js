import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  PRESETS,
  describeProvider,
  isKeyRemembered,
  loadProvider,
  providerProblem,
  saveProvider,
} from '../../../web/page/provider-settings.js';
import { preferences } from '../../../web/page/preferences.js';

/** @type {import('../../../web/page/provider-settings.js').OpenAiSpec} */
const SERVER = {
  type: 'openai',
  baseUrl: 'http://localhost:11434/v1',
  model: 'llama3.2',
  apiKey: 'secret',
};

test('without a choice the offline provider answers', () => {
  assert.deepEqual(loadProvider(), { type: 'recall' });
  assert.equal(describeProvider(loadProvider()), 'Recall, offline');
});

test('a key stays out of the settings, whether it is remembered or not', () => {
  for (const rememberKey of [true, false]) {
    saveProvider(SERVER, { rememberKey });

    assert.doesNotMatch(preferences.get('provider') ?? '', /secret/);
    assert.equal(isKeyRemembered(), rememberKey);
    assert.deepEqual(loadProvider(), SERVER);
  }
});

test('another choice forgets the key', () => {
  saveProvider(SERVER, { rememberKey: true });
  saveProvider({ type: 'recall' }, { rememberKey: true });

  assert.equal(preferences.get('provider-key'), null);
});

test('settings that are not ours are the offline default', () => {
  for (const json of [
    '',
    '{',
    'null',
    '7',
    '{"type":"openai"}',
    '{"type":1}',
  ]) {
    preferences.set('provider', json);

    assert.deepEqual(loadProvider(), { type: 'recall' }, json);
  }
});

test('the addresses the policy allows are no problem', () => {
  const allowed = [
    ...PRESETS.map(({ baseUrl }) => baseUrl).filter(
      (url) => url !== 'https://',
    ),
    'http://127.0.0.1:9/v1',
    'https://api.example.org/v1',
  ];

  for (const baseUrl of allowed) {
    assert.equal(providerProblem({ ...SERVER, baseUrl }), null, baseUrl);
  }
});

test('other addresses are refused before a call fails without a reason', () => {
  const refused = [
    '',
    'https://',
    'localhost:11434',
    'http://192.168.1.9:11434/v1',
    'http://localhost.example.org/v1',
    'file:///etc/passwd',
  ];

  for (const baseUrl of refused) {
    assert.notEqual(providerProblem({ ...SERVER, baseUrl }), null, baseUrl);
  }
});

test('a server needs a model', () => {
  assert.match(providerProblem({ ...SERVER, model: '' }) ?? '', /model/);
});
