"""`/client.js`, as a developer uses it from an empty page of the origin.

The tests share one page and one host; each has a database of its own.
"""

import pytest

THREE_LINES = """async () => {
  const { createAgentOSStorage } = await import('/client.js');
  const db = (await createAgentOSStorage({ dbName: 'three' })).getAdapter();
  await db.run('CREATE TABLE note (text TEXT)');
  const { changes, lastInsertRowid } = await db.run(
    'INSERT INTO note VALUES (?)', ['one']);
  return [changes, lastInsertRowid, await db.all('SELECT * FROM note')];
}"""

OPEN = """async (dbName) => {
  globalThis.client = await import('/client.js');
  globalThis.storage = await client.createAgentOSStorage({ dbName });
  globalThis.db = storage.getAdapter();
  globalThis.codeOf = async (work) => {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof client.AppError)) throw error;
      return error.code;
    }
    return 'no error';
  };
}"""


@pytest.fixture
def name(request):
    """Of the test's own database."""
    return request.node.name


@pytest.fixture
def page(shared_page, name):
    """The page, with `client`, `storage` and `db` as globals."""
    shared_page.evaluate(OPEN, name)
    yield shared_page
    shared_page.evaluate("storage.close()")


def test_three_lines_are_enough(shared_page):
    """Open, write, read: no set-up, no configuration."""
    assert shared_page.evaluate(THREE_LINES) == [1, 1, [{"text": "one"}]]


def test_every_parameter_style_of_sqlite_is_bound(page):
    """Positional, numbered, and named with each of the three prefixes."""
    values = page.evaluate("""async () => {
      const one = async (sql, parameters) => (await db.get(sql, parameters)).v;
      return [
        await one("SELECT ? || ? AS v", ['a', 'b']),
        await one("SELECT ?2 || ?1 AS v", ['a', 'b']),
        await one("SELECT :x || :y AS v", { x: 'a', y: 'b' }),
        await one("SELECT @x || @y AS v", { '@x': 'a', '@y': 'b' }),
        await one("SELECT $x || $y AS v", { $x: 'a', y: 'b' }),
      ];
    }""")

    assert values == ["ab", "ba", "ab", "ab", "ab"]


def test_every_value_comes_back_as_it_went(page):
    """NULL, numbers, text of all planes, NUL, quotes, bytes."""
    is_same = page.evaluate("""async () => {
      const values = [
        null, 0, -1, 1.5, 1e300, 9007199254740991,
        '', 'Ünï 🚲 \\u{10ffff} מים', "it's; -- \\"x\\"", 'a\\u0000b',
      ];
      const bytes = new Uint8Array([0, 255, 128, 10]);
      await db.run('CREATE TABLE kept (v)');
      for (const value of values) await db.run('INSERT INTO kept VALUES (?)', [value]);
      await db.run('INSERT INTO kept VALUES (?)', [bytes]);
      const rows = await db.all('SELECT v FROM kept ORDER BY rowid');
      const last = rows.pop().v;
      return JSON.stringify(rows.map(({ v }) => v)) === JSON.stringify(values)
        && last instanceof Uint8Array && String(last) === String(bytes);
    }""")

    assert is_same is True


def test_an_integer_beyond_2_53_is_a_bigint_and_exact(page):
    """All of SQLite's 64 bits cross, in both directions."""
    values = page.evaluate("""async () => {
      const out = [];
      const most = 9223372036854775807n;
      for (const value of [most, -most - 1n, 2n ** 53n + 1n]) {
        const { v, t } = await db.get('SELECT ? AS v, typeof(?1) AS t', [value]);
        out.push([typeof v, String(v), v === value, t]);
      }
      return out;
    }""")

    assert values == [
        ["bigint", "9223372036854775807", True, "integer"],
        ["bigint", "-9223372036854775808", True, "integer"],
        ["bigint", "9007199254740993", True, "integer"],
    ]


def test_a_batch_keeps_the_good_rows(page):
    """One operation fails; it is named, and the others are there."""
    outcome = page.evaluate("""async () => {
      await db.exec('CREATE TABLE item (id INTEGER PRIMARY KEY)');
      const { successful, failed, errors } = await db.batch([
        { statement: 'INSERT INTO item VALUES (?)', parameters: [1] },
        { statement: 'INSERT INTO item VALUES (?)', parameters: [1] },
        { statement: 'INSERT INTO item VALUES (?)', parameters: [2] },
      ]);
      const rows = await db.all('SELECT id FROM item ORDER BY id');
      return [successful, failed, errors.map(({ index }) => index), rows];
    }""")

    assert outcome == [2, 1, [1], [{"id": 1}, {"id": 2}]]


