/**
 * Ours and the systems it is compared with, behind the shape they have in common:
 * a test hands the same script to each.
 */

const MAKERS = {
  async ours() {
    const { IndexedDbAdapter } = await import('/client.js');
    return (options) => new IndexedDbAdapter(options);
  },
  original: () => original('original'),
  'original-1.13': () => original('original-1.13'),
  async 'wa-sqlite'() {
    const { WaSqliteAdapter } =
      await import('/tests/peers/wa-sqlite/adapter.js');
    return (options) => new WaSqliteAdapter(options);
  },
};

async function original(bundle) {
  const from = `/tests/peers/${bundle}/`;
  const { IndexedDbAdapter } = await import(`${from}adapter.js`);
  const sqlJsConfig = { locateFile: (name) => from + name };
  return (options) => new IndexedDbAdapter({ sqlJsConfig, ...options });
}

export class Side {
  #make;
  #dbName;
  #opened = [];

  constructor(make) {
    this.#make = make;
  }

  /** @param {string} name  Of a system. */
  static async load(name) {
    return new Side(await MAKERS[name]());
  }

  /** What a script gets. @param {string} dbName  Its test's database. */
  tools(dbName) {
    this.#dbName = dbName;
    return { dbName, open: this.open, save, outcomeOf, later };
  }

  open = async (options = {}) => {
    const db = this.#make({ dbName: this.#dbName, ...options });
    this.#opened.push(db);
    await db.open();
    return db;
  };

  /** Let go of what the scripts of a test left open. */
  async leave() {
    for (const db of this.#opened) await outcomeOf(() => db.close());
    this.#opened = [];
  }
}

/** Make durable: ours by `flush`, the original by what its timer calls. */
function save(db) {
  return db.flush ? db.flush() : db.saveToIndexedDb();
}

/** 'ok', the code of an error of ours, or another error as text. */
async function outcomeOf(work) {
  try {
    await work();
    return 'ok';
  } catch (error) {
    return typeof error?.code === 'string' ? error.code : String(error);
  }
}

function later(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
