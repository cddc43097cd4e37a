/**
 * The conversation that is open: what was said, and the answer being received.
 *
 * Rule 1: what is stored is shown as stored. What this tab is receiving is laid
 *         over it until the answer ends; then the stored form is read again.
 * Rule 2: a message is given up by the composer only when the database has it.
 *         Until then `send` can fail without loss, and says so.
 * Rule 3: only the newest `open` counts. A slow read of a conversation that was
 *         left is dropped.
 */

import { answered, isBeingAnswered, whileAnswering } from './answer-lock.js';
import { titleFrom } from './conversation-index.js';
import { newId } from './ids.js';
import { foldEvents, questionOf } from './messages.js';
import { Observable } from './observable.js';
import { loadProvider } from './provider-settings.js';

/** @import { Conversation } from '../client.js' */
/** @import { Connection, Opened } from './connection.js' */
/** @import { Message, StoredEvent } from './messages.js' */

/** One person uses a browser profile; imported conversations keep theirs. */
export const USER_ID = 'local';

export const DEFAULT_PERSONA = 'default_assistant_persona';

/**
 * @typedef {object} OpenState
 * @property {string | null} id  `null`: a new one, not stored yet.
 * @property {Conversation | null} conversation
 * @property {string} personaId
 * @property {readonly Message[]} messages
 * @property {'loading' | 'ready' | 'absent'} kind
 * @property {'live' | 'stored' | null} answering  Whether an answer is being
 *   received, and if it is shown as it comes or as it is stored: by another tab,
 *   or by this one after a look at another conversation.
 * @property {boolean} canStop
 */

export class OpenConversation {
  /** @type {Observable<OpenState>} */
  state = new Observable(/** @type {OpenState} */ (fresh(null)));

  /** @type {Connection} */
  #connection;

  /** @type {readonly Message[]} */
  #stored = [];

  /** The question and the chunks of the answer being received. @type {StoredEvent[]} */
  #live = [];

  /** The answer laid over what is stored. @type {AbortController | null} */
  #answer = null;

  /** Every answer this tab receives, by conversation. @type {Map<string, AbortController>} */
  #answers = new Map();

  /** Ends what belongs to the conversation that is open now. */
  #stay = new AbortController();

  /** Counts sends and their ends: a read begun before one is out of date. */
  #turn = 0;

