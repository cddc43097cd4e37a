"""The original's defects in running SQL: what a user expects, on both sides.

Each test hands one script to our adapter and to the original's, in one browser. The
second assertion is there to tell when the original stops failing. Its defects are
numbered as in docs/reliability-peers.md.
"""

ROLLED_BACK_LATE = """async ({ open, outcomeOf, later }) => {
  const refused = [];
  const hear = (event) => {
    refused.push(String(event.reason));
    event.preventDefault();
  };
  addEventListener('unhandledrejection', hear);
  const db = await open({ saveIntervalMs: 50 });
  await db.exec('CREATE TABLE step (name)');
  const ends = await outcomeOf(() => db.transaction(async (t) => {
    await t.run("INSERT INTO step VALUES ('a')");
    await later(300);
    await t.run("INSERT INTO step VALUES ('b')");
    throw new Error('changed my mind');
  }));
  removeEventListener('unhandledrejection', hear);
  const rows = await db.all('SELECT name FROM step');
  return [ends, rows.map(({ name }) => name), refused.length > 0];
}"""

EXPORTED_INSIDE = """async ({ open, outcomeOf }) => {
  const db = await open();
  await db.exec('CREATE TABLE step (name)');
  let exported = '';
  const ends = await outcomeOf(() => db.transaction(async (t) => {
    await t.run("INSERT INTO step VALUES ('a')");
    exported = await outcomeOf(async () => db.exportDatabase());
    await t.run("INSERT INTO step VALUES ('b')");
  }));
  const rows = await db.all('SELECT name FROM step');
  return [exported, ends, rows.map(({ name }) => name)];
}"""


def test_d08_saving_leaves_an_open_transaction_alone(ours, original, older_original):
    """It lasts longer than the interval, and is rolled back as a whole."""
    assert ours(ROLLED_BACK_LATE) == ["Error: changed my mind", [], False]

    assert original(ROLLED_BACK_LATE) == ["Error: changed my mind", [], True]
    assert older_original(ROLLED_BACK_LATE) == [
        "Error: cannot rollback - no transaction is active",
        ["b"],
        False,
    ]


def test_d08_an_export_inside_a_transaction_breaks_nothing(
    ours, original, older_original
):
    """It is refused at once, and the transaction goes on and commits."""
    assert ours(EXPORTED_INSIDE) == ["transaction", "ok", ["a", "b"]]

    refused, *_ = original(EXPORTED_INSIDE)
    assert "SQLite is busy" in refused
    assert older_original(EXPORTED_INSIDE) == [
        "ok",
        "Error: cannot rollback - no transaction is active",
        ["b"],
    ]


def test_d09_transactions_are_isolated(ours, original):
    """Two at once, one undone beside another's write, and one within another."""
    script = """async ({ open, outcomeOf, later }) => {
      const db = await open();
      await db.exec('CREATE TABLE step (name)');
      const twice = (name) => outcomeOf(() => db.transaction(async (t) => {
        await t.run('INSERT INTO step VALUES (?)', [name]);
        await later(20);
        await t.run('INSERT INTO step VALUES (?)', [name]);
      }));
      const both = await Promise.all([twice('a'), twice('b')]);
      const undone = outcomeOf(() => db.transaction(async (t) => {
        await t.run("INSERT INTO step VALUES ('undone')");
        await later(20);
        throw new Error('changed my mind');
      }));
      const beside = await outcomeOf(() => db.run("INSERT INTO step VALUES ('c')"));
      await undone;
      const within = await outcomeOf(() => db.transaction((outer) =>
        outer.transaction((inner) => inner.run("INSERT INTO step VALUES ('d')"))));
      const rows = await db.all('SELECT name FROM step ORDER BY rowid');
      return [...both, beside, within, rows.map(({ name }) => name).join('')];
    }"""
    within = "Error: cannot start a transaction within a transaction"

    assert ours(script) == ["ok", "ok", "ok", "ok", "aabbcd"]

    assert original(script) == ["ok", within, "ok", within, "aa"]


def test_d10_pragmas_and_temporary_tables_survive_a_flush(
    ours, original, older_original
):
    script = """async ({ open, outcomeOf, later }) => {
      const db = await open({ saveIntervalMs: 50 });
      await db.run('PRAGMA foreign_keys = ON');
      await db.exec('CREATE TEMP TABLE scratch (v); CREATE TABLE kept (v)');
      await later(300);
      const { foreign_keys: on } = await db.get('PRAGMA foreign_keys');
      return [on, await outcomeOf(() => db.all('SELECT * FROM scratch'))];
    }"""

    assert ours(script) == [1, "ok"]

    assert original(script) == [1, "ok"]  # sql.js 1.16 has fixed it
    assert older_original(script) == [0, "Error: no such table: scratch"]


def test_d15_a_parameter_is_bound_by_its_bare_name(ours, original):
    script = """async ({ open }) => {
      const db = await open();
      const { a, b, c } = await db.get(
        'SELECT :v AS a, @v AS b, $v AS c', { v: 'x' });
      return [a, b, c];
    }"""

    assert ours(script) == ["x", "x", "x"]

    assert original(script) == [None, None, None]


