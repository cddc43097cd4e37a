"""Who owns the database, and what becomes of the tabs that leave or stay."""

OPEN = """async (options) => {
  globalThis.client = await import('/client.js');
  globalThis.storage = await client.createAgentOSStorage({
    dbName: 'tabs', ...options,
  });
  globalThis.db = storage.getAdapter();
}"""

CODE_OF_OPEN = """async () => {
  const { createAgentOSStorage } = await import('/client.js');
  try {
    await createAgentOSStorage({ dbName: 'tabs' });
    return 'opened';
  } catch (error) {
    return error.code;
  }
}"""

BEGIN_AND_STAY = """() => new Promise((resolve) => {
  void db.transaction(async (t) => {
    await t.run("INSERT INTO note VALUES ('never committed')");
    resolve();
    await new Promise(() => {});
  });
})"""


def test_a_tab_that_dies_in_a_transaction_undoes_it(context, open_app):
    """The others wait no longer than it takes to notice; nothing half is left."""
    stays = open_app(context, "/tests/blank.html")
    stays.evaluate(OPEN)
    stays.evaluate("db.exec('CREATE TABLE note (text)')")
    leaves = open_app(context, "/tests/blank.html")
    leaves.evaluate(OPEN)
    leaves.evaluate(BEGIN_AND_STAY)

    leaves.close()
    stays.evaluate("db.run(\"INSERT INTO note VALUES ('committed')\")")

    assert stays.evaluate("db.all('SELECT text FROM note')") == [{"text": "committed"}]


def test_tabs_share_one_host_and_one_database(context, open_app):
    """What one writes the other reads at once; the worker counts both."""
    first = open_app(context, "/tests/blank.html")
    first.evaluate(OPEN)
    first.evaluate("db.exec('CREATE TABLE note (text)')")
    second = open_app(context, "/tests/blank.html")
    second.evaluate(OPEN)
    second.evaluate("db.run(\"INSERT INTO note VALUES ('from the second')\")")

    status = first.evaluate("storage.status()")

    assert first.evaluate("db.all('SELECT text FROM note')") == [
        {"text": "from the second"}
    ]
    assert status["tabs"] == 2
    assert status["sharedHost"] is True


def test_without_shared_workers_one_tab_owns_the_database(context, open_app):
    """A second tab is told so, and harms nothing."""
    context.add_init_script("delete globalThis.SharedWorker")
    owner = open_app(context, "/tests/blank.html")
    owner.evaluate(OPEN)
    owner.evaluate("db.exec('CREATE TABLE note (text)')")
    other = open_app(context, "/tests/blank.html")

    assert other.evaluate(CODE_OF_OPEN) == "storage_in_use"

    owner.evaluate("db.run(\"INSERT INTO note VALUES ('still mine')\")")
    assert owner.evaluate("storage.status()")["sharedHost"] is False
    assert owner.evaluate("db.all('SELECT text FROM note')") == [{"text": "still mine"}]


def test_a_tab_takes_over_and_the_owner_is_told(context, open_app):
    """Everything the owner committed is there; its own calls end, and say why."""
    context.add_init_script("delete globalThis.SharedWorker")
    owner = open_app(context, "/tests/blank.html")
    owner.evaluate(OPEN)
    owner.evaluate("db.exec('CREATE TABLE note (text)')")
    owner.evaluate("db.run(\"INSERT INTO note VALUES ('of the owner')\")")
    other = open_app(context, "/tests/blank.html")

    other.evaluate(OPEN, {"takeOver": True})

    assert other.evaluate("db.all('SELECT text FROM note')") == [
        {"text": "of the owner"}
    ]
    code = owner.evaluate("db.get('SELECT 1').then(() => '', (error) => error.code)")
    assert code == "host_changed"


def test_memory_is_only_used_when_asked_for(context, open_app):
    """It says that nothing is durable, and it is gone with the tab."""
    tab = open_app(context, "/tests/blank.html")
    tab.evaluate(OPEN, {"persistence": False})
    tab.evaluate("db.exec('CREATE TABLE note (text)')")
    assert tab.evaluate("storage.status()")["mode"] == "memory"
    assert tab.evaluate("db.kind") == "memory"

    tab.close()

    next_tab = open_app(context, "/tests/blank.html")
    next_tab.evaluate(OPEN)
    tables = next_tab.evaluate('db.all("SELECT name FROM sqlite_schema")')
    assert "note" not in {row["name"] for row in tables}
