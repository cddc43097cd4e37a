/** From nothing to the answer of a first query, in milliseconds. */

const ANSWER = 42;

/** A worker with Pyodide, and its own `sqlite3` on nothing. */
async function plain() {
  const url = new URL('plain-worker.js', import.meta.url);
  const worker = new Worker(url, { type: 'module' });
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => reject(new Error(message));
  });
}

/** All of it: the host, the lock, the stored database, the calls of a page. */
async function ours() {
  const { createAgentOSStorage } = await import('/client.js');
  const storage = await createAgentOSStorage({ platform: 'web' });
  const row = await storage.getAdapter().get('SELECT 6 * 7 AS answer');
  return row.answer;
}

export async function firstQuery(name) {
  const began = performance.now();
  const answer = await { ours, plain }[name]();
  if (answer !== ANSWER) throw new Error(`${name} answered ${answer}`);
  return performance.now() - began;
}

export async function keepFiles() {
  const url = new URL('service-worker.js', import.meta.url);
  await navigator.serviceWorker.register(url);
  while (!navigator.serviceWorker.controller) {
    await new Promise((resolve) => {
      navigator.serviceWorker.addEventListener('controllerchange', resolve, {
        once: true,
      });
    });
  }
}
