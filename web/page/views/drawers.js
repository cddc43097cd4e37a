/**
 * The list at the left and the panel at the right.
 *
 * Where there is room they stand beside the conversation. Elsewhere they lie
 * over it as drawers: the rest is inert meanwhile, Escape closes them, and the
 * focus comes back to what opened them.
 */

import { preferences } from '../preferences.js';
import { byId } from './markup.js';

/** @typedef {'sidebar' | 'panel'} Drawer */

const root = document.documentElement;

export class Drawers {
  #narrow = matchMedia('(width <= 760px)');
  #medium = matchMedia('(width <= 1120px)');
  #scrim = byId('scrim');

  /** @type {HTMLElement | null} */
  #opener = null;

  constructor() {
    byId('sidebar-open').addEventListener('click', () => this.open('sidebar'));
    byId('sidebar-close').addEventListener('click', () =>
      this.close('sidebar'),
    );
    byId('panel-toggle').addEventListener('click', () => {
      if (this.isOpen('panel')) this.close('panel');
      else this.open('panel');
    });
    byId('panel-close').addEventListener('click', () => this.close('panel'));
    this.#scrim.addEventListener('click', () => this.closeOverlays());
    addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || document.querySelector('dialog[open]')) {
        return;
      }
      if (this.#overlay()) {
        event.preventDefault();
        this.closeOverlays();
      }
    });
    for (const query of [this.#narrow, this.#medium]) {
      query.addEventListener('change', () => this.#onResize());
    }
    this.#show();
  }

  /** @param {Drawer} name */
  isOpen(name) {
    return root.dataset[name] === 'open';
  }

  /** @param {Drawer} name */
  open(name) {
    this.#opener = /** @type {HTMLElement | null} */ (document.activeElement);
    root.dataset[name] = 'open';
    if (name === 'panel' && !this.#isOverlay('panel')) {
      preferences.set('panel', 'open');
    }
    this.#show();
    if (this.#isOverlay(name)) byId(`${name}-close`).focus();
  }

  /** @param {Drawer} name */
  close(name) {
    const isOverlay = this.#isOverlay(name);
    const hadFocus = byId(name).contains(document.activeElement);
    root.dataset[name] = 'closed';
    if (name === 'panel' && !isOverlay) preferences.set('panel', 'closed');
    this.#show();
    if (hadFocus) {
      const opener = this.#opener?.checkVisibility() ? this.#opener : null;
      (
        opener ?? byId(name === 'panel' ? 'panel-toggle' : 'sidebar-open')
      ).focus();
    }
  }

  closeOverlays() {
    const overlay = this.#overlay();
    if (overlay) this.close(overlay);
  }

  #onResize() {
    if (this.#medium.matches) root.dataset.panel = 'closed';
    else if (preferences.get('panel') !== 'closed') root.dataset.panel = 'open';
    root.dataset.sidebar = 'closed';
    this.#show();
  }

  /** @param {Drawer} name */
  #isOverlay(name) {
    return name === 'panel' ? this.#medium.matches : this.#narrow.matches;
  }

  /** @returns {Drawer | null} */
  #overlay() {
    for (const name of /** @type {Drawer[]} */ (['panel', 'sidebar'])) {
      if (this.isOpen(name) && this.#isOverlay(name)) return name;
    }
    return null;
  }

  #show() {
    const overlay = this.#overlay();
    this.#scrim.hidden = overlay === null;
    byId('chat').inert = overlay !== null;
    byId('sidebar').inert = overlay === 'panel';
    const isPanelOpen = String(this.isOpen('panel'));
    byId('panel-toggle').setAttribute('aria-expanded', isPanelOpen);
    byId('state-chip').setAttribute('aria-expanded', isPanelOpen);
    byId('sidebar-open').setAttribute(
      'aria-expanded',
      String(this.isOpen('sidebar')),
    );
  }
}
