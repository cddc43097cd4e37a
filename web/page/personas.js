/** Who can answer: the personas of the runtime and those in the database. */

import { Observable } from './observable.js';

/** @import { Connection } from './connection.js' */

/**
 * @typedef {object} PersonaChoice
 * @property {string} id
 * @property {string} displayName
 * @property {string} description
 */

export class Personas {
  /** @type {Observable<readonly PersonaChoice[]>} */
  list = new Observable(/** @type {readonly PersonaChoice[]} */ ([]));

  /** @type {Connection} */
  #connection;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    connection.state.subscribe(({ kind }) => {
      if (kind === 'ready') void connection.background(() => this.#read());
    });
    connection.changed.subscribe((tables) => {
      if (tables.has('personas'))
        void connection.background(() => this.#read());
    });
  }

  /** @param {string} id */
  nameOf(id) {
    const known = this.list.value.find((persona) => persona.id === id);
    return known?.displayName ?? readableId(id);
  }

  async #read() {
    const { agent } = await this.#connection.opened();
    const personas = await agent.listPersonas();
    this.list.set(
      personas.map(({ id, displayName, description }) => ({
        id,
        displayName: displayName || readableId(id),
        description: description ?? '',
      })),
    );
  }
}

/** A name for one that is not stored, such as `atlas-systems-architect`. */
function readableId(/** @type {string} */ id) {
  const words = id
    .replaceAll(/[-_]+/g, ' ')
    .replace(/^default | persona$/g, '')
    .trim();
  return words === ''
    ? 'Agent'
    : words.charAt(0).toUpperCase() + words.slice(1);
}
