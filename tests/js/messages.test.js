import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  foldEvents,
  indexOfEvent,
  questionOf,
} from '../../web/page/messages.js';

let count = 0;

/**
 * @param {string} eventType
 * @param {Record<string, unknown>} [eventData]
 */
function event(eventType, eventData = {}) {
  count += 1;
  return { id: `event-${count}`, eventType, eventData, timestamp: count };
}

/**
 * @param {string} textDelta
 * @param {string} [streamId]
 */
function delta(textDelta, streamId) {
  return event('text_delta', { textDelta, streamId });
}

test('a question and its final response are two messages', () => {
  const messages = foldEvents([
    event('user_message', { text: 'Which hours?' }),
    delta('Nine '),
    event('final_response', {
      finalResponseText: 'Nine to five.',
      usage: { promptTokens: 3, completionTokens: 4, totalTokens: 7 },
    }),
  ]);

  assert.deepEqual(
    messages.map((message) => [
      message.kind,
      'text' in message && message.text,
    ]),
    [
      ['user', 'Which hours?'],
      ['answer', 'Nine to five.'],
    ],
  );
  const answer = messages[1];
  assert.ok(answer?.kind === 'answer');
  assert.equal(answer.status, 'complete');
  assert.deepEqual(answer.usage, {
    promptTokens: 3,
    completionTokens: 4,
    totalTokens: 7,
    costUsd: null,
  });
});

test('deltas without an end are an interrupted answer that stays readable', () => {
  const events = [
    event('user_message', { text: 'Q' }),
    delta('Half '),
    delta('an'),
  ];

  const [, answer] = foldEvents(events);

  assert.ok(answer?.kind === 'answer');
  assert.equal(answer.text, 'Half an');
  assert.equal(answer.status, 'interrupted');
});

test('a question whose answer never began can be asked again', () => {
  const events = [event('user_message', { text: 'Q' })];

  const [question, answer] = foldEvents(events);

  assert.ok(answer?.kind === 'answer');
  assert.equal(answer.status, 'interrupted');
  assert.equal(questionOf([question, answer], 1), question);
  assert.equal(foldEvents(events, { isAnswering: true }).length, 1);
});

test('the same deltas are streaming while a tab receives the answer', () => {
  const events = [event('user_message', { text: 'Q' }), delta('Half')];

  const [, answer] = foldEvents(events, { isAnswering: true });

  assert.ok(answer?.kind === 'answer');
  assert.equal(answer.status, 'streaming');
});

test('only the answer that is open at the end can be streaming', () => {
  const events = [
    delta('old'),
    event('user_message', { text: 'again' }),
    delta('new'),
  ];

  const messages = foldEvents(events, { isAnswering: true });

  assert.deepEqual(
    messages.map((message) => message.kind === 'answer' && message.status),
    ['interrupted', false, 'streaming'],
  );
});

test('two streams that interleave stay two answers', () => {
  const events = [
    event('user_message', { text: 'first' }),
    delta('A', 'a'),
    event('user_message', { text: 'second' }),
    delta('B', 'b'),
    delta('A', 'a'),
    event('final_response', { finalResponseText: 'BB', streamId: 'b' }),
    event('final_response', { finalResponseText: 'AA', streamId: 'a' }),
  ];

  const texts = foldEvents(events).map(
    (message) => 'text' in message && message.text,
  );

  assert.deepEqual(texts, ['first', 'AA', 'second', 'BB']);
});

test('an error keeps what was said before it and its reason', () => {
  const [answer] = foldEvents([
    delta('So far'),
    event('error', { code: 'provider_offline', message: 'No network.' }),
  ]);

  assert.ok(answer?.kind === 'answer');
  assert.equal(answer.text, 'So far');
  assert.equal(answer.status, 'failed');
  assert.deepEqual(answer.error, {
    code: 'provider_offline',
    message: 'No network.',
  });
});

test('an error whose deltas were folded carries the partial text itself', () => {
  const [answer] = foldEvents([
    event('error', { code: 'x', message: 'y', partialText: 'So far' }),
  ]);

  assert.ok(answer?.kind === 'answer');
  assert.equal(answer.text, 'So far');
});

test('an answer that its reader stopped did not fail', () => {
  const [answer] = foldEvents([
    delta('So far'),
    event('error', { code: 'cancelled', message: 'It was stopped.' }),
  ]);

  assert.ok(answer?.kind === 'answer');
  assert.equal(answer.status, 'interrupted');
});

