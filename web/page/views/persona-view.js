/** Choosing who answers: cards on the welcome page, and a dialog. */

import { showDialog } from './dialogs.js';
import { byId, fromTemplate, part } from './markup.js';

/** @import { Personas, PersonaChoice } from '../personas.js' */
/** @import { OpenConversation } from '../open-conversation.js' */

export class PersonaView {
  #dialog = byId('persona-dialog', HTMLDialogElement);
  #button = byId('persona-open', HTMLButtonElement);

  /** @type {Personas} */
  #personas;

  /** @type {OpenConversation} */
  #conversation;

  /** @type {(personaId: string) => void} */
  #onOther;

  /**
   * @param {Personas} personas
   * @param {OpenConversation} conversation
   * @param {(personaId: string) => void} onOther  Another one than that of the
   *   conversation that is open was chosen.
   */
  constructor(personas, conversation, onOther) {
    this.#personas = personas;
    this.#conversation = conversation;
    this.#onOther = onOther;
    this.#button.addEventListener('click', () => this.#ask());
    personas.list.subscribe(() => this.#show());
    conversation.state.subscribe(() => this.#show());
  }

  #shown = '';

  #show() {
    const { id, personaId } = this.#conversation.state.value;
    const { value: list } = this.#personas.list;
    byId('persona-name').textContent = this.#personas.nameOf(personaId);
    const key = JSON.stringify([id === null, personaId, list]);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#fill(byId('welcome-personas'), (chosen) => this.#choose(chosen));
  }

  async #ask() {
    const isNew = this.#conversation.state.value.id === null;
    byId('persona-dialog-text').textContent = isNew
      ? 'For this conversation.'
      : 'A conversation keeps who answers in it. Choosing another begins a new conversation.';
    this.#fill(byId('dialog-personas'), (personaId) => {
      this.#dialog.close();
      this.#choose(personaId);
    });
    await showDialog(this.#dialog);
  }

  /** @param {string} personaId */
  #choose(personaId) {
    const { id, personaId: current } = this.#conversation.state.value;
    if (id === null) this.#conversation.choosePersona(personaId);
    else if (personaId !== current) this.#onOther(personaId);
    byId('composer-text').focus();
  }

  /**
   * @param {HTMLElement} container
   * @param {(personaId: string) => void} onChoose
   */
  #fill(container, onChoose) {
    const { personaId } = this.#conversation.state.value;
    container.replaceChildren(
      ...this.#personas.list.value.map((persona) =>
        card(persona, persona.id === personaId, onChoose),
      ),
    );
  }
}

/**
 * @param {PersonaChoice} persona
 * @param {boolean} isChosen
 * @param {(personaId: string) => void} onChoose
 */
function card({ id, displayName, description }, isChosen, onChoose) {
  const element = fromTemplate('persona-template');
  const mark = part(element, 'mark');
  mark.textContent = [...displayName][0]?.toUpperCase() ?? '?';
  mark.style.setProperty('--hue', String(hueOf(id)));
  part(element, 'name').textContent = displayName;
  part(element, 'description').textContent = description;
  element.setAttribute('aria-pressed', String(isChosen));
  element.addEventListener('click', () => onChoose(id));
  return element;
}

/** A colour that stays the persona's. @param {string} id */
function hueOf(id) {
  let sum = 0;
  for (const character of id) {
    sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 360;
  }
  return sum;
}
