/**
 * The page's side of the service worker: works offline, offers a new release.
 *
 * Rule 1: a release is changed only by the person, for all tabs at once. Until
 *         then every tab goes on with the one it was loaded from.
 * Rule 2: the first worker takes over a page that the network served with the
 *         same release: that is no reason to reload.
 */

/**
 * @typedef {object} ReleaseEvents
 * @property {(text: string) => void} onOffline  How far it is with working offline.
 * @property {(reload: () => void) => void} onNewRelease
 */

/** @param {ReleaseEvents} on */
export async function followReleases({ onOffline, onNewRelease }) {
  if (!('serviceWorker' in navigator)) {
    onOffline('not in this browser');
    return;
  }
  const { serviceWorker } = navigator;
  let isReloading = false;
  const hadController = serviceWorker.controller !== null;
  if (hadController) onOffline('ready');
  serviceWorker.addEventListener('controllerchange', () => {
    onOffline('ready');
    if (!hadController || isReloading) return;
    isReloading = true;
    location.reload();
  });
  serviceWorker.addEventListener('message', ({ data }) => {
    // What is being fetched beside a release that works is not its business.
    if (serviceWorker.controller) return;
    if (data?.type === 'precache-progress') {
      onOffline(`${Math.floor((100 * data.done) / data.total)} %`);
    }
    if (data?.type === 'precache-failed') onOffline(data.message);
  });
  serviceWorker.startMessages();
  try {
    const registration = await serviceWorker.register('./service-worker.js');
    watchWaiting(registration, onNewRelease);
  } catch (error) {
    // Blocked by the browser's settings: it works, but only with a network.
    onOffline(`no: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * @param {ServiceWorkerRegistration} registration
 * @param {ReleaseEvents['onNewRelease']} onNewRelease
 */
function watchWaiting(registration, onNewRelease) {
  const offer = () => {
    const { waiting } = registration;
    // Without an active worker, what waits is the first one: nothing is new.
    if (!waiting || !registration.active) return;
    onNewRelease(() => waiting.postMessage({ type: 'skip-waiting' }));
  };
  offer();
  registration.addEventListener('updatefound', () => {
    registration.installing?.addEventListener('statechange', offer);
  });
}
