/**
 * Which model answers, and where that choice is kept.
 *
 * Rule 1: a key is kept in this browser's own storage only: until the tab
 *         closes, or on the device if its user said so. It is handed over with
 *         each call and never becomes part of the database.
 * Rule 2: the Content-Security-Policy decides which addresses can be reached;
 *         `providerProblem` says so before a call fails without a reason.
 */

import { preferences, tabPreferences } from './preferences.js';

/**
 * @typedef {object} OpenAiSpec
 * @property {'openai'} type
 * @property {string} baseUrl
 * @property {string} model
 * @property {string} [apiKey]
 * @property {number} [temperature]
 * @property {number} [inputPricePerMillion]
 * @property {number} [outputPricePerMillion]
 */

/** @typedef {{ type: 'recall' } | { type: 'built-in' } | OpenAiSpec} ProviderSpec */

export const PRESETS = [
  { name: 'Ollama', baseUrl: 'http://localhost:11434/v1' },
  { name: 'LM Studio', baseUrl: 'http://localhost:1234/v1' },
  { name: 'llama.cpp', baseUrl: 'http://localhost:8080/v1' },
  { name: 'vLLM', baseUrl: 'http://localhost:8000/v1' },
  { name: 'Hosted', baseUrl: 'https://' },
];

const SPEC = 'provider';
const KEY = 'provider-key';

/** @returns {ProviderSpec} */
export function loadProvider() {
  const spec = parseSpec(preferences.get(SPEC));
  if (spec.type !== 'openai') return spec;
  const apiKey = tabPreferences.get(KEY) ?? preferences.get(KEY);
  return apiKey === null ? spec : { ...spec, apiKey };
}

export const isKeyRemembered = () => preferences.get(KEY) !== null;

/**
 * @param {ProviderSpec} spec
 * @param {{ rememberKey: boolean }} options
 */
export function saveProvider(spec, { rememberKey }) {
  const key = spec.type === 'openai' ? (spec.apiKey ?? null) : null;
  const kept = { ...spec };
  if ('apiKey' in kept) delete kept.apiKey;
  preferences.set(SPEC, JSON.stringify(kept));
  preferences.set(KEY, rememberKey ? key : null);
  tabPreferences.set(KEY, rememberKey ? null : key);
}

/**
 * @param {ProviderSpec} spec
 * @returns {string | null}  What is wrong, with the way out.
 */
export function providerProblem(spec) {
  if (spec.type !== 'openai') return null;
  const url = parseUrl(spec.baseUrl);
  if (!url)
    return 'Write the base address in full, such as http://localhost:11434/v1.';
  const isLoopback =
    url.hostname === 'localhost' || url.hostname === '127.0.0.1';
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) {
    return 'Only https addresses and servers on this machine (localhost) can be reached from here.';
  }
  if (spec.model === '') {
    return 'Name a model. “Check the connection” lists what the server has.';
  }
  return null;
}

/** @param {ProviderSpec} spec */
export function describeProvider(spec) {
  if (spec.type === 'recall') return 'Recall, offline';
  if (spec.type === 'built-in') return 'Built into this browser';
  return `${spec.model} · ${parseUrl(spec.baseUrl)?.host ?? spec.baseUrl}`;
}

/**
 * @param {string | null} json
 * @returns {ProviderSpec}
 */
function parseSpec(json) {
  try {
    const spec = JSON.parse(json ?? '');
    if (spec.type === 'built-in') return { type: 'built-in' };
    if (
      spec.type === 'openai' &&
      typeof spec.baseUrl === 'string' &&
      typeof spec.model === 'string'
    ) {
      return spec;
    }
  } catch {
    // Nothing kept, or not by us: the offline default holds.
  }
  return { type: 'recall' };
}

/** @param {string} text */
function parseUrl(text) {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
