/** What this browser can do, as the host sees it. */

/** @returns {Record<string, boolean>} */
export function features() {
  const { navigator } = globalThis;
  return {
    indexedDB: 'indexedDB' in globalThis,
    webLocks: Boolean(navigator?.locks),
    sharedWorker: 'onconnect' in globalThis,
    broadcastChannel: 'BroadcastChannel' in globalThis,
    cacheStorage: 'caches' in globalThis,
    compressionStreams: 'CompressionStream' in globalThis,
    storageEstimate: Boolean(navigator?.storage?.estimate),
    storagePersist: Boolean(navigator?.storage?.persisted),
  };
}
