/**
 * The address of what is open, kept in the fragment so that the server is not
 * asked: `#/c/<conversation>`, `#/c/<conversation>/<event>`, `#/new`.
 */

import { Observable } from './observable.js';

/**
 * @typedef {object} Route
 * @property {string | null} conversationId  `null` for a new conversation.
 * @property {string | null} eventId  Where to open it; `null` for its end.
 */

/**
 * @param {string} hash
 * @returns {Route}  A new conversation for every address we do not know.
 */
export function parseRoute(hash) {
  const parts = hash.replace(/^#\/?/, '').split('/');
  if (parts[0] !== 'c' || !parts[1]) {
    return { conversationId: null, eventId: null };
  }
  return { conversationId: decode(parts[1]), eventId: decode(parts[2]) };
}

/**
 * @param {string | null} conversationId
 * @param {string | null} [eventId]
 */
export function formatRoute(conversationId, eventId = null) {
  if (conversationId === null) return '#/new';
  const address = `#/c/${encodeURIComponent(conversationId)}`;
  return eventId === null
    ? address
    : `${address}/${encodeURIComponent(eventId)}`;
}

/** @param {string | undefined} part */
function decode(part) {
  if (!part) return null;
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A stray "%" is taken as it stands.
  }
}

export class Router {
  /** @type {Observable<Route>} */
  route = new Observable(parseRoute(location.hash));

  constructor() {
    addEventListener('hashchange', () => {
      if (location.hash !== '' && !location.hash.startsWith('#/')) return;
      this.route.set(parseRoute(location.hash));
    });
    // A link to where one is changes no fragment, and still means "show it".
    addEventListener('click', ({ target }) => {
      const link = target instanceof Element ? target.closest('a') : null;
      if (link?.hash.startsWith('#/') && link.hash === location.hash) {
        this.route.set(parseRoute(link.hash));
      }
    });
  }

  /** @param {string | null} conversationId */
  go(conversationId) {
    location.hash = formatRoute(conversationId);
  }

  /**
   * The new conversation got its id: same place, another address.
   *
   * @param {string} conversationId
   */
  rename(conversationId) {
    history.replaceState(null, '', formatRoute(conversationId));
    this.route.set({ conversationId, eventId: null });
  }
}
