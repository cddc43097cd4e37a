/**
 * Folds the stored events of a conversation into the messages a person reads.
 *
 * Rule 1: no I/O and no clock here; the same events give the same messages.
 * Rule 2: nothing stored is hidden. An event type this release does not know
 *         becomes a row with its JSON; only pure bookkeeping is left out.
 * Rule 3: an answer is one message, however many events it was stored as. It
 *         begins with its first delta, tool call or error, and ends with
 *         `final_response` or `error`.
 * Rule 4: an answer without an end was interrupted, unless its stream is
 *         running now. What it had said until then stays readable.
 *
 * Times are Unix milliseconds.
 */

/**
 * @typedef {object} StoredEvent
 * @property {string} id
 * @property {string} eventType
 * @property {Record<string, any>} eventData
 * @property {number} timestamp
 */

/**
 * @typedef {object} ToolCall
 * @property {string} id
 * @property {string} name
 * @property {unknown} arguments
 * @property {unknown} result  `undefined` until the tool has answered.
 * @property {'requested' | 'succeeded' | 'failed'} state
 * @property {string | null} errorMessage
 */

/**
 * @typedef {object} Usage
 * @property {number | null} promptTokens
 * @property {number | null} completionTokens
 * @property {number | null} totalTokens
 * @property {number | null} costUsd
 */

/**
 * @typedef {object} AnswerError
 * @property {string} code
 * @property {string} message
 */

/**
 * @typedef {object} UserMessage
 * @property {'user'} kind
 * @property {string[]} eventIds
 * @property {number} at
 * @property {string} text
 */

/**
 * @typedef {object} Answer
 * @property {'answer'} kind
 * @property {string[]} eventIds
 * @property {number} at
 * @property {string} text  Markdown.
 * @property {ToolCall[]} tools
 * @property {'complete' | 'streaming' | 'interrupted' | 'failed'} status
 * @property {AnswerError | null} error
 * @property {Usage | null} usage
 * @property {string | null} model
 * @property {number | null} latencyMs  From question to end of the answer.
 * @property {string | null} progress  What the agent says it is doing now.
 * @property {boolean} isRetried  Another answer to the same question follows.
 */

/**
 * A system prompt, a tool's raw message, an event of an unknown type.
 *
 * @typedef {object} Note
 * @property {'note'} kind
 * @property {string[]} eventIds
 * @property {number} at
 * @property {string} label
 * @property {string} text  Empty if only `json` says something.
 * @property {string | null} json
 */

/** @typedef {UserMessage | Answer | Note} Message */

/** Bookkeeping that says nothing to a reader. */
const SILENT_TYPES = new Set(['metadata_update', 'ui_command']);

/** The error code of an answer that its reader stopped. */
const STOPPED = 'cancelled';

/** Types that are part of an answer and do not end it. */
const ANSWER_TYPES = new Set([
  'text_delta',
  'tool_call_request',
  'tool_result_emission',
  'system_progress',
]);

/**
 * @param {Iterable<StoredEvent>} events  In stored order.
 * @param {object} [options]
 * @param {boolean} [options.isAnswering]  True while some tab is receiving an
 *   answer in this conversation: an open answer at the end is then running.
 * @returns {Message[]}
 */
export function foldEvents(events, { isAnswering = false } = {}) {
  /** @type {Message[]} */
  const messages = [];
  /** Answers without an end, by stream. @type {Map<string, OpenAnswer>} */
  const open = new Map();

  for (const event of events) {
    const { eventType: type, eventData: data } = event;
    if (SILENT_TYPES.has(type)) continue;
    const stream = textOf(data.streamId);
    if (type === 'user_message') {
      // Events of the original carry no stream: a question ends what was open.
      settle(open.get(''), 'interrupted');
      open.delete('');
      messages.push(userMessage(event));
    } else if (ANSWER_TYPES.has(type)) {
      continueAnswer(answerOf(stream, event), event);
    } else if (type === 'final_response') {
      finishAnswer(answerOf(stream, event), event);
      open.delete(stream);
    } else if (type === 'error') {
      failAnswer(answerOf(stream, event), event);
      open.delete(stream);
    } else {
      messages.push(note(event));
    }
  }
  for (const unfinished of open.values()) {
    settle(unfinished, isAnswering ? 'streaming' : 'interrupted');
  }
  const last = messages.at(-1);
  if (last?.kind === 'user' && !isAnswering) messages.push(unanswered(last));
  markRetried(messages);
  return messages;

  /**
   * @param {string} stream
   * @param {StoredEvent} event
   */
  function answerOf(stream, event) {
    let found = open.get(stream);
    if (!found) {
      found = { answer: emptyAnswer(event), spoke: false };
      open.set(stream, found);
      messages.push(found.answer);
    }
    found.answer.eventIds.push(event.id);
    return found;
  }
}

/**
 * The question an answer belongs to: the nearest one above it.
 *
 * @param {readonly Message[]} messages
 * @param {number} index
 * @returns {UserMessage | null}
 */
export function questionOf(messages, index) {
  for (let at = index - 1; at >= 0; at--) {
    const message = messages[at];
    if (message?.kind === 'user') return message;
  }
  return null;
}

/**
 * @param {readonly Message[]} messages
 * @param {string} eventId
 * @returns {number}  -1 if no message was made of that event.
 */
export function indexOfEvent(messages, eventId) {
  return messages.findIndex((message) => message.eventIds.includes(eventId));
}

/** @typedef {{ answer: Answer, spoke: boolean }} OpenAnswer */

/** @param {readonly Message[]} messages */
function markRetried(messages) {
  /** @type {Answer | null} */
  let previous = null;
  for (const message of messages) {
    if (message.kind === 'user') previous = null;
    if (message.kind !== 'answer') continue;
    if (previous) previous.isRetried = true;
    previous = message;
  }
}

