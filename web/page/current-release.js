/** Which release this page is of. */

/** @type {Promise<string | null> | null} */
let release = null;

/** @returns {Promise<string | null>} Null if the app is served unbuilt. */
export function currentRelease() {
  release ??= read();
  return release;
}

async function read() {
  try {
    const response = await fetch(new URL('../release.json', import.meta.url));
    return response.ok ? (await response.json()).release : null;
  } catch {
    // Offline and not cached yet: it is asked for again with the next page.
    return null;
  }
}
