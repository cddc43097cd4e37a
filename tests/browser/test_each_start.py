"""What each start of Python has for itself."""

import json

from tests.browser.python_worker import PythonWorker

DRAW = """
    import json, os, random, secrets, time, uuid
    import apsw
    blob = apsw.Connection(":memory:").execute("SELECT hex(randomblob(16))").get
    json.dumps({
        "random": random.random(),
        "uuid4": str(uuid.uuid4()),
        "urandom": os.urandom(16).hex(),
        "nonce": secrets.token_hex(16),
        "hash": hash("the same text"),
        "randomblob": blob,
        "time": time.time(),
    })
"""


def test_two_starts_never_draw_the_same(context, open_app):
    """Random numbers, identifiers, nonces and hashes: each start has its own."""
    first, second = (
        json.loads(PythonWorker(open_app(context, "/tests/blank.html")).run(DRAW))
        for _ in range(2)
    )

    assert {name for name, value in first.items() if second[name] == value} == set()
    assert 0 < second["time"] - first["time"] < 600