def test_a_prepared_statement_runs_again_and_again(page):
    """`run`, `get`, `all`, then `finalize`."""
    outcome = page.evaluate("""async () => {
      await db.exec('CREATE TABLE item (id INTEGER)');
      const insert = await db.prepare('INSERT INTO item VALUES (?)');
      for (const id of [3, 1, 2]) await insert.run([id]);
      await insert.finalize();
      const select = await db.prepare('SELECT id FROM item WHERE id >= ? ORDER BY id');
      const found = [await select.get([2]), await select.all([2])];
      await select.finalize();
      return found;
    }""")

    assert outcome == [{"id": 2}, [{"id": 2}, {"id": 3}]]


def test_a_transaction_rolls_back_as_a_whole(page):
    """What threw leaves nothing; its error is the caller's."""
    outcome = page.evaluate("""async () => {
      await db.exec('CREATE TABLE item (id INTEGER)');
      let message = '';
      try {
        await db.transaction(async (t) => {
          await t.run('INSERT INTO item VALUES (1)');
          throw new Error('changed my mind');
        });
      } catch (error) {
        message = error.message;
      }
      return [message, await db.all('SELECT * FROM item')];
    }""")

    assert outcome == ["changed my mind", []]


def test_an_inner_transaction_rolls_back_alone(page):
    """A transaction within one is a savepoint."""
    rows = page.evaluate("""async () => {
      await db.exec('CREATE TABLE item (id INTEGER)');
      await db.transaction(async (outer) => {
        await outer.run('INSERT INTO item VALUES (1)');
        try {
          await outer.transaction(async (inner) => {
            await inner.run('INSERT INTO item VALUES (2)');
            throw new Error('only this part');
          });
        } catch {}
        await outer.run('INSERT INTO item VALUES (3)');
      });
      return db.all('SELECT id FROM item ORDER BY id');
    }""")

    assert rows == [{"id": 1}, {"id": 3}]


def test_two_transactions_of_a_page_do_not_mix(page):
    """They run one after the other, and other writes wait."""
    rows = page.evaluate("""async () => {
      await db.exec('CREATE TABLE step (name TEXT)');
      const twice = (name) => db.transaction(async (t) => {
        await t.run('INSERT INTO step VALUES (?)', [name]);
        await new Promise((resolve) => setTimeout(resolve, 20));
        await t.run('INSERT INTO step VALUES (?)', [name]);
      });
      await Promise.all([
        twice('a'), twice('b'), db.run("INSERT INTO step VALUES ('c')"),
      ]);
      const rows = await db.all('SELECT name FROM step ORDER BY rowid');
      return rows.map(({ name }) => name).join('');
    }""")

    assert "aa" in rows
    assert "bb" in rows
    assert sorted(rows) == list("aabbc")


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("db.run('SELEKT 1')", "sql"),
        ("db.run('INSERT INTO absent VALUES (1)')", "sql"),
        ("db.run('SELECT 1; SELECT 2')", "sql"),
        ("db.get('SELECT ?', [])", "sql_parameters"),
        ("db.get('SELECT ?', [1, 2])", "sql_parameters"),
        ("db.get('SELECT :x', { y: 1 })", "sql_parameters"),
        ("db.get('SELECT ?', [{}])", "sql_parameters"),
        (
            "db.exec('CREATE TABLE one (x UNIQUE);"
            "INSERT INTO one VALUES (1); INSERT INTO one VALUES (1)')",
            "sql_constraint",
        ),
        ("storage.conversations.rename('absent', 'x')", "record_not_found"),
        ("storage.restore('absent')", "restore_point_not_found"),
    ],
)
def test_an_error_has_a_code_and_a_message(page, call, code):
    """It is an `AppError`; the database goes on working."""
    assert page.evaluate(f"codeOf(() => {call})") == code
    assert page.evaluate("db.get('SELECT 1 AS v')") == {"v": 1}


def test_a_call_after_close_is_refused(page):
    """The error says that it is closed; other storages stay open."""
    code = page.evaluate("""async () => {
      const other = await client.createAgentOSStorage({ dbName: 'other' });
      await other.close();
      return codeOf(() => other.getAdapter().get('SELECT 1'));
    }""")

    assert code == "storage_closed"
    assert page.evaluate("db.get('SELECT 1 AS v')") == {"v": 1}


