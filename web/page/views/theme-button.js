/** Light, dark, or as the system has it. */

import { onPreference, preferences } from '../preferences.js';
import { byId } from './markup.js';

const THEMES = [
  { name: 'system', icon: 'half', label: 'Theme: as the system' },
  { name: 'light', icon: 'sun', label: 'Theme: light' },
  { name: 'dark', icon: 'moon', label: 'Theme: dark' },
];

/** `--surface`, which the title bar of an installed app continues. */
const COLORS = { light: '#fffefb', dark: '#1c2024' };

const prefersDark = matchMedia('(prefers-color-scheme: dark)');

export function setUpThemeButton() {
  const button = byId('theme', HTMLButtonElement);
  show();
  prefersDark.addEventListener('change', show);
  onPreference('theme', show);
  button.addEventListener('click', () => {
    const at = THEMES.indexOf(current());
    const { name } = THEMES[(at + 1) % THEMES.length];
    preferences.set('theme', name === 'system' ? null : name);
    show();
  });
}

function current() {
  const chosen = preferences.get('theme') ?? 'system';
  return THEMES.find(({ name }) => name === chosen) ?? THEMES[0];
}

function show() {
  const { name, icon, label } = current();
  const root = document.documentElement;
  if (name === 'system') delete root.dataset.theme;
  else root.dataset.theme = name;
  const button = byId('theme', HTMLButtonElement);
  button.setAttribute('aria-label', label);
  button.title = label;
  byId('theme-icon', SVGUseElement).setAttribute(
    'href',
    `./icons/ui.svg#${icon}`,
  );
  const isDark = name === 'dark' || (name === 'system' && prefersDark.matches);
  document
    .querySelector('meta[name="theme-color"]')
    ?.setAttribute('content', isDark ? COLORS.dark : COLORS.light);
}
