/**
 * Keeps one release of the app, as a whole, so that it works without a network.
 *
 * Rule 1: one release, one cache. Each file is checked against the SHA-256 that
 *         build.py wrote below; a server that is half-way through an update
 *         fails the installation, and the release before it stays.
 * Rule 2: a page gets files of the release of this worker, or an error; never a
 *         file of another release.
 * Rule 3: a new release waits until its user asks for it. All tabs then change
 *         together: the page posts `skip-waiting` and reloads.
 * Rule 4: only caches of our own name are ever deleted, and only those of other
 *         releases, and only once this one is active.
 * Rule 5: requests to other origins and requests that change something are not
 *         touched: they are calls of a model, and none of our business.
 *
 * Our own sixty lines instead of a library: what matters here is Rule 1, which
 * Workbox leaves to the file names, and that nothing is skipped for its size.
 */

/**
 * @typedef {object} Release
 * @property {string} release  The hash of all files.
 * @property {Record<string, string>} files  SHA-256 in hex, by path.
 * @property {number} bytes  Of all files.
 */

/** Replaced by build.py; served unbuilt, this worker does nothing. */
/** @type {Release | null} */
// prettier-ignore
const RELEASE = null;

const PREFIX = 'pyodide-app:release:';

const RELEASE_FILE = 'release.json';

/** Files fetched at once: the large ones need the line for themselves. */
const AT_ONCE = 4;

const worker = /** @type {ServiceWorkerGlobalScope} */ (
  /** @type {unknown} */ (self)
);

const release = /** @type {Release | null} */ (RELEASE);

if (release) serve(release);

/** @param {Release} release */
function serve(release) {
  const { files } = release;
  const cacheName = PREFIX + release.release;
  const scope = new URL('./', worker.location.href).href;

  worker.addEventListener('install', (event) => {
    event.waitUntil(install());
  });

  worker.addEventListener('activate', (event) => {
    event.waitUntil(activate());
  });

  worker.addEventListener('message', (event) => {
    if (event.data?.type === 'skip-waiting')
      event.waitUntil(worker.skipWaiting());
  });

  worker.addEventListener('fetch', (event) => {
    const { request } = event;
    const path = pathOf(request);
    if (path !== null) event.respondWith(answer(path));
  });

  /**
   * @param {Request} request
   * @returns {string | null}  `null` if it is not ours to answer.
   */
  function pathOf({ method, url }) {
    if (method !== 'GET' || !url.startsWith(scope)) return null;
    const { href, search, hash } = new URL(url);
    const end = href.length - search.length - hash.length;
    const path = decodeURI(href.slice(scope.length, end));
    if (path in files || path === RELEASE_FILE) return path;
    // Routes are in the fragment: no other page is of the app.
    return path === '' ? 'index.html' : null;
  }

  async function install() {
    const cache = await caches.open(cacheName);
    const present = new Set((await cache.keys()).map(({ url }) => url));
    const wanted = Object.keys(files).filter(
      (path) => !present.has(urlOf(path)),
    );
    let done = Object.keys(files).length - wanted.length;
    const total = Object.keys(files).length;
    const take = async () => {
      for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
        await keep(cache, path);
        done += 1;
        await tell({ type: 'precache-progress', done, total });
      }
    };
    try {
      await Promise.all(Array.from({ length: AT_ONCE }, take));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      await tell({ type: 'precache-failed', message });
      throw error;
    }
  }

  async function activate() {
    const names = await caches.keys();
    const old = names.filter(
      (name) => name.startsWith(PREFIX) && name !== cacheName,
    );
    await Promise.all(old.map((name) => caches.delete(name)));
    // The page of the first visit came from the network, as this release.
    await worker.clients.claim();
  }

  /** @param {string} path */
  async function answer(path) {
    // What names the release cannot contain its own hash, and what the server
    // has by now may be another one.
    if (path === RELEASE_FILE) return Response.json(release);
    const cache = await caches.open(cacheName);
    const kept = await cache.match(urlOf(path));
    // The browser may have cleared the cache: then the network, if it is the
    // same release.
    return kept ?? keep(cache, path);
  }

  /**
   * Fetch one file of this release into its cache.
   *
   * @param {Cache} cache
   * @param {string} path
   * @returns {Promise<Response>}
   * @throws {Error} If the server has another release of it.
   */
  async function keep(cache, path) {
    const url = urlOf(path);
    const response =
      (await fromOlderRelease(url, files[path])) ??
      (await fetch(url, { cache: 'no-cache' }));
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    const body = await response.arrayBuffer();
    if ((await sha256(body)) !== files[path]) {
      throw new Error(`${path} is of another release; reload in a moment`);
    }
    const checked = new Response(body, { headers: headersOf(response) });
    await cache.put(url, checked.clone());
    return checked;
  }

  /**
   * What did not change since the last release is not fetched again.
   *
   * @param {string} url
   * @param {string} hash
   * @returns {Promise<Response | null>}
   */
  async function fromOlderRelease(url, hash) {
    for (const name of await caches.keys()) {
      if (!name.startsWith(PREFIX) || name === cacheName) continue;
      const cache = await caches.open(name);
      const kept = await cache.match(url);
      if (!kept) continue;
      const body = await kept.clone().arrayBuffer();
      if ((await sha256(body)) === hash) return kept;
    }
    return null;
  }

  /** @param {string} path */
  function urlOf(path) {
    return new URL(encodeURI(path), scope).href;
  }
}

/**
 * The policy must hold for a cached page too; how the body was packed does not.
 *
 * @param {Response} response
 */
function headersOf({ headers }) {
  const kept = new Headers(headers);
  kept.delete('content-encoding');
  kept.delete('content-length');
  return kept;
}

/** @param {ArrayBuffer} body */
async function sha256(body) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @param {object} message */
async function tell(message) {
  const clients = await worker.clients.matchAll({
    type: 'window',
    includeUncontrolled: true,
  });
  for (const client of clients) client.postMessage(message);
}
