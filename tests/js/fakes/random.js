/**
 * Chance that repeats itself: the same seed, the same history.
 *
 * Source: mulberry32, https://gist.github.com/tommyettinger/46a874533244883189143505d203312c
 */
export class Random {
  #state;

  /** @param {number} seed */
  constructor(seed) {
    this.#state = seed >>> 0;
  }

  /**
   * @param {number} below
   * @returns {number} A whole number from 0 on.
   */
  below = (below) => {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x100000000) * below);
  };

  /** @param {number} probability  From 0 to 1. */
  chance(probability) {
    return this.below(1_000_000) < probability * 1_000_000;
  }

  /**
   * @template T
   * @param {readonly T[]} choices
   * @returns {T}
   */
  pick(choices) {
    return /** @type {T} */ (choices[this.below(choices.length)]);
  }
}
