/**
 * Locks an encrypted database when nobody has touched any tab of it for a while.
 *
 * The tabs tell each other of the last touch by its time, in `localStorage`.
 */

import { isEncrypted, preferences } from './preferences.js';

/** @import { Connection } from './connection.js' */

const TOUCHES = ['keydown', 'pointerdown', 'wheel', 'touchmove'];

/** In milliseconds, between two looks and between two notes. */
const LOOK_MS = 10_000;

/** @param {Connection} connection */
export function lockWhenIdle(connection) {
  let touchedAt = Date.now();
  let notedAt = 0;
  const touched = () => {
    touchedAt = Date.now();
    if (touchedAt - notedAt < LOOK_MS) return;
    notedAt = touchedAt;
    preferences.set('touched-at', String(touchedAt));
  };
  for (const name of TOUCHES) {
    addEventListener(name, touched, { capture: true, passive: true });
  }
  touched();
  setInterval(() => {
    const minutes = Number(preferences.get('auto-lock') ?? 15);
    const last = Math.max(touchedAt, Number(preferences.get('touched-at')));
    const isIdle = minutes > 0 && Date.now() - last >= minutes * 60_000;
    const isOpen = connection.state.value.kind === 'ready';
    // A host that cannot be asked has closed the database already.
    if (isIdle && isOpen && isEncrypted()) connection.lock().catch(() => {});
  }, LOOK_MS);
}
