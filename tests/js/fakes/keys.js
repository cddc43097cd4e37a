/**
 * IndexedDB keys: their order, and ranges of them.
 *
 * Source: https://w3c.github.io/IndexedDB/#key-construct
 */

/** @typedef {number | string | Key[]} Key  The kinds that the store uses. */

/** @param {Key} key */
function rank(key) {
  if (typeof key === 'number' && !Number.isNaN(key)) return 1;
  if (typeof key === 'string') return 2;
  if (Array.isArray(key)) return 3;
  throw new DOMException('this is no key', 'DataError');
}

/**
 * @param {Key} a
 * @param {Key} b
 * @returns {number} Negative, zero or positive.
 */
export function compareKeys(a, b) {
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (!Array.isArray(a) || !Array.isArray(b)) {
    return a < b ? -1 : a > b ? 1 : 0;
  }
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareKeys(
      /** @type {Key} */ (a[i]),
      /** @type {Key} */ (b[i]),
    );
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

export class FakeKeyRange {
  /**
   * @param {Key | undefined} lower
   * @param {Key | undefined} upper
   * @param {boolean} lowerOpen
   * @param {boolean} upperOpen
   */
  constructor(lower, upper, lowerOpen, upperOpen) {
    this.lower = lower;
    this.upper = upper;
    this.lowerOpen = lowerOpen;
    this.upperOpen = upperOpen;
    if (lower === undefined || upper === undefined) return;
    const order = compareKeys(lower, upper);
    if (order > 0 || (order === 0 && (lowerOpen || upperOpen))) {
      throw new DOMException('the range is empty', 'DataError');
    }
  }

  /** @param {Key} key */
  static only(key) {
    return new FakeKeyRange(key, key, false, false);
  }

  /**
   * @param {Key} lower
   * @param {boolean} [open]
   */
  static lowerBound(lower, open = false) {
    return new FakeKeyRange(lower, undefined, open, true);
  }

  /**
   * @param {Key} upper
   * @param {boolean} [open]
   */
  static upperBound(upper, open = false) {
    return new FakeKeyRange(undefined, upper, true, open);
  }

  /**
   * @param {Key} lower
   * @param {Key} upper
   * @param {boolean} [lowerOpen]
   * @param {boolean} [upperOpen]
   */
  static bound(lower, upper, lowerOpen = false, upperOpen = false) {
    return new FakeKeyRange(lower, upper, lowerOpen, upperOpen);
  }

  /** @param {Key} key */
  includes(key) {
    if (this.lower !== undefined) {
      const order = compareKeys(key, this.lower);
      if (order < 0 || (order === 0 && this.lowerOpen)) return false;
    }
    if (this.upper !== undefined) {
      const order = compareKeys(key, this.upper);
      if (order > 0 || (order === 0 && this.upperOpen)) return false;
    }
    return true;
  }
}

/**
 * @param {Key | FakeKeyRange | null | undefined} query
 * @returns {FakeKeyRange}
 */
export function rangeOf(query) {
  if (query instanceof FakeKeyRange) return query;
  if (query === null || query === undefined) {
    return new FakeKeyRange(undefined, undefined, false, false);
  }
  return FakeKeyRange.only(query);
}
