"""Find the browsers for the tests, or install them.

Playwright's own Chromium comes first, then one of the system. What is installed
here is installed as this machine installs programs: by apt for root on Debian,
else by Playwright into its own cache.
"""

import os
import shutil
import subprocess
from pathlib import Path

from tools.commands import run, say, status_of
from tools.project import BuildError, venv_python

__all__ = [
    "CHROMIUM_ARGS",
    "find_chromium",
    "find_firefox",
    "find_webkit",
    "set_up_browsers",
]

_CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FIREFOX_NAMES = ("firefox-esr", "firefox")

# Nothing but the app talks to the network, and nothing asks a question.
_QUIET_ARGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# Chromium refuses to sandbox what runs as root, as everything in a container does.
_IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
CHROMIUM_ARGS = (*_QUIET_ARGS, "--no-sandbox") if _IS_ROOT else _QUIET_ARGS


def find_chromium() -> str | None:
    """Path of a Chromium of the system, or None."""
    return _first_on_path(_CHROMIUM_NAMES)


def find_firefox() -> str | None:
    """Path of a Firefox of the system, or None."""
    return _first_on_path(_FIREFOX_NAMES)


def find_webkit() -> tuple[str, str] | None:
    """Paths of WebKitGTK's WebDriver and of its browser, or None.

    They need a display, which ``xvfb-run`` gives.
    """
    driver = shutil.which("WebKitWebDriver")
    browsers = Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser")
    browser = next(browsers, None)
    if driver is None or browser is None or shutil.which("xvfb-run") is None:
        return None
    return driver, str(browser)


def set_up_browsers() -> None:
    """A Chromium is there; a Firefox is there if it was easy to have.

    Raises:
        BuildError: No Chromium, and none could be installed.
    """
    if find_chromium() is None and not _has_playwrights("chromium"):
        _install_chromium()
    has_firefox = find_firefox() is not None or _has_playwrights("firefox")
    if not has_firefox and not (_can_apt() and _apt_install("firefox-esr")):
        say("there is no Firefox, and none could be installed: its tests are skipped")
    has_webkit = find_webkit() is not None
    if not has_webkit and not (_can_apt() and _install_webkit()):
        say("there is no WebKitGTK, and none could be installed: its tests are skipped")


def _install_chromium() -> None:
    if _can_apt() and _apt_install("chromium") and find_chromium():
        return
    try:
        run([venv_python(), "-m", "playwright", "install", "chromium"])
    except BuildError as error:
        msg = (
            "no Chromium was found and none could be installed; install "
            "`chromium` or `google-chrome` so that it is on the PATH"
        )
        raise BuildError(msg) from error


def _install_webkit() -> bool:
    return (
        _apt_install("webkit2gtk-driver")
        and _apt_install("xvfb")
        and find_webkit() is not None
    )


def _has_playwrights(name: str) -> bool:
    """True if Playwright's own build of browser *name* is in its cache."""
    script = (
        "import sys; from playwright.sync_api import sync_playwright as play\n"
        "with play() as p: print(getattr(p, sys.argv[1]).executable_path)"
    )
    answer = subprocess.run(
        [venv_python(), "-c", script, name], capture_output=True, text=True, check=True
    )
    return Path(answer.stdout.strip()).exists()


def _can_apt() -> bool:
    return _IS_ROOT and shutil.which("apt-get") is not None


def _apt_install(package: str) -> bool:
    """True if apt installed *package*; its lists are renewed if it must be."""
    env = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", package]
    if status_of(install, env=env) == 0:
        return True
    return (
        status_of(["apt-get", "update"], env=env) == 0
        and status_of(install, env=env) == 0
    )


def _first_on_path(names: tuple[str, ...]) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)
