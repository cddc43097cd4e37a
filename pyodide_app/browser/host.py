"""Where the host's JavaScript enters Python.

``web/worker/python-dispatch.js`` calls `boot` once, when the volume is mounted, and
then `Dispatcher.serve`, `cancel` and `tab_gone`. ``web/worker/pyodide-host.js`` calls
`preload` before it copies Python's memory, and `wake` when it has put a copy back.
"""

import importlib
import random
import sys
from importlib.machinery import FileFinder
from typing import Any

from pyodide_app.browser.agents import Agents
from pyodide_app.browser.call import Surroundings
from pyodide_app.browser.databases import Databases
from pyodide_app.browser.dispatcher import Dispatcher
from pyodide_app.browser.volume import HostVolume
from pyodide_app.storage.volume import install_volume

__all__ = ["boot", "preload", "wake"]

_SOON = (
    "pyodide.ffi",
    "pyodide_app.agentos",
    "pyodide_app.browser.built_in_model",
    "pyodide_app.browser.fetch_client",
)
"""What the Workbench uses in its first moments, beside what is imported above."""


async def boot(volume: Any, bridge: Any) -> Any:  # noqa: ANN401  # JsProxies
    """Install the host's volume and return the dispatcher of the method table.

    Args:
        volume: ``web/worker/volume.js``.
        bridge: What of the host Python may use: ``tabCount``, ``callPage``,
            ``streamFromPage``, ``flush``.
    """
    from pyodide.ffi import create_proxy, to_js

    host_volume = HostVolume(volume, bridge.flush)
    bridge.onFlushed = create_proxy(host_volume.flushed)
    install_volume(host_volume)
    host = Surroundings(
        databases=Databases(),
        volume=host_volume,
        agents=Agents(bridge),
        tab_count=lambda: int(bridge.tabCount),
    )
    return Dispatcher(
        host,
        read_bytes=_bytes_of,
        give=lambda answer: to_js(answer, create_pyproxies=False),
    )


def _bytes_of(handle: Any) -> bytes:  # noqa: ANN401  # a JsProxy
    if not hasattr(handle, "to_bytes"):
        msg = "a Blob is taken only where a whole database is"
        raise ValueError(msg)
    return bytes(handle.to_bytes())


def preload() -> None:
    """Import what is used soon, so that a copy of this memory has it."""
    for name in _SOON:
        importlib.import_module(name)


def wake() -> None:
    """Make anew what must differ between two starts from one copy.

    Whatever is drawn from the system (`os.urandom`, `uuid.uuid4`, `secrets`, ids)
    differs by itself. The seed of `hash` stays that of the copy: each device's own.
    """
    random.seed()
    # The engine was not there when it was copied. Archives are as they were, and
    # reading their directories again would take longer than all the rest.
    for finder in sys.path_importer_cache.values():
        if isinstance(finder, FileFinder):
            finder.invalidate_caches()