def test_what_was_acknowledged_in_commit_mode_is_there(context, open_app):
    """The page is closed at once after `await db.run`; the row is durable."""
    tab = open_app(context, "/tests/blank.html")
    tab.evaluate("""async () => {
      const { createAgentOSStorage } = await import('/client.js');
      const storage = await createAgentOSStorage({
        dbName: 'api', durability: 'commit',
      });
      const db = storage.getAdapter();
      await db.exec('CREATE TABLE note (text)');
      await db.run("INSERT INTO note VALUES ('acknowledged')");
    }""")
    tab.close()

    next_tab = open_app(context, "/tests/blank.html")
    next_tab.evaluate(OPEN, "api")

    assert next_tab.evaluate("db.all('SELECT * FROM note')") == [
        {"text": "acknowledged"}
    ]


def test_strict_mode_leaves_nothing_pending(shared_page):
    """After an awaited write, committed and durable are the same."""
    status = shared_page.evaluate("""async () => {
      const { createAgentOSStorage } = await import('/client.js');
      const storage = await createAgentOSStorage({
        dbName: 'strict', durability: 'strict',
      });
      await storage.getAdapter().exec('CREATE TABLE note (text)');
      return storage.status();
    }""")

    assert status["durability"] == "strict"
    assert status["durableSeq"] == status["committedSeq"] > 0
    assert status["pendingBytes"] == 0


def test_a_commit_of_another_tab_is_watched(page, name, wait_until):
    """The watcher hears of its tables, and only of those."""
    page.evaluate("""async () => {
      await db.exec('CREATE TABLE mine (x); CREATE TABLE other (x)');
      globalThis.heard = [];
      const changes = storage.watch(['mine']);
      void (async () => {
        for await (const { tables } of changes) heard.push([...tables]);
      })();
    }""")
    second = page.context.new_page()
    second.goto("/tests/blank.html")
    second.evaluate(OPEN, name)
    second.evaluate("db.run('INSERT INTO other VALUES (1)')")
    second.evaluate("db.run('INSERT INTO mine VALUES (1)')")

    wait_until(page, "heard.length > 0")
    second.close()

    assert page.evaluate("heard") == [["mine"]]


def test_an_export_is_a_sqlite_file_that_imports_again(page):
    """The bytes are a whole database; the import brings its rows back."""
    outcome = page.evaluate("""async () => {
      await storage.conversations.save('c-1', 'user-1', 'p-1', [
        { type: 'user_message', text: 'hello', timestamp: 1000 },
      ]);
      const bytes = await storage.exportDatabase();
      const head = new TextDecoder().decode(bytes.slice(0, 15));
      await storage.conversations.delete('c-1');
      const told = [];
      const { mode } = await storage.importDatabase(bytes, {
        mode: 'replace',
        onProgress: (progress) => told.push(progress),
      });
      const { items } = await storage.conversations.list();
      return [head, mode, items.map(({ id }) => id), told];
    }""")

    *imported, told = outcome
    assert imported == ["SQLite format 3", "replace", ["c-1"]]
    assert {"read", "copy", "check", "save", "done"} <= {t["phase"] for t in told}
    fractions = [t["fraction"] for t in told]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)


def test_an_aborted_call_ends_with_its_own_code(page):
    """A call and a stream end at once; the database goes on."""
    codes = page.evaluate("""async () => {
      const agent = new client.AgentOS();
      await agent.initialize({ storage });
      const signal = AbortSignal.abort();
      const stream = async () => {
        const chunks = agent.streamUserMessage({
          userId: 'u', personaId: 'p', userMessage: 'hello',
          conversationId: 'c-1', signal,
        });
        for await (const chunk of chunks) return chunk;
      };
      const endless = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
        SELECT count(*) FROM n`;
      return [
        await codeOf(stream),
        await codeOf(() => db.all(endless, [], { signal })),
      ];
    }""")

    assert codes == ["aborted", "aborted"]
    assert page.evaluate("db.get('SELECT 1 AS v')") == {"v": 1}


@pytest.mark.parametrize(
    "method",
    ["", "__init__", "storage.__class__", "db.constructor", "os.system", "toString"],
)
def test_a_method_that_the_table_does_not_name_is_not_reachable(page, method):
    """A call under another name ends with an error of its own code."""
    code = page.evaluate(
        """async (method) => {
          const { connectToHost } = await import('/page/rpc-client.js');
          // It is not of the bundle, and so are its errors.
          const answer = connectToHost().call(method, {});
          return answer.then(() => 'no error', ({ code }) => code);
        }""",
        method,
    )

    assert code == "unknown_method"
