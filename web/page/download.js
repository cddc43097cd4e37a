/**
 * Hand a file to the browser's downloads.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  // The download has its own reference once it has begun.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