def test_d16_what_run_would_drop_is_refused(ours, original):
    """A second statement, and a parameter that is not given."""
    script = """async ({ open, outcomeOf }) => {
      const db = await open();
      await db.exec('CREATE TABLE two (v)');
      const outcomes = [
        await outcomeOf(() => db.run(
          'INSERT INTO two VALUES (1); INSERT INTO two VALUES (2)')),
        await outcomeOf(() => db.run('INSERT INTO two VALUES (?)', [])),
      ];
      const rows = await db.all('SELECT v FROM two');
      return [...outcomes, rows.map(({ v }) => v)];
    }"""

    assert ours(script) == ["sql", "sql_parameters", []]

    assert original(script) == ["ok", "ok", [1, None]]


def test_d17_changes_counts_this_statement_only(ours, original):
    """A definition and a query change no rows."""
    script = """async ({ open }) => {
      const db = await open();
      await db.exec('CREATE TABLE three (v)');
      await db.run('INSERT INTO three VALUES (1), (2), (3)');
      const definition = await db.run('CREATE TABLE four (v)');
      const query = await db.run('SELECT 1');
      return [definition.changes, query.changes];
    }"""

    assert ours(script) == [0, 0]

    assert original(script) == [3, 3]


def test_d18_an_integer_beyond_2_53_is_found_again(ours, original):
    """It comes back exactly, and a BigInt is stored as an integer."""
    script = """async ({ open }) => {
      const db = await open();
      await db.exec(`CREATE TABLE big (id INTEGER);
        INSERT INTO big VALUES (9007199254740993)`);
      const { id } = await db.get('SELECT id FROM big');
      const found = await db.all('SELECT 1 FROM big WHERE id = ?', [id]);
      const { t } = await db.get('SELECT typeof(?) AS t', [9007199254740993n]);
      return [String(id), found.length, t];
    }"""

    assert ours(script) == ["9007199254740993", 1, "integer"]

    assert original(script) == ["9007199254740992", 0, "text"]


def test_d19_no_column_is_lost(ours, original):
    """Equal names get a suffix; a name that means something to JavaScript stays."""
    script = """async ({ open }) => {
      const db = await open();
      return [
        Object.entries(await db.get('SELECT 1 AS a, 2 AS a')),
        Object.entries(await db.get('SELECT 1 AS "__proto__"')),
      ];
    }"""

    assert ours(script) == [[["a", 1], ["a:1", 2]], [["__proto__", 1]]]

    assert original(script) == [[["a", 2]], []]


def test_d19_a_value_that_sqlite_does_not_know_is_a_typed_error(ours, original):
    """Arrays, NaN, dates and objects are refused; `undefined` is NULL."""
    script = """async ({ open, outcomeOf }) => {
      const db = await open();
      const values = [[1, 2], NaN, new Date(0), {}, undefined];
      const outcomes = [];
      for (const value of values) {
        const one = () => db.get('SELECT typeof(?) AS t', [value]);
        const outcome = await outcomeOf(one);
        outcomes.push(outcome === 'ok' ? (await one()).t : outcome);
      }
      return outcomes;
    }"""

    assert ours(script) == [
        "sql_parameters",
        "sql_parameters",
        "invalid_arguments",
        "sql_parameters",
        "null",
    ]

    array, nan, *strings = original(script)
    assert (array, nan) == ("blob", "null")
    # A thrown string has no "Error: " before it.
    assert all(text.startswith("Wrong API use") for text in strings)


def test_d27_a_long_query_does_not_stop_the_page(ours, original):
    """A timer goes on ticking meanwhile."""
    script = """async ({ open }) => {
      const db = await open();
      let ticks = 0;
      const timer = setInterval(() => ticks++, 5);
      await db.get(`WITH RECURSIVE n (i) AS
        (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 2000000)
        SELECT count(*) FROM n`);
      clearInterval(timer);
      return ticks;
    }"""

    assert ours(script) > 1

    assert original(script) == 0


def test_d28_full_text_search_and_rtree_are_there(ours, original):
    script = """async ({ open, outcomeOf }) => {
      const db = await open();
      const make = (columns) => outcomeOf(() =>
        db.exec(`CREATE VIRTUAL TABLE "${columns}" USING ${columns}`));
      return [await make('fts5 (body)'), await make('rtree (id, low, high)')];
    }"""

    assert ours(script) == ["ok", "ok"]

    assert original(script) == [
        "Error: no such module: fts5",
        "Error: no such module: rtree",
    ]


def test_d29_get_computes_one_row(ours, original):
    """The second one would fail."""
    script = """async ({ open, outcomeOf }) => {
      const db = await open();
      return outcomeOf(() => db.get(`SELECT
        CASE value WHEN 1 THEN 1 ELSE abs(-9223372036854775807 - 1) END
        FROM json_each('[1, 2]')`));
    }"""

    assert ours(script) == "ok"

    assert original(script) == "Error: integer overflow"


def test_d30_text_comes_back_or_is_refused(ours, original, older_original):
    """NUL comes back; half a surrogate pair is no text."""
    script = """async ({ open, outcomeOf }) => {
      const db = await open();
      const sent = async (text) => {
        let back;
        const outcome = await outcomeOf(async () => {
          back = (await db.get('SELECT ? AS v', [text])).v;
        });
        return outcome === 'ok' ? back === text : outcome;
      };
      return [await sent('a\\u0000b'), await sent('\\ud800')];
    }"""

    assert ours(script) == [True, "sql_parameters"]

    assert original(script) == [True, False]
    assert older_original(script) == [False, False]
