/** Keeps whatever was fetched once, for both sides in the same way. */

addEventListener('activate', (event) => event.waitUntil(clients.claim()));

addEventListener('fetch', (event) => event.respondWith(answer(event.request)));

async function answer(request) {
  const cache = await caches.open('bench-start');
  const kept = await cache.match(request);
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await cache.put(request, response.clone());
  return response;
}