/**
 * What stands below a question whose tab died before the first word of the
 * answer, so that it can be asked again.
 *
 * @param {UserMessage} question
 * @returns {Answer}
 */
function unanswered({ at }) {
  return {
    ...emptyAnswer({ timestamp: at }),
    status: 'interrupted',
    error: { code: 'unanswered', message: 'No answer came.' },
  };
}

/**
 * @param {{ timestamp: number }} event
 * @returns {Answer}
 */
function emptyAnswer(event) {
  return {
    kind: 'answer',
    eventIds: [],
    at: event.timestamp,
    text: '',
    tools: [],
    status: 'complete',
    error: null,
    usage: null,
    model: null,
    latencyMs: null,
    progress: null,
    isRetried: false,
  };
}

/**
 * @param {StoredEvent} event
 * @returns {UserMessage}
 */
function userMessage(event) {
  const { id, eventData: data, timestamp } = event;
  const text = textOf(data.text ?? data.content);
  return { kind: 'user', eventIds: [id], at: timestamp, text };
}

/**
 * @param {OpenAnswer} open
 * @param {StoredEvent} event
 */
function continueAnswer(open, { eventType: type, eventData: data }) {
  const { answer } = open;
  if (type === 'text_delta') {
    open.spoke = true;
    answer.text += textOf(data.textDelta);
    answer.progress = null;
  } else if (type === 'tool_call_request') {
    for (const call of listOf(data.toolCalls)) requestTool(answer, call);
  } else if (type === 'tool_result_emission') {
    answerTool(answer, data);
  } else {
    answer.progress = textOf(data.message) || null;
  }
}

/**
 * @param {OpenAnswer} open
 * @param {StoredEvent} event
 */
function finishAnswer({ answer }, { eventData: data, timestamp }) {
  const text = data.finalResponseText;
  if (typeof text === 'string') answer.text = text;
  for (const call of listOf(data.finalToolCalls)) requestTool(answer, call);
  answer.status = 'complete';
  answer.progress = null;
  answer.usage = usageOf(data.usage);
  answer.model = textOf(data.model ?? data.metadata?.model) || null;
  answer.latencyMs = numberOf(data.latencyMs ?? data.metadata?.latencyMs);
  answer.at = timestamp;
}

/**
 * @param {OpenAnswer} open
 * @param {StoredEvent} event
 */
function failAnswer({ answer }, { eventData: data, timestamp }) {
  if (answer.text === '') answer.text = textOf(data.partialText);
  // Who stopped an answer knows why it ended: nothing failed.
  answer.status = data.code === STOPPED ? 'interrupted' : 'failed';
  answer.progress = null;
  answer.error = {
    code: textOf(data.code) || 'error',
    message: textOf(data.message) || 'The answer failed without a reason.',
  };
  answer.at = timestamp;
}

/**
 * @param {OpenAnswer | undefined} open
 * @param {'streaming' | 'interrupted'} status
 */
function settle(open, status) {
  if (!open) return;
  // Tool calls alone are complete as they stand: databases of the original
  // packages hold them without an answer after them.
  const isOpen = open.spoke || status === 'streaming';
  open.answer.status = isOpen ? status : 'complete';
  if (status === 'interrupted') open.answer.progress = null;
}

/**
 * @param {Answer} answer
 * @param {Record<string, any>} call
 */
function requestTool(answer, call) {
  const name = textOf(call.name ?? call.function?.name) || 'tool';
  const id = textOf(call.id);
  if (id !== '' && answer.tools.some((tool) => tool.id === id)) return;
  answer.tools.push({
    id,
    name,
    arguments: call.arguments ?? call.function?.arguments,
    result: undefined,
    state: 'requested',
    errorMessage: null,
  });
}

/**
 * @param {Answer} answer
 * @param {Record<string, any>} data
 */
function answerTool(answer, data) {
  const id = textOf(data.toolCallId);
  let tool = answer.tools.find((one) => one.id === id);
  if (!tool) {
    requestTool(answer, { id, name: data.toolName });
    tool = /** @type {ToolCall} */ (answer.tools.at(-1));
  }
  tool.result = data.toolResult;
  tool.state = data.isSuccess === false ? 'failed' : 'succeeded';
  tool.errorMessage = textOf(data.errorMessage) || null;
}

/**
 * @param {StoredEvent} event
 * @returns {Note}
 */
function note({ id, eventType, eventData: data, timestamp }) {
  const text = textOf(data.text ?? data.content ?? data.message);
  return {
    kind: 'note',
    eventIds: [id],
    at: timestamp,
    label: eventType.replaceAll('_', ' '),
    text,
    json: text === '' ? JSON.stringify(data, null, 2) : null,
  };
}

/**
 * @param {unknown} value
 * @returns {Usage | null}
 */
function usageOf(value) {
  if (typeof value !== 'object' || value === null) return null;
  const usage = /** @type {Record<string, unknown>} */ (value);
  return {
    promptTokens: numberOf(usage.promptTokens),
    completionTokens: numberOf(usage.completionTokens),
    totalTokens: numberOf(usage.totalTokens),
    costUsd: numberOf(usage.totalCostUSD ?? usage.costUSD),
  };
}

/** @param {unknown} value */
function textOf(value) {
  return typeof value === 'string' ? value : '';
}

/** @param {unknown} value */
function numberOf(value) {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

/**
 * @param {unknown} value
 * @returns {Record<string, any>[]}
 */
function listOf(value) {
  if (!Array.isArray(value)) return [];
  return value.filter((item) => typeof item === 'object' && item !== null);
}
