/** Our side, seen from its page: every call goes to the worker that runs Python. */

export async function createSide() {
  const worker = new Worker('/bench/sides/ours-worker.js', { type: 'module' });
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
