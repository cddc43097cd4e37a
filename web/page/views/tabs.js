/** The two tabs of the panel, with the keys tabs have everywhere. */

import { byId } from './markup.js';

/**
 * @param {(panelId: string) => void} onShow
 * @returns {(tabId: string) => void}  Shows that tab.
 */
export function setUpTabs(onShow) {
  const tabs = ['tab-storage', 'tab-usage'].map((id) => byId(id));
  /** @param {HTMLElement} chosen */
  const show = (chosen) => {
    for (const tab of tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute('aria-selected', String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      const panelId = tab.getAttribute('aria-controls') ?? '';
      byId(panelId).hidden = !isChosen;
      if (isChosen) onShow(panelId);
    }
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener('click', () => show(tab));
    tab.addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
      event.preventDefault();
      const next = tabs[(index + 1) % tabs.length];
      show(next);
      next.focus();
    });
  });
  return (tabId) => show(byId(tabId));
}
