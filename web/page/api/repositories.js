/** Typed access to the six tables, one class for each kind of record. */

/** @import { IndexedDbAdapter } from './indexed-db-adapter.js' */
/** @import * as T from '../../client-types.js' */

/** What the repositories share. */
class Repository {
  #db;
  #name;

  /**
   * @param {IndexedDbAdapter} db
   * @param {string} name
   */
  constructor(db, name) {
    this.#db = db;
    this.#name = name;
  }

  /**
   * @param {string} verb
   * @param {object} argument
   * @param {T.CallOptions} [options]
   */
  ask(verb, argument, options) {
    return this.#db.session.call(`${this.#name}.${verb}`, argument, options);
  }
}

export class Conversations extends Repository {
  /** @param {IndexedDbAdapter} db */
  constructor(db) {
    super(db, 'conversations');
  }

  /**
   * Make the conversation hold exactly these events.
   *
   * @param {string} id
   * @param {string} userId
   * @param {string} personaId
   * @param {object[]} [events]  Each with `type`, and `timestamp` if it has one.
   * @param {{metadata?: object, title?: string} & T.CallOptions} [options]
   * @returns {Promise<T.Conversation>}
   */
  save(id, userId, personaId, events = [], { signal, ...rest } = {}) {
    const argument = { id, userId, personaId, events, ...rest };
    return this.ask('save', argument, { signal });
  }

  /**
   * @param {string} id
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.ConversationWithEvents | null>}
   */
  get(id, options) {
    return this.ask('get', { id }, options);
  }

  /**
   * The last updated first.
   *
   * @param {string | null} [userId]  Null: of everybody.
   * @param {T.PageOptions} [options]
   * @returns {Promise<T.Page<T.Conversation>>}
   */
  list(userId = null, { signal, ...page } = {}) {
    return this.ask('list', { userId, ...page }, { signal });
  }

  /**
   * @param {string} id
   * @param {object} event
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.ConversationEvent>}
   */
  append(id, event, options) {
    return this.ask('append', { id, event }, options);
  }

  /**
   * @param {string} id
   * @param {string | null} title
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.Conversation>}
   */
  rename(id, title, options) {
    return this.ask('rename', { id, title }, options);
  }

  /**
   * @param {string} id
   * @param {T.CallOptions} [options]
   * @returns {Promise<boolean>} Whether it existed.
   */
  delete(id, options) {
    return this.ask('delete', { id }, options);
  }

  /**
   * Words that must all occur, the last as a beginning; phrases in quotes.
   *
   * @param {string} query
   * @param {{userId?: string, limit?: number, signal?: AbortSignal}} [options]
   * @returns {Promise<T.SearchHit[]>}
   */
  search(query, { signal, ...rest } = {}) {
    return this.ask('search', { query, ...rest }, { signal });
  }
}

export class Sessions extends Repository {
  /** @param {IndexedDbAdapter} db */
  constructor(db) {
    super(db, 'sessions');
  }

  /**
   * @param {string} id
   * @param {string} userId
   * @param {string} displayName
   * @param {'persona' | 'agency'} targetType
   * @param {string} targetId
   * @param {object} [metadata]
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.Session>}
   */
  save(id, userId, displayName, targetType, targetId, metadata, options) {
    const target = { targetType, targetId };
    const argument = { id, userId, displayName, ...target, metadata };
    return this.ask('save', argument, options);
  }

  /**
   * @param {string} id
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.Session | null>}
   */
  get(id, options) {
    return this.ask('get', { id }, options);
  }

  /**
   * @param {string | null} [userId]
   * @param {T.PageOptions & {targetType?: 'persona' | 'agency'}} [options]
   * @returns {Promise<T.Page<T.Session>>}
   */
  list(userId = null, { signal, ...rest } = {}) {
    return this.ask('list', { userId, ...rest }, { signal });
  }

  /**
   * @param {string} id
   * @param {T.CallOptions} [options]
   * @returns {Promise<boolean>}
   */
  delete(id, options) {
    return this.ask('delete', { id }, options);
  }
}

export class Personas extends Repository {
  /** @param {IndexedDbAdapter} db */
  constructor(db) {
    super(db, 'personas');
  }

  /**
   * @param {string} id
   * @param {string} displayName
   * @param {object} definition
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.Persona>}
   */
  cache(id, displayName, definition, options) {
    return this.ask('cache', { id, displayName, definition }, options);
  }

  /**
   * @param {string} id
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.Persona | null>}
   */
  get(id, options) {
    return this.ask('get', { id }, options);
  }

  /**
   * @param {T.PageOptions} [options]
   * @returns {Promise<T.Page<T.Persona>>}
   */
  list({ signal, ...page } = {}) {
    return this.ask('list', page, { signal });
  }

  /**
   * @param {string} id
   * @param {T.CallOptions} [options]
   * @returns {Promise<boolean>}
   */
  delete(id, options) {
    return this.ask('delete', { id }, options);
  }
}

export class Telemetry extends Repository {
  /** @param {IndexedDbAdapter} db */
  constructor(db) {
    super(db, 'telemetry');
  }

  /**
   * @param {string | null} sessionId
   * @param {string} eventType
   * @param {object} eventData
   * @param {{timestamp?: number} & T.CallOptions} [options]
   * @returns {Promise<T.TelemetryRecord>}
   */
  record(sessionId, eventType, eventData, { signal, timestamp } = {}) {
    const argument = { sessionId, eventType, eventData, timestamp };
    return this.ask('record', argument, { signal });
  }

  /**
   * @param {T.PageOptions & {sessionId?: string, eventType?: string,
   *   since?: number}} [options]
   * @returns {Promise<T.Page<T.TelemetryRecord>>}
   */
  list({ signal, ...rest } = {}) {
    return this.ask('list', rest, { signal });
  }

  /**
   * Tokens, cost and latency by day and model.
   *
   * @param {{since?: number | null, until?: number | null} & T.CallOptions} [options]
   * @returns {Promise<{rows: T.UsageRow[]}>}
   */
  summary({ signal, ...range } = {}) {
    return this.ask('summary', range, { signal });
  }
}

export class Workflows extends Repository {
  /** @param {IndexedDbAdapter} db */
  constructor(db) {
    super(db, 'workflows');
  }

  /**
   * @param {string} id
   * @param {string} name
   * @param {object} definition
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.Workflow>}
   */
  save(id, name, definition, options) {
    return this.ask('save', { id, name, definition }, options);
  }

  /**
   * @param {string} id
   * @param {T.CallOptions} [options]
   * @returns {Promise<T.Workflow | null>}
   */
  get(id, options) {
    return this.ask('get', { id }, options);
  }

  /**
   * @param {T.PageOptions} [options]
   * @returns {Promise<T.Page<T.Workflow>>}
   */
  list({ signal, ...page } = {}) {
    return this.ask('list', page, { signal });
  }

  /**
   * @param {string} id
   * @param {T.CallOptions} [options]
   * @returns {Promise<boolean>}
   */
  delete(id, options) {
    return this.ask('delete', { id }, options);
  }
}
