/**
 * The messages of the open conversation.
 *
 * Rule 1: drawn at most once per frame, however many tokens arrive.
 * Rule 2: only the newest messages are drawn, more when asked for; a message
 *         that is looked for is always among them.
 * Rule 3: it follows the end while the reader is there, and stays put otherwise.
 */

import { indexOfEvent } from '../messages.js';
import { createMessageView } from './message-view.js';
import { announce, byId } from './markup.js';

/** @import { OpenConversation, OpenState } from '../open-conversation.js' */
/** @import { Message } from '../messages.js' */
/** @import { MessageView } from './message-view.js' */

const WINDOW = 60;
const MORE = 120;

/** How long a message that was looked for stands out. */
const FOUND_MS = 2000;

/** In pixels: nearer to the end than this, the reader is there. */
const AT_END = 90;

export class TranscriptView {
  #scroll = byId('transcript-scroll');
  #list = byId('transcript', HTMLOListElement);
  #earlier = byId('earlier-messages', HTMLButtonElement);
  #welcome = byId('welcome');

  /** @type {OpenConversation} */
  #conversation;

  /** @type {(index: number) => void} */
  #onRetry;

  /** The views drawn, and what they show; the first is message `#from`. */
  /** @type {{ view: MessageView<any>, message: Message }[]} */
  #drawn = [];
  #from = 0;

  /** @type {string | null} */
  #shownId = null;

  /** The event the reader asked for, until it was found. @type {string | null} */
  #sought = null;

  #isFollowing = true;
  #frame = 0;

  /**
   * @param {OpenConversation} conversation
   * @param {(index: number) => void} onRetry
   */
  constructor(conversation, onRetry) {
    this.#conversation = conversation;
    this.#onRetry = onRetry;
    this.#earlier.addEventListener('click', () => this.#showEarlier());
    this.#scroll.addEventListener('scroll', () => {
      const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
      this.#isFollowing = scrollHeight - scrollTop - clientHeight < AT_END;
    });
    conversation.state.subscribe((state) => this.#onState(state));
  }

  /** @param {string} eventId  Show the message it is part of. */
  seek(eventId) {
    this.#sought = eventId;
    this.#isFollowing = false;
    this.#schedule();
  }

  /** @type {OpenState['answering']} */
  #answering = null;

  /** @param {OpenState} state */
  #onState({ id, answering, messages }) {
    if (id !== this.#shownId) {
      // A new conversation that got its id is still the same one.
      if (this.#shownId !== null || this.#answering === null) this.#reset();
      this.#shownId = id;
    }
    if (answering !== this.#answering) {
      if (answering) {
        this.#isFollowing = true;
        announce('Answering.');
      } else announce(outcomeOf(messages.at(-1)));
      this.#answering = answering;
    }
    this.#schedule();
  }

  #schedule() {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #reset() {
    this.#drawn = [];
    this.#from = 0;
    this.#sought = null;
    this.#isFollowing = true;
    this.#list.replaceChildren();
  }

  #draw() {
    const { id, kind, messages } = this.#conversation.state.value;
    this.#welcome.hidden = id !== null || messages.length > 0;
    if (this.#drawn.length === 0) {
      this.#from = Math.max(0, messages.length - WINDOW);
    }
    const sought =
      this.#sought === null ? -1 : indexOfEvent(messages, this.#sought);
    if (sought >= 0 && sought < this.#from) {
      this.#drawFrom(Math.max(0, sought - 10));
    }
    this.#drawFrom(Math.min(this.#from, messages.length));
    this.#earlier.hidden = this.#from === 0;
    if (sought >= 0) this.#reveal(sought);
    else if (this.#isFollowing && kind === 'ready') {
      this.#scroll.scrollTop = this.#scroll.scrollHeight;
    }
  }

  /** @param {number} from  The first message to draw. */
  #drawFrom(from) {
    const { messages } = this.#conversation.state.value;
    if (from !== this.#from) {
      this.#drawn = [];
      this.#list.replaceChildren();
      this.#from = from;
    }
    for (let index = from; index < messages.length; index++) {
      this.#drawOne(index, messages[index]);
    }
    const count = messages.length - from;
    for (const { view } of this.#drawn.splice(count)) view.element.remove();
  }

  /**
   * @param {number} index
   * @param {Message} message
   */
  #drawOne(index, message) {
    const at = index - this.#from;
    const old = this.#drawn[at];
    if (old?.message === message) return;
    if (old && old.view.kind === message.kind) {
      old.message = message;
      old.view.update(message);
      return;
    }
    const onRetry = () => this.#onRetry(index);
    const view = createMessageView(message.kind, { onRetry });
    view.update(message);
    if (old) old.view.element.replaceWith(view.element);
    else this.#list.append(view.element);
    this.#drawn[at] = { view, message };
  }

  /** @param {number} index */
  #reveal(index) {
    const { element } = this.#drawn[index - this.#from].view;
    this.#sought = null;
    element.scrollIntoView({ block: 'start' });
    element.classList.add('found');
    setTimeout(() => element.classList.remove('found'), FOUND_MS);
    element.tabIndex = -1;
    element.focus({ preventScroll: true });
  }

  #showEarlier() {
    const { scrollHeight, scrollTop } = this.#scroll;
    this.#isFollowing = false;
    this.#drawFrom(Math.max(0, this.#from - MORE));
    this.#earlier.hidden = this.#from === 0;
    this.#scroll.scrollTop =
      scrollTop + this.#scroll.scrollHeight - scrollHeight;
  }
}

/** @param {Message | undefined} message */
function outcomeOf(message) {
  if (message?.kind !== 'answer') return '';
  if (message.status === 'complete') return 'Answer complete.';
  return message.error?.message ?? 'The answer broke off.';
}
