/**
 * One message in the transcript. A view is made once and then updated, so that
 * an open tool call, a selection and the focus survive the next token.
 */

import { attachCopy } from '../copy.js';
import {
  formatCost,
  formatCount,
  formatDateTime,
  formatDuration,
  formatTime,
} from '../format.js';
import { showMarkdown } from '../markdown.js';
import { fromTemplate, messageOf, part } from './markup.js';

/** @import { Answer, Message, Note, ToolCall, UserMessage } from '../messages.js' */

/**
 * @template {Message} M
 * @typedef {object} MessageView
 * @property {M['kind']} kind
 * @property {HTMLElement} element
 * @property {(message: M) => void} update
 */

/**
 * @param {Message['kind']} kind
 * @param {{ onRetry: () => void }} on
 * @returns {MessageView<any>}
 */
export function createMessageView(kind, { onRetry }) {
  if (kind === 'user') return userView();
  if (kind === 'note') return noteView();
  return answerView(onRetry);
}

/** @returns {MessageView<UserMessage>} */
function userView() {
  const element = fromTemplate('user-template');
  part(element, 'article').setAttribute('aria-label', 'You');
  const text = part(element, 'text');
  attachCopy(part(element, 'copy', HTMLButtonElement), () => text.innerText);
  return {
    kind: 'user',
    element,
    update(message) {
      if (text.textContent !== message.text) text.textContent = message.text;
      showTime(part(element, 'meta'), message.at, []);
    },
  };
}

/**
 * @param {() => void} onRetry
 * @returns {MessageView<Answer>}
 */
function answerView(onRetry) {
  const element = fromTemplate('answer-template');
  part(element, 'article').setAttribute('aria-label', 'Answer');
  const text = part(element, 'text');
  const retry = part(element, 'retry', HTMLButtonElement);
  let source = '';
  attachCopy(part(element, 'copy', HTMLButtonElement), () => source);
  retry.addEventListener('click', onRetry);
  return {
    kind: 'answer',
    element,
    update(message) {
      source = message.text;
      showMarkdown(text, message.text);
      showTools(part(element, 'tools'), message.tools);
      showProblem(part(element, 'problem'), message);
      const isStreaming = message.status === 'streaming';
      const thinking = part(element, 'thinking');
      thinking.hidden = !isStreaming;
      part(thinking, 'progress').textContent =
        message.progress ?? (message.text === '' ? 'Thinking' : '');
      part(element, 'foot').hidden = isStreaming;
      part(element, 'copy').hidden = message.text === '';
      showTime(part(element, 'meta'), message.at, factsOf(message));
    },
  };
}

/** @returns {MessageView<Note>} */
function noteView() {
  const element = fromTemplate('note-template');
  return {
    kind: 'note',
    element,
    update({ label, text, json }) {
      part(element, 'label').textContent = label;
      part(element, 'first').textContent = text.split('\n', 1)[0];
      part(element, 'body').textContent = json ?? text;
    },
  };
}

/**
 * @param {HTMLElement} container
 * @param {readonly ToolCall[]} tools
 */
function showTools(container, tools) {
  tools.forEach((tool, index) => {
    let element = container.children[index];
    if (!(element instanceof HTMLElement)) {
      element = fromTemplate('tool-template');
      container.append(element);
    }
    showTool(/** @type {HTMLElement} */ (element), tool);
  });
  while (container.children.length > tools.length)
    container.lastChild?.remove();
}

const TOOL_WORDS = {
  requested: 'asked',
  succeeded: 'answered',
  failed: 'failed',
};

/**
 * @param {HTMLElement} element
 * @param {ToolCall} tool
 */
function showTool(element, tool) {
  const result = tool.errorMessage ?? tool.result;
  element.dataset.state = tool.state;
  part(element, 'name').textContent = tool.name;
  part(element, 'state').textContent = TOOL_WORDS[tool.state];
  part(element, 'arguments').textContent = readable(tool.arguments);
  part(element, 'result').textContent = readable(result);
  part(element, 'result').hidden = result === undefined;
  part(element, 'result-heading').hidden = result === undefined;
}

/**
 * @param {HTMLElement} box
 * @param {Answer} answer
 */
function showProblem(box, { status, error, isRetried }) {
  box.hidden = status !== 'interrupted' && status !== 'failed';
  if (box.hidden) return;
  box.dataset.tone = isRetried ? 'past' : status;
  part(box, 'retry').hidden = isRetried;
  part(box, 'problem-text').textContent = error
    ? messageOf(error.message)
    : 'The answer broke off here.';
}

/**
 * What an answer took, as far as its provider said.
 *
 * @param {Answer} answer
 * @returns {string[]}
 */
function factsOf({ model, usage, latencyMs }) {
  const facts = [];
  if (model !== null) facts.push(model);
  const tokens =
    usage?.totalTokens ??
    (usage?.promptTokens ?? 0) + (usage?.completionTokens ?? 0);
  if (tokens > 0) facts.push(`${formatCount(tokens)} tokens`);
  if (usage?.costUsd) facts.push(formatCost(usage.costUsd));
  if (latencyMs !== null) facts.push(formatDuration(latencyMs));
  return facts;
}

/**
 * @param {HTMLElement} element
 * @param {number} at
 * @param {string[]} facts
 */
function showTime(element, at, facts) {
  element.textContent = [formatTime(at), ...facts].join(' · ');
  element.title = formatDateTime(at);
}

/** @param {unknown} value */
function readable(value) {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') return JSON.stringify(value, null, 2);
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}