test('a tool result joins the call that asked for it', () => {
  const [answer] = foldEvents([
    event('tool_call_request', {
      toolCalls: [{ id: 't1', name: 'search', arguments: { q: 'x' } }],
    }),
    event('tool_result_emission', {
      toolCallId: 't1',
      toolName: 'search',
      toolResult: [1, 2],
      isSuccess: true,
    }),
    event('final_response', { finalResponseText: 'Found.' }),
  ]);

  assert.ok(answer?.kind === 'answer');
  assert.equal(answer.tools.length, 1);
  assert.deepEqual(answer.tools[0]?.result, [1, 2]);
  assert.equal(answer.tools[0]?.state, 'succeeded');
});

test('a tool result without its call is shown as a call of its own', () => {
  const [answer] = foldEvents([
    event('tool_result_emission', {
      toolCallId: 'lost',
      toolName: 'search',
      isSuccess: false,
      errorMessage: 'timed out',
    }),
  ]);

  assert.ok(answer?.kind === 'answer');
  assert.equal(answer.tools[0]?.name, 'search');
  assert.equal(answer.tools[0]?.errorMessage, 'timed out');
  assert.equal(answer.status, 'complete');
});

test('an unknown event type becomes a note with its JSON', () => {
  const [message] = foldEvents([
    event('agency_update', { agency: { seats: 2 } }),
  ]);

  assert.ok(message?.kind === 'note');
  assert.equal(message.label, 'agency update');
  assert.deepEqual(JSON.parse(message.json ?? ''), { agency: { seats: 2 } });
});

test('a system message of an older database becomes a note with its text', () => {
  const [message] = foldEvents([event('system_message', { text: 'Be kind.' })]);

  assert.ok(message?.kind === 'note');
  assert.equal(message.text, 'Be kind.');
  assert.equal(message.json, null);
});

test('event data of the wrong types never throw', () => {
  const wrong = [null, 7, [], 'x', { a: 1 }];
  const types = [
    'user_message',
    'text_delta',
    'tool_call_request',
    'tool_result_emission',
    'system_progress',
    'final_response',
    'error',
    'something',
  ];
  const fields = [
    'text',
    'textDelta',
    'toolCalls',
    'toolCallId',
    'message',
    'finalResponseText',
    'usage',
    'metadata',
    'streamId',
  ];

  for (const type of types) {
    for (const field of fields) {
      for (const value of wrong) {
        const events = [event(type, { [field]: value })];

        const messages = foldEvents(events, { isAnswering: true });

        assert.equal(messages.length, 1, `${type} with ${field}`);
      }
    }
  }
});

test('bookkeeping events make no message', () => {
  assert.deepEqual(foldEvents([event('metadata_update', { updates: {} })]), []);
});

test('the question of an answer is the nearest one above it', () => {
  const messages = foldEvents([
    event('user_message', { text: 'one' }),
    event('final_response', { finalResponseText: '1' }),
    event('user_message', { text: 'two' }),
    event('note_type', { text: 'between' }),
    event('final_response', { finalResponseText: '2' }),
  ]);

  assert.equal(questionOf(messages, 4)?.text, 'two');
  assert.equal(questionOf(messages, 0), null);
});

test('each event leads to the message it became part of', () => {
  const events = [
    event('user_message', { text: 'Q' }),
    delta('a'),
    delta('b'),
    event('final_response', { finalResponseText: 'ab' }),
  ];

  const messages = foldEvents(events);

  assert.deepEqual(
    events.map(({ id }) => indexOfEvent(messages, id)),
    [0, 1, 1, 1],
  );
  assert.equal(indexOfEvent(messages, 'absent'), -1);
});

test('an answer that was asked for again is not offered for it twice', () => {
  const messages = foldEvents([
    event('user_message', { text: 'Q' }),
    event('error', { code: 'provider_offline', message: 'No network.' }),
    event('final_response', { finalResponseText: 'A' }),
    event('user_message', { text: 'R' }),
    event('error', { code: 'provider_offline', message: 'No network.' }),
  ]);

  assert.deepEqual(
    messages.map((message) => message.kind === 'answer' && message.isRetried),
    [false, true, false, false, false],
  );
});
