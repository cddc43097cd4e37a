/**
 * A database whose content after commit *n* is known: commit *n* depends on
 * nothing but *n*. Whatever was killed in between, what is found must be the
 * content after some whole number of commits.
 */

import { IndexedDbAdapter } from '/client.js';

/**
 * @typedef {{id: number, size: number | null}} Change  Null: the row is deleted.
 * @typedef {Map<number, {step: number, size: number}>} Content  By id.
 */

const SLOTS = 48;

/** In bytes: a longer log is due for a checkpoint; see ARCHITECTURE.md. */
const SMALLEST_LOG = 8 * 2 ** 20;

/** A generator of numbers below *limit* (Mulberry32). */
function numbersOf(seed) {
  let state = (seed * 0x9e3779b1) >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

/** From none to 200 KB; most rows are small, as most rows are. */
function sizeOf(below) {
  const kind = below(10);
  if (kind < 5) return below(200);
  if (kind < 9) return below(20_000);
  return below(200_000);
}

/**
 * What commit *step* does, in order. Its last change writes a row, so the newest
 * row tells how many commits there were.
 *
 * @param {number} step
 * @param {number} scale
 * @returns {Change[]}
 */
function changesOf(step, scale) {
  const below = numbersOf(step);
  const changes = [];
  const deletes = below(4) === 0 ? 1 + below(6) : 0;
  for (let i = 0; i < deletes; i++) {
    changes.push({ id: below(SLOTS), size: null });
  }
  const writes = below(3) === 0 ? 2 + below(5) : 1;
  for (let i = 0; i < writes; i++) {
    changes.push({ id: below(SLOTS), size: scale * sizeOf(below) });
  }
  return changes;
}

/** Content that no other row and no other commit has. */
function payloadOf(id, step, size) {
  return `${step}/${id};`.repeat(size / 4 + 1).slice(0, size);
}

/** @returns {Content} What the first *count* commits leave. */
function contentAfter(count, scale) {
  const content = new Map();
  for (let step = 1; step <= count; step++) {
    for (const { id, size } of changesOf(step, scale)) {
      if (size === null) content.delete(id);
      else content.set(id, { step, size });
    }
  }
  return content;
}

/** @param {Change} change */
async function apply(db, step, { id, size }) {
  if (size === null) return db.run('DELETE FROM row WHERE id = ?', [id]);
  const payload = payloadOf(id, step, size);
  const { changes } = await db.run(
    'UPDATE row SET step = ?, payload = ? WHERE id = ?',
    [step, payload, id],
  );
  if (changes > 0) return null;
  return db.run('INSERT INTO row VALUES (?, ?, ?)', [id, step, payload]);
}

/** A single change is not wrapped: a statement of its own is a commit, too. */
async function commit(db, step, scale) {
  const changes = changesOf(step, scale);
  if (changes.length > 1) {
    return db.transaction(async (transaction) => {
      for (const change of changes) await apply(transaction, step, change);
    });
  }
  return apply(db, step, changes[0]);
}

export class NumberedCommits {
  #db;
  #scale;

  /** The newest commit that was acknowledged here. */
  acknowledged = 0;
  #stopped = false;

  /** @param {object} options  Of the adapter; `scale` makes rows larger. */
  constructor({ scale = 1, ...options }) {
    this.#scale = scale;
    this.#db = new IndexedDbAdapter(options);
  }

  async open() {
    await this.#db.open();
    await this.#db.exec(
      `CREATE TABLE IF NOT EXISTS row
         (id INTEGER PRIMARY KEY, step INTEGER NOT NULL, payload TEXT NOT NULL);
       CREATE INDEX IF NOT EXISTS row_step ON row (step)`,
    );
  }

  /**
   * @returns {Promise<{count: number, problems: string[], recovery: object}>}
   *   How many commits are there, and what contradicts that.
   */
  async check() {
    const problems = [];
    for (const line of await this.#db.all('PRAGMA integrity_check')) {
      if (line.integrity_check !== 'ok') problems.push(line.integrity_check);
    }
    const rows = await this.#db.all('SELECT id, step, payload FROM row');
    const count = Math.max(0, ...rows.map(({ step }) => step));
    const expected = contentAfter(count, this.#scale);
    for (const { id, step, payload } of rows) {
      const row = expected.get(id);
      if (!row) problems.push(`row ${id} of ${step} should be gone`);
      else if (row.step !== step)
        problems.push(`row ${id} is of ${step}, not of ${row.step}`);
      else if (payload !== payloadOf(id, step, row.size))
        problems.push(`row ${id} of ${step} has the wrong content`);
      expected.delete(id);
    }
    for (const [id, { step }] of expected)
      problems.push(`row ${id} of ${step} is missing`);
    const { recovery, epoch, logBytes } = await this.#details();
    return { count, problems, recovery, epoch, logBytes };
  }

  /**
   * Commit one after the other until stopped.
   *
   * @param {number} count  Commits that are there already.
   * @param {(step: number, at: number) => void} acknowledge  Called at once.
   */
  async write(count, acknowledge) {
    this.#stopped = false;
    for (let step = count + 1; !this.#stopped; step++) {
      await commit(this.#db, step, this.#scale);
      this.acknowledged = step;
      acknowledge(step, Date.now());
    }
  }

  stop() {
    this.#stopped = true;
  }

  flush() {
    return this.#db.flush();
  }

  status() {
    return this.#details();
  }

  /** Resolves when the log is so long that a checkpoint has been begun. */
  async checkpointBegins() {
    for (;;) {
      const { logBytes, databaseBytes } = await this.#details();
      if (logBytes > Math.max(SMALLEST_LOG, databaseBytes / 4)) return;
    }
  }

  async #details() {
    const status = await this.#db.status();
    return { ...status, ...status.details };
  }
}
