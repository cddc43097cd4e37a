/** Which engine this is, where it matters and nothing better tells. */

/**
 * Every browser on an iPhone is one; Chromium only claims to be.
 *
 * @param {string} userAgent
 */
export function isWebKit(userAgent) {
  return /AppleWebKit/.test(userAgent) && !/Chrom(e|ium)\//.test(userAgent);
}
