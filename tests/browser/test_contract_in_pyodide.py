"""`IndexedDbAdapter` keeps the adapter contract where it lives: in the browser.

One worker runs all cases of tests/contract, each on a database of its own, in
IndexedDB and in OPFS.
"""

import json
from pathlib import Path

import pytest

from tests.browser.python_worker import PythonWorker
from tests.contract.adapter_contract import cases

CONTRACT = Path(cases.__code__.co_filename)

RUN_ALL = """
    import json, sys, traceback
    sys.path.insert(0, "/tmp")
    import volume_js
    from adapter_contract import cases
    from pyodide_app import IndexedDbAdapter
    from pyodide_app.browser.volume import HostVolume

    async def outcome(case, durability, store):
        adapter = IndexedDbAdapter(
            f"{store}/{durability}/{case.__name__}",
            durability=durability,
            store=store,
            volume=HostVolume(volume_js),
        )
        await adapter.open()
        try:
            await case(adapter)
        except Exception:
            return traceback.format_exc()
        else:
            # Some cases close it.
            if adapter.is_open and (now := (await adapter.status()).store) != store:
                return f"it is in {now} now"
        finally:
            await adapter.close()
        return None

    found = {}
    for store, durability in (
        ("indexeddb", "batched"), ("indexeddb", "commit"), ("indexeddb", "strict"),
        ("opfs", "batched"), ("opfs", "strict"),
    ):
        for case in cases():
            name = f"{store}/{durability}/{case.__name__}"
            found[name] = await outcome(case, durability, store)
    json.dumps(found)
"""


@pytest.fixture(scope="module")
def outcomes(shared_page):
    """The traceback of each case that failed in Pyodide, else None."""
    worker = PythonWorker(shared_page)
    source = ascii(CONTRACT.read_text(encoding="utf-8"))
    worker.run(f"open('/tmp/adapter_contract.py', 'w').write({source})")
    return json.loads(worker.run(RUN_ALL))


@pytest.mark.parametrize("case", [case.__name__ for case in cases()])
def test_the_browser_keeps_the_contract(outcomes, case):
    """What the contract says of every adapter holds in each store and mode."""
    failed = [
        f"{name}\n{text}"
        for name, text in outcomes.items()
        if name.endswith(f"/{case}") and text
    ]

    assert not failed, "\n".join(failed)
