/**
 * Where a message is written.
 *
 * Rule 1: what is typed is kept with each keystroke and given up only when the
 *         database has it: a crash, a reload or a failed boot loses nothing.
 * Rule 2: it works from the first paint on. What is sent while the database is
 *         still opening is sent as soon as it has opened.
 */

import { keepDraft, readDraft } from '../preferences.js';
import { byId } from './markup.js';

/** @import { OpenConversation } from '../open-conversation.js' */

/**
 * @typedef {object} ComposerEvents
 * @property {() => void} onSending  While the person's gesture still counts.
 * @property {(id: string) => void} onCreated
 * @property {(error: unknown) => void} onError
 */

export class ComposerView {
  #form = byId('composer', HTMLFormElement);
  #text = byId('composer-text', HTMLTextAreaElement);
  #send = byId('send', HTMLButtonElement);
  #stop = byId('stop', HTMLButtonElement);

  /** @type {OpenConversation} */
  #conversation;

  /** @type {ComposerEvents} */
  #on;

  /** Whose draft the field shows. @type {string | null} */
  #draftOf = null;

  /**
   * @param {OpenConversation} conversation
   * @param {ComposerEvents} on
   */
  constructor(conversation, on) {
    this.#conversation = conversation;
    this.#on = on;
    this.#text.value ||= readDraft(conversation.state.value.id);
    this.#draftOf = conversation.state.value.id;
    this.#text.addEventListener('input', () => this.#onInput());
    this.#text.addEventListener('keydown', (event) => this.#onKey(event));
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit();
    });
    this.#stop.addEventListener('click', () => {
      conversation.stop();
      this.focus();
    });
    conversation.state.subscribe(({ id }) => {
      this.#showDraftOf(id);
      this.#showButtons();
    });
    byId('skip-link').addEventListener('click', (event) => {
      // The address stays that of the conversation.
      event.preventDefault();
      this.#text.focus();
    });
    addEventListener('keydown', (event) => this.#catchTyping(event));
    this.#onInput();
  }

  /**
   * Who types without having chosen a field means this one.
   *
   * @param {KeyboardEvent} event
   */
  #catchTyping({ key, target, ctrlKey, metaKey, altKey }) {
    const isCharacter = [...key].length === 1 && key !== ' ';
    if (
      isCharacter &&
      target === document.body &&
      !ctrlKey &&
      !metaKey &&
      !altKey
    ) {
      this.#text.focus();
    }
  }

  /** On touch a focus brings up the keyboard: there it is the person's to ask. */
  focus() {
    if (!isTouch()) this.#text.focus();
  }

  #onInput() {
    keepDraft(this.#draftOf, this.#text.value);
    this.#fit();
    this.#showButtons();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.key !== 'Enter' || event.isComposing || event.shiftKey) return;
    const isForced = event.ctrlKey || event.metaKey;
    // On a touch keyboard Enter is the only way to break a line.
    if (!isForced && isTouch()) return;
    event.preventDefault();
    void this.#submit();
  }

  async #submit() {
    const text = this.#text.value.trim();
    if (text === '' || this.#conversation.state.value.answering) return;
    let draftOf = this.#draftOf;
    let isStored = false;
    this.#put('');
    this.#on.onSending();
    try {
      await this.#conversation.send(text, {
        created: (id) => {
          keepDraft(draftOf, '');
          draftOf = id;
          keepDraft(id, text);
          this.#on.onCreated(id);
        },
        stored: () => {
          if (isStored) return;
          isStored = true;
          keepDraft(draftOf, this.#draftOf === draftOf ? this.#text.value : '');
        },
      });
    } catch (error) {
      this.#on.onError(error);
    }
    if (!isStored) this.#giveBack(draftOf, text);
  }

  /**
   * @param {string | null} draftOf
   * @param {string} text
   */
  #giveBack(draftOf, text) {
    const newer = this.#draftOf === draftOf ? this.#text.value : '';
    const both = newer === '' ? text : `${text}\n\n${newer}`;
    keepDraft(draftOf, both);
    if (this.#draftOf === draftOf) this.#put(both);
  }

  /** @param {string | null} id */
  #showDraftOf(id) {
    if (id === this.#draftOf) return;
    const isSameOne =
      this.#draftOf === null && this.#conversation.state.value.answering;
    this.#draftOf = id;
    if (!isSameOne) this.#put(readDraft(id));
  }

  /** @param {string} text */
  #put(text) {
    this.#text.value = text;
    this.#fit();
    this.#showButtons();
  }

  #showButtons() {
    const { answering, canStop } = this.#conversation.state.value;
    const isEmpty = this.#text.value.trim() === '';
    this.#stop.hidden = !canStop;
    this.#send.hidden = canStop;
    this.#send.disabled = isEmpty || answering !== null;
  }

  /** As tall as its text, where CSS `field-sizing` is not known. */
  #fit() {
    if (CSS.supports('field-sizing', 'content')) return;
    this.#text.style.height = 'auto';
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}

const isTouch = () => matchMedia('(pointer: coarse)').matches;
