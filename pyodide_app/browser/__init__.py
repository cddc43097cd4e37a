"""Python's side of the browser host: the only package that imports `js`.

``web/worker/python-dispatch.js`` calls `boot` once, when the volume is mounted, and
then `Dispatcher.call`, `cancel` and `tab_gone`.
"""

from typing import Any

__all__ = ["boot"]


async def boot(volume: Any, bridge: Any) -> Any:  # noqa: ANN401  # JsProxies
    """Install the host's volume and return the dispatcher of the method table.

    Args:
        volume: ``web/worker/volume.js``.
        bridge: What of the host Python may use: ``tabCount``, ``callPage``,
            ``streamFromPage``.
    """
    from pyodide.ffi import to_js

    from pyodide_app.browser.agents import Agents
    from pyodide_app.browser.call import Surroundings
    from pyodide_app.browser.databases import Databases
    from pyodide_app.browser.dispatcher import Dispatcher
    from pyodide_app.browser.volume import HostVolume
    from pyodide_app.storage.volume import install_volume

    host_volume = HostVolume(volume)
    install_volume(host_volume)
    host = Surroundings(
        databases=Databases(),
        volume=host_volume,
        agents=Agents(bridge),
        tab_count=lambda: int(bridge.tabCount),
    )
    return Dispatcher(
        host,
        read_bytes=lambda handle: bytes(handle.to_bytes()),
        give=lambda answer: to_js(answer, create_pyproxies=False),
    )