  #isReading = false;
  #isStale = false;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    connection.changed.subscribe((tables) => {
      if (tables.has('conversation_events') || tables.has('conversations')) {
        void connection.background(() => this.refresh());
      }
    });
    connection.state.subscribe(({ kind }) => {
      if (kind === 'ready') void connection.background(() => this.refresh());
    });
  }

  /**
   * Show another conversation. An answer being received goes on and is stored.
   *
   * @param {string | null} id
   */
  open(id) {
    if (id !== null && id === this.state.value.id) return;
    const { personaId } = this.state.value;
    this.#stay.abort();
    this.#stay = new AbortController();
    this.#answer = null;
    this.#stored = [];
    this.#live = [];
    this.#turn += 1;
    this.state.set(fresh(id, id === null ? personaId : DEFAULT_PERSONA));
    void this.#connection.background(() => this.refresh());
  }

  /** @param {string} personaId  For the conversation that is not stored yet. */
  choosePersona(personaId) {
    if (this.state.value.id === null) this.#set({ personaId });
  }

  /**
   * Ask the agent; resolves when the answer has ended, however it ended.
   *
   * @param {string} text
   * @param {object} on
   * @param {(id: string) => void} on.created  The conversation has an id now.
   * @param {() => void} on.stored  The database has the message.
   * @throws If it failed before `stored`: the message is the caller's again.
   */
  async send(text, on) {
    const { conversation, personaId } = this.state.value;
    const id = this.state.value.id ?? newId();
    const { signal: stay } = this.#stay;
    const answer = this.#begin([liveEvent('user_message', { text })]);
    try {
      const opened = await this.#connection.opened();
      answer.signal.throwIfAborted();
      if (!conversation) {
        const title = titleFrom(text);
        const created = await create(opened, { id, personaId, title });
        if (!stay.aborted) {
          this.#set({ id, conversation: created });
          on.created(id);
        }
      }
      const request = { id, personaId, userMessage: text };
      await this.#receive(opened, request, { answer, stay }, on.stored);
    } finally {
      if (!stay.aborted) await this.#end();
    }
  }

  /**
   * Ask again what an answer that failed or broke off was for.
   *
   * @param {number} index  Of the answer in `messages`.
   */
  async retry(index) {
    const { id, messages, personaId } = this.state.value;
    const question = questionOf(messages, index);
    if (id === null || !question) return;
    // The runtime answers the last question again; an older one is put anew.
    const isLast = question === questionOf(messages, messages.length);
    const { signal: stay } = this.#stay;
    const answer = this.#begin([]);
    try {
      const opened = await this.#connection.opened();
      const userMessage = isLast ? null : question.text;
      const request = { id, personaId, userMessage };
      await this.#receive(opened, request, { answer, stay }, () => {});
    } finally {
      if (!stay.aborted) await this.#end();
    }
  }

  /** Stop the answer; what was said so far stays. */
  stop() {
    const { id } = this.state.value;
    const stored = id === null ? null : this.#answers.get(id);
    (stored ?? this.#answer)?.abort();
  }

  async refresh() {
    this.#isStale = true;
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#isStale) {
        this.#isStale = false;
        await this.#read();
      }
    } finally {
      this.#isReading = false;
    }
  }

  /** @param {StoredEvent[]} live */
  #begin(live) {
    this.#turn += 1;
    this.#answer = new AbortController();
    this.#live = live;
    this.#set({ answering: 'live', canStop: true });
    return this.#answer;
  }

  async #end() {
    this.#turn += 1;
    this.#answer = null;
    if (this.state.value.id === null) this.#live = [];
    this.#set({ answering: null, canStop: false });
    await this.#connection.background(() => this.refresh());
  }

  /**
   * @param {Opened} opened
   * @param {{ id: string, personaId: string, userMessage: string | null }} request
   * @param {{ answer: AbortController, stay: AbortSignal }} until
   * @param {() => void} onStored
   */
  async #receive({ agent }, { id, ...request }, { answer, stay }, onStored) {
    const ran = await whileAnswering(id, async () => {
      this.#answers.set(id, answer);
      try {
        const chunks = agent.streamUserMessage({
          ...request,
          userId: USER_ID,
          conversationId: id,
          provider: loadProvider(),
          signal: answer.signal,
        });
        for await (const chunk of chunks) {
          onStored();
          if (stay.aborted) continue;
          this.#live.push(liveEvent(chunk.type, chunk));
          this.#set({});
        }
      } catch (error) {
        // What came before the stop is stored; stopping is no failure.
        if (!answer.signal.aborted) throw error;
      } finally {
        this.#answers.delete(id);
      }
      return true;
    });
    if (!ran) throw new AnsweredElsewhereError();
  }

  async #read() {
    const { id, answering } = this.state.value;
    if (id === null || answering === 'live') return;
    const { signal } = this.#stay;
    const turn = this.#turn;
    const { storage } = await this.#connection.opened();
    const found = await storage.conversations.get(id);
    const isElsewhere = await isBeingAnswered(id);
    if (signal.aborted || turn !== this.#turn) return;
    this.#live = [];
    this.#stored = foldEvents(found?.events ?? [], {
      isAnswering: isElsewhere,
    });
    if (!found) {
      this.#set({ kind: 'absent', conversation: null });
      return;
    }
    const { conversation } = found;
    const { personaId } = conversation;
    const isNews = isElsewhere && this.state.value.answering === null;
    this.#set({
      kind: 'ready',
      conversation,
      personaId,
      answering: isElsewhere ? 'stored' : null,
      canStop: this.#answers.has(id),
    });
    if (isNews) void this.#awaitOther(id, signal);
  }

  /**
   * @param {string} id
   * @param {AbortSignal} signal
   */
  async #awaitOther(id, signal) {
    try {
      await answered(id, signal);
    } catch {
      return; // Another conversation is open by now.
    }
    await this.#connection.background(() => this.refresh());
  }

  /** The answer before its first chunk. */
  #coming() {
    const isOpen = this.#connection.state.value.kind === 'ready';
    const message = isOpen ? '' : 'Sent as soon as the database is open';
    return foldEvents([liveEvent('system_progress', { message })], {
      isAnswering: true,
    });
  }

  /** @param {Partial<OpenState>} change */
  #set(change) {
    const live = foldEvents(this.#live, { isAnswering: true });
    if (this.#answer && !live.some(({ kind }) => kind === 'answer')) {
      live.push(...this.#coming());
    }
    const messages = [...this.#stored, ...live];
    this.state.set({ ...this.state.value, ...change, messages });
  }
}

/** Two answers in one conversation would be told in one breath. */
class AnsweredElsewhereError extends Error {
  code = 'answered_elsewhere';

  constructor() {
    super('another tab is answering here; wait for it, or stop it there');
  }
}

/**
 * @param {string | null} id
 * @param {string} [personaId]
 * @returns {OpenState}
 */
function fresh(id, personaId = DEFAULT_PERSONA) {
  return {
    id,
    conversation: null,
    personaId,
    messages: [],
    kind: id === null ? 'ready' : 'loading',
    answering: null,
    canStop: false,
  };
}

/**
 * A conversation, and the session that names it in the workspace.
 *
 * @param {Opened} opened
 * @param {{ id: string, personaId: string, title: string }} conversation
 */
async function create({ storage }, { id, personaId, title }) {
  const created = await storage.conversations.save(id, USER_ID, personaId, [], {
    title,
  });
  await storage.sessions.save(id, USER_ID, title, 'persona', personaId);
  return created;
}

/**
 * @param {string} eventType
 * @param {Record<string, any>} eventData
 * @returns {StoredEvent}
 */
function liveEvent(eventType, eventData) {
  const id = `live:${newId()}`;
  return { id, eventType, eventData, timestamp: Date.now() };
}
