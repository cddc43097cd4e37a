/**
 * Which slots of an image file are free.
 *
 * A slot is held if a table that may be found in storage lists it: it is never
 * written again until that table has gone. A fresh one is listed by nothing but
 * memory, and may be freed at once.
 */

const FREE = 0;
const HELD = 1;
const FRESH = 2;

export class SlotSpace {
  #states = new Uint8Array(64);

  /** Where to look for a free one: there is none before. */
  #hint = 0;

  /** Slots that are in use or lie before one that is. */
  end = 0;

  /** Found to be fresh since the last `hold`. @type {number[]} */
  #fresh = [];

  /** @returns {number} The lowest free slot; it is fresh now. */
  allocate() {
    while (this.#hint < this.end && this.#states[this.#hint] !== FREE) {
      this.#hint++;
    }
    const slot = this.#hint++;
    if (slot >= this.#states.length) this.#grow(slot + 1);
    this.#states[slot] = FRESH;
    this.#fresh.push(slot);
    this.end = Math.max(this.end, slot + 1);
    return slot;
  }

  /** Nothing needs it any more, unless it is held. @param {number} slot */
  release(slot) {
    if (this.#states[slot] !== FRESH) return;
    this.#states[slot] = FREE;
    this.#hint = Math.min(this.#hint, slot);
  }

  /** What is fresh now is held from now on. */
  hold() {
    for (const slot of this.#fresh) {
      if (this.#states[slot] === FRESH) this.#states[slot] = HELD;
    }
    this.#fresh = [];
  }

  /**
   * Free all that these do not list, and hold all that they do.
   *
   * @param {Iterable<Iterable<number>>} lists
   */
  keepOnly(lists) {
    this.#states.fill(FREE);
    this.#fresh = [];
    this.#hint = 0;
    this.end = 0;
    for (const slots of lists) {
      for (const slot of slots) {
        if (slot >= this.#states.length) this.#grow(slot + 1);
        this.#states[slot] = HELD;
        if (slot >= this.end) this.end = slot + 1;
      }
    }
  }

  /** @param {number} length */
  #grow(length) {
    const states = new Uint8Array(Math.max(length, 2 * this.#states.length));
    states.set(this.#states);
    this.#states = states;
  }
}
