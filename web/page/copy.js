/** A button that puts text on the clipboard and says whether it did. */

import { announce } from './views/markup.js';

const SHOWN_MS = 1600;

/**
 * @param {HTMLButtonElement} button
 * @param {() => string} read
 */
export function attachCopy(button, read) {
  const use = button.querySelector('use');
  const label = use ? null : button.textContent;
  button.addEventListener('click', async () => {
    const isCopied = await write(read());
    announce(isCopied ? 'Copied.' : 'The browser refused to copy.');
    if (use) use.setAttribute('href', iconOf(isCopied ? 'check' : 'warning'));
    else button.textContent = isCopied ? 'Copied' : 'Refused';
    setTimeout(() => {
      if (use) use.setAttribute('href', iconOf('copy'));
      else button.textContent = label;
    }, SHOWN_MS);
  });
}

/** @param {string} text */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // No permission, or the page lost its focus.
  }
}

/** @param {string} name */
const iconOf = (name) => `./icons/ui.svg#${name}`;
