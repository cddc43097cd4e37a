import pytest

from pyodide_app.errors import StorageResolutionError
from pyodide_app.storage.resolve import Detected, candidates, detect

NATIVE = Detected(is_browser=False, has_volume=False, environment={})
BROWSER = Detected(is_browser=True, has_volume=True, environment={})
BARE_BROWSER = Detected(is_browser=True, has_volume=False, environment={})
VARIABLE = Detected(
    is_browser=False, has_volume=False, environment={"STORAGE_ADAPTER": "memory"}
)


def kinds(found, **asked):
    return [candidate.kind for candidate in candidates(found, **asked)]


@pytest.mark.parametrize(
    ("found", "asked", "expected"),
    [
        (NATIVE, {}, ["native"]),
        (BROWSER, {}, ["indexeddb"]),
        # No volume is a fault to report, not a reason to keep nothing.
        (BARE_BROWSER, {}, ["indexeddb"]),
        (NATIVE, {"platform": "web"}, ["indexeddb"]),
        (BROWSER, {"platform": "server"}, ["native"]),
        (BROWSER, {"platform": "memory"}, ["memory"]),
        (BROWSER, {"persistence": False}, ["memory"]),
        (BROWSER, {"adapter": "memory"}, ["memory"]),
        (BROWSER, {"adapter": "native", "persistence": False}, ["native"]),
        (NATIVE, {"adapter": "better-sqlite3"}, ["native"]),
        (BROWSER, {"adapter": "sqljs"}, ["indexeddb"]),
        (NATIVE, {"priority": ["indexeddb", "native"]}, ["indexeddb", "native"]),
        (VARIABLE, {}, ["memory"]),
        (VARIABLE, {"platform": "server"}, ["native"]),
    ],
)
def test_what_is_tried_follows_from_what_was_asked_and_found(found, asked, expected):
    assert kinds(found, **asked) == expected


@pytest.mark.parametrize("name", ["postgres", "mystery", ""])
def test_an_adapter_that_does_not_exist_is_refused_by_name(name):
    with pytest.raises(StorageResolutionError) as caught:
        candidates(NATIVE, adapter=name)

    assert caught.value.attempts[0][0] == name


def test_an_unknown_platform_is_refused():
    with pytest.raises(ValueError, match="platform"):
        candidates(NATIVE, platform="toaster")


def test_detection_finds_this_platform():
    found = detect()

    assert (found.is_browser, found.has_volume) == (False, False)
