/**
 * Markdown of a model, shown safely and without flicker while it streams.
 *
 * Rule 1: what a model or a file says is hostile. HTML in it is shown as text;
 *         what Markdown made is sanitised with a list of what is allowed; no
 *         picture is fetched from anywhere.
 * Rule 2: the text is shown block by block, and a block whose source did not
 *         change keeps its nodes: a selection survives the next token, and a
 *         long answer costs as much per token as its last paragraph.
 */

import { Marked } from '../vendor/marked.js';
import DOMPurify from '../vendor/purify.js';
import { attachCopy } from './copy.js';
import { fromTemplate, part } from './views/markup.js';

const ALLOWED = {
  ALLOWED_TAGS: [
    ...['p', 'br', 'hr', 'blockquote', 'ul', 'ol', 'li', 'strong', 'em', 'del'],
    ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'a', 'img', 'code', 'pre'],
    ...['table', 'thead', 'tbody', 'tr', 'th', 'td'],
  ],
  ALLOWED_ATTR: ['href', 'src', 'alt', 'title', 'align', 'start', 'class'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#\/)/i,
  RETURN_DOM_FRAGMENT: true,
};

/** One that needs no request. */
const PICTURE = /^data:image\/(?:png|jpeg|gif|webp);base64,[\w+/=]+$/i;

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    html: ({ text }) => escapeHtml(text),
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
    // The page has its one first heading: the conversation's title.
    heading({ tokens, depth }) {
      const level = Math.max(depth, 2);
      return `<h${level}>${this.parser.parseInline(tokens)}</h${level}>`;
    },
    image({ href, text }) {
      const alt = escapeHtml(text);
      if (PICTURE.test(href)) {
        return `<img src="${escapeHtml(href)}" alt="${alt}">`;
      }
      return `<a href="${escapeHtml(href)}">${alt || 'picture'} (picture, not loaded)</a>`;
    },
  },
});

/** The Markdown each block was made of. @type {WeakMap<Element, string>} */
const sources = new WeakMap();

/**
 * Make *target* show *text*.
 *
 * @param {HTMLElement} target  Holds nothing but what this function put there.
 * @param {string} text
 */
export function showMarkdown(target, text) {
  const tokens = marked.lexer(text).filter(({ type }) => type !== 'space');
  tokens.forEach((token, index) => {
    const old = target.children[index];
    if (old && sources.get(old) === token.raw) return;
    const block = document.createElement('div');
    const html = marked.parser([token]);
    block.append(DOMPurify.sanitize(html, ALLOWED));
    finish(block);
    sources.set(block, token.raw);
    if (old) old.replaceWith(block);
    else target.append(block);
  });
  while (target.children.length > tokens.length) target.lastChild?.remove();
}

/** @param {HTMLElement} block */
function finish(block) {
  for (const link of block.querySelectorAll('a')) {
    if (link.getAttribute('href')?.startsWith('#/')) continue;
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
  }
  for (const table of block.querySelectorAll('table')) {
    const scroll = document.createElement('div');
    scroll.className = 'table-scroll';
    scroll.tabIndex = 0;
    table.replaceWith(scroll);
    scroll.append(table);
  }
  for (const pre of block.querySelectorAll('pre')) dressCode(pre);
}

/** @param {HTMLPreElement} pre */
function dressCode(pre) {
  const code = pre.querySelector('code');
  const name = /language-(\S+)/.exec(code?.className ?? '')?.[1] ?? '';
  code?.removeAttribute('class');
  const frame = fromTemplate('code-template');
  part(frame, 'language').textContent = name;
  const body = part(frame, 'pre');
  body.append(...pre.childNodes);
  attachCopy(
    part(frame, 'copy', HTMLButtonElement),
    () => body.textContent ?? '',
  );
  pre.replaceWith(frame);
}

/** @param {string} text */
function escapeHtml(text) {
  return text.replace(
    /[&<>"']/g,
    (character) => `&#${character.charCodeAt(0)};`,
  );
}
