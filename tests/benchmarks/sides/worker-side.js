/** A side that runs in a worker: each call is one message there and one back. */

/** @param {string} url  Of the worker. */
export function workerSide(url) {
  const worker = new Worker(url, { type: 'module' });
  const calls = [];
  worker.onmessage = ({ data }) => {
    const { resolve, reject } = calls.shift();
    if ('error' in data) reject(new Error(data.error));
    else resolve(data.result);
  };
  worker.onerror = ({ message }) => {
    for (const { reject } of calls.splice(0)) reject(new Error(message));
  };
  return (method, args) =>
    new Promise((resolve, reject) => {
      calls.push({ resolve, reject });
      worker.postMessage({ method, args });
    });
}

/**
 * In the worker.
 *
 * @param {(method: string, args: any) => any} call
 */
export function answerFromWorker(call) {
  globalThis.onmessage = async ({ data: { method, args } }) => {
    try {
      globalThis.postMessage({ result: await call(method, args) });
    } catch (error) {
      globalThis.postMessage({ error: String(error?.stack ?? error) });
    }
  };
}
