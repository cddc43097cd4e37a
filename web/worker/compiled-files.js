/**
 * The addresses of the WebAssembly files: they name the content.
 *
 * Compiling Python's runtime, function by function as they are called, is a third of
 * a start. A browser keeps what it has compiled beside the response that it came
 * from, and Chromium hands that to a shared worker only if the response is from its
 * HTTP cache (not from Cache Storage). There the service worker cannot check what it
 * hands out; so the address says what it must be, and the service worker has checked
 * that when it installed the release.
 */

const ROOT = new URL('../', import.meta.url);

/** Of the SHA-256 of each, by path. Replaced by build.py. */
/** @type {Record<string, string> | null} */
// prettier-ignore
const DIGESTS = null;

/** @param {string} path  Of a file of the app. */
export function addressOf(path) {
  const url = new URL(path, ROOT);
  const digest = /** @type {Record<string, string>} */ (DIGESTS ?? {})[path];
  if (digest) url.searchParams.set('of', digest);
  return url.href;
}
