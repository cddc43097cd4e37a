/** Choosing the model, and trying whether it can be reached. */

import { onPreference } from '../preferences.js';
import {
  PRESETS,
  describeProvider,
  isKeyRemembered,
  loadProvider,
  providerProblem,
  saveProvider,
} from '../provider-settings.js';
import { showDialog } from './dialogs.js';
import { byId, messageOf } from './markup.js';

/** @import { Connection } from '../connection.js' */
/** @import { ProviderSpec } from '../provider-settings.js' */

export class ProviderDialog {
  #dialog = byId('provider-dialog', HTMLDialogElement);
  #fields = byId('provider-fields');
  #baseUrl = byId('provider-base-url', HTMLInputElement);
  #model = byId('provider-model', HTMLInputElement);
  #key = byId('provider-key', HTMLInputElement);
  #remember = byId('provider-remember', HTMLInputElement);
  #temperature = byId('provider-temperature', HTMLInputElement);
  #inputPrice = byId('provider-input-price', HTMLInputElement);
  #outputPrice = byId('provider-output-price', HTMLInputElement);
  #result = byId('provider-check-result');
  #error = byId('provider-error');

  /** @type {Connection} */
  #connection;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    byId('open-provider').addEventListener('click', () => this.show());
    byId('provider-check').addEventListener('click', () => this.#check());
    this.#dialog.addEventListener('change', () => this.#showFields());
    byId('built-in-choice').hidden = !('LanguageModel' in window);
    this.#makePresets();
    this.#showName();
    onPreference('provider', () => this.#showName());
  }

  async show() {
    this.#fill(loadProvider());
    const isAccepted = await showDialog(this.#dialog, () => this.#isValid());
    if (isAccepted) {
      saveProvider(this.#spec(), { rememberKey: this.#remember.checked });
      this.#showName();
    }
    // A key is not left behind in the page.
    this.#key.value = '';
  }

  #makePresets() {
    const buttons = PRESETS.map(({ name, baseUrl }) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'button small';
      button.textContent = name;
      button.addEventListener('click', () => {
        this.#baseUrl.value = baseUrl;
        this.#baseUrl.focus();
        this.#markPreset();
      });
      return button;
    });
    byId('presets').replaceChildren(...buttons);
    this.#baseUrl.addEventListener('input', () => this.#markPreset());
  }

  #markPreset() {
    [...byId('presets').children].forEach((button, index) => {
      const isChosen = PRESETS[index].baseUrl === this.#baseUrl.value;
      button.setAttribute('aria-pressed', String(isChosen));
    });
  }

  /** @param {ProviderSpec} spec */
  #fill(spec) {
    const openai = spec.type === 'openai' ? spec : null;
    for (const input of this.#types())
      input.checked = input.value === spec.type;
    this.#baseUrl.value = openai?.baseUrl ?? PRESETS[0].baseUrl;
    this.#model.value = openai?.model ?? '';
    this.#key.value = openai?.apiKey ?? '';
    this.#remember.checked = isKeyRemembered();
    this.#temperature.value = String(openai?.temperature ?? '');
    this.#inputPrice.value = String(openai?.inputPricePerMillion ?? '');
    this.#outputPrice.value = String(openai?.outputPricePerMillion ?? '');
    this.#markPreset();
    this.#showFields();
    this.#showResult('', 'plain');
  }

  #showFields() {
    this.#fields.hidden = this.#type() !== 'openai';
    this.#error.hidden = true;
  }

  #types() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (
      this.#dialog.querySelectorAll('input[name="provider-type"]')
    );
  }

  #type() {
    return [...this.#types()].find(({ checked }) => checked)?.value ?? 'recall';
  }

  /** @returns {ProviderSpec}  What the fields say. */
  #spec() {
    const type = this.#type();
    if (type === 'built-in') return { type };
    if (type !== 'openai') return { type: 'recall' };
    const apiKey = this.#key.value.trim();
    return {
      type,
      baseUrl: this.#baseUrl.value.trim().replace(/\/+$/, ''),
      model: this.#model.value.trim(),
      ...(apiKey === '' ? {} : { apiKey }),
      ...numberFrom('temperature', this.#temperature),
      ...numberFrom('inputPricePerMillion', this.#inputPrice),
      ...numberFrom('outputPricePerMillion', this.#outputPrice),
    };
  }

  #isValid() {
    const problem = providerProblem(this.#spec());
    this.#error.hidden = problem === null;
    this.#error.textContent = problem;
    return problem === null;
  }

  async #check() {
    const spec = this.#spec();
    // The list of models is what one may be looking for.
    const needed =
      spec.type === 'openai' ? { ...spec, model: spec.model || '?' } : spec;
    const problem = providerProblem(needed);
    if (problem !== null) {
      this.#showResult(problem, 'bad');
      return;
    }
    this.#showResult('Asking…', 'plain');
    try {
      const { agent } = await this.#connection.opened();
      const { models } = await agent.checkProvider(spec);
      this.#offer(models);
      const names = models.slice(0, 6).join(', ');
      const rest = models.length > 6 ? ' and more' : '';
      this.#showResult(
        models.length === 0
          ? 'It answers, and names no models.'
          : `It answers. Models: ${names}${rest}.`,
        'good',
      );
    } catch (error) {
      this.#showResult(messageOf(error), 'bad');
    }
  }

  /** @param {readonly string[]} models */
  #offer(models) {
    const options = models.map((name) => new Option(name, name));
    byId('provider-models', HTMLDataListElement).replaceChildren(...options);
    if (this.#model.value === '' && models.length > 0) {
      this.#model.value = models[0];
    }
  }

  /**
   * @param {string} text
   * @param {'plain' | 'good' | 'bad'} tone
   */
  #showResult(text, tone) {
    this.#result.textContent = text;
    this.#result.dataset.tone = tone;
  }

  #showName() {
    byId('provider-name').textContent = describeProvider(loadProvider());
  }
}

/**
 * @param {string} name
 * @param {HTMLInputElement} input
 * @returns {Record<string, number>}  Empty if nothing was written.
 */
function numberFrom(name, input) {
  return Number.isNaN(input.valueAsNumber)
    ? {}
    : { [name]: input.valueAsNumber };
}
