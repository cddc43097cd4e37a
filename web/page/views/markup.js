/** How views find and make their elements; index.html is where these are. */

/**
 * @template {Element} [E=HTMLElement]
 * @param {string} id
 * @param {new () => E} [type]
 * @returns {E}
 * @throws {TypeError} If index.html has no such element of that type.
 */
export function byId(id, type) {
  return checked(document.getElementById(id), `#${id}`, type);
}

/**
 * @template {Element} [E=HTMLElement]
 * @param {ParentNode} root
 * @param {string} name  Of its `data-part`.
 * @param {new () => E} [type]
 * @returns {E}
 */
export function part(root, name, type) {
  const selector = `[data-part="${name}"]`;
  return checked(root.querySelector(selector), selector, type);
}

/**
 * A copy of the one element in a template.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function fromTemplate(id) {
  const template = byId(id, HTMLTemplateElement);
  const element = template.content.firstElementChild?.cloneNode(true);
  return checked(/** @type {Element} */ (element), `${id} content`);
}

/**
 * Say it to a screen reader, once.
 *
 * @param {string} text
 */
export function announce(text) {
  byId('chat-status').textContent = text;
}

/**
 * Name a button that shows only an icon.
 *
 * @param {HTMLElement} button
 * @param {string} label
 */
export function labelled(button, label) {
  button.setAttribute('aria-label', label);
  button.title = label;
}

/**
 * Fill a `<dl>`; values that are `null` are left out.
 *
 * @param {HTMLElement} list
 * @param {[string, string | null][]} facts
 */
export function showFacts(list, facts) {
  const items = facts.flatMap(([name, value]) => {
    if (value === null) return [];
    const term = document.createElement('dt');
    const description = document.createElement('dd');
    term.textContent = name;
    description.textContent = value;
    return [term, description];
  });
  list.replaceChildren(...items);
}

/**
 * The text of an error for a person.
 *
 * @param {unknown} error
 */
export function messageOf(error) {
  const text = error instanceof Error ? error.message : String(error);
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

/** @param {unknown} error */
export function codeOf(error) {
  if (typeof error !== 'object' || error === null) return null;
  const { code } = /** @type {{ code?: unknown }} */ (error);
  return typeof code === 'string' ? code : null;
}

/**
 * @template {Element} [E=HTMLElement]
 * @param {Element | null | undefined} element
 * @param {string} name
 * @param {new () => E} [type]
 * @returns {E}
 */
function checked(element, name, type) {
  const wanted = type ?? HTMLElement;
  if (!(element instanceof wanted)) {
    throw new TypeError(`index.html has no ${wanted.name} ${name}`);
  }
  return /** @type {E} */ (/** @type {unknown} */ (element));
}
