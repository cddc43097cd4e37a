/**
 * This worker's `fetch`, for what is asked for later by code that is not ours.
 *
 * Rule 1: what was fetched ahead is handed out once, as the browser gave it.
 * Rule 2: progress is of bytes that have really arrived, on a first visit. Later
 *         they are here sooner than they could be counted.
 * Rule 3: what cannot be fetched is looked for in Cache Storage: offline requests of
 *         a dedicated worker pass the service worker by in Firefox (Gecko bug
 *         2067202).
 */

const ROOT = new URL('../', import.meta.url);

/** @type {Map<string, Promise<Response>>} */
const ahead = new Map();

/** The browser's own; null before it was replaced. @type {typeof fetch | null} */
let network = null;

/**
 * @param {string[]} urls
 * @param {(share: number) => void} onShare  Of all their bytes; on a first visit.
 */
export function fetchAhead(urls, onShare) {
  takeOver();
  const areCounted = areMissing(urls);
  /** @type {Promise<Response | null>[]} */
  const copies = urls.map(async (url) => {
    const response = fetchOrFind(url);
    /** @type {Promise<Response | null>} */
    const copy = response.then(async (whole) =>
      (await areCounted) ? whole.clone() : null,
    );
    // Copied first: what is being read has no copies.
    ahead.set(
      url,
      copy.then(() => response),
    );
    return copy;
  });
  // Whoever asks for one is told why it is missing.
  for (const response of ahead.values()) response.catch(() => {});
  countArrivals(copies, onShare).catch(() => {});
}

function takeOver() {
  if (network) return;
  network = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : `${input}`;
    const early = ahead.get(url);
    ahead.delete(url);
    return early ?? fetchOrFind(input, init);
  };
}

/**
 * @param {RequestInfo | URL} input
 * @param {RequestInit} [init]
 */
async function fetchOrFind(input, init) {
  try {
    return await /** @type {typeof fetch} */ (network)(input, init);
  } catch (error) {
    const { method, url } = new Request(input, init);
    const isOurs = method === 'GET' && url.startsWith(ROOT.href);
    const cached = isOurs ? await globalThis.caches?.match(url) : undefined;
    if (cached) return cached;
    throw error;
  }
}

/**
 * @param {Promise<Response | null>[]} copies
 * @param {(share: number) => void} onShare
 */
async function countArrivals(copies, onShare) {
  const responses = (await Promise.all(copies)).filter((copy) => copy !== null);
  const total = responses.reduce(
    (sum, { headers }) => sum + Number(headers.get('content-length')),
    0,
  );
  let arrived = 0;
  const drain = async (/** @type {Response} */ { body }) => {
    const reader = body?.getReader();
    for (;;) {
      const part = await reader?.read();
      if (!part || part.done) return;
      arrived += part.value.length;
      if (total > 0) onShare(Math.min(1, arrived / total));
    }
  };
  await Promise.all(responses.map(drain));
}

/**
 * Whether this device does not keep them yet.
 *
 * @param {string[]} urls
 */
async function areMissing(urls) {
  try {
    const found = urls.map((url) => caches.match(url));
    return !(await Promise.all(found)).every(Boolean);
  } catch {
    // There is no Cache Storage, or it is blocked.
    return true;
  }
}
