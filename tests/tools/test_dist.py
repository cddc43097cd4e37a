"""What build.py makes: the same bytes each time, and nothing that is not served."""

import hashlib
import json
import re
import subprocess
import sys
import venv
import zipfile
from dataclasses import replace

import pytest

from tools.bytecode import compile_sources, members_of
from tools.dist import FIRST_VISIT_BUDGET, first_visit_bytes, make_dist
from tools.project import ROOT, BuildError, settings
from tools.wheels import fetch_wheel, slim_wheel


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first") / "dist"
    make_dist(folder, folder.parent / "modules")
    return folder


def contents(folder):
    """Each file of *folder* by its path, as SHA-256."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_two_builds_are_the_same_to_the_byte(dist, tmp_path):
    make_dist(tmp_path / "second", tmp_path / "modules")

    assert contents(tmp_path / "second") == contents(dist)


def test_the_release_lists_what_the_app_asks_for(dist):
    release = json.loads((dist / "release.json").read_text("utf-8"))

    found = contents(dist)
    unlisted = set(found) - set(release["files"])
    assert release["files"].items() <= found.items()
    assert {name for name in unlisted if not name.endswith(".d.ts")} == {
        "release.json",
        "service-worker.js",
    }
    assert release["bytes"] == sum(
        (dist / name).stat().st_size for name in release["files"]
    )


def test_the_service_worker_knows_its_release(dist):
    release = json.loads((dist / "release.json").read_text("utf-8"))

    source = (dist / "service-worker.js").read_text("utf-8")
    line = source[source.index("const RELEASE = ") + len("const RELEASE = ") :]
    assert json.JSONDecoder().raw_decode(line)[0] == release


def test_a_first_visit_is_within_its_budget(dist):
    assert first_visit_bytes(dist) <= FIRST_VISIT_BUDGET


def test_an_entry_point_is_one_file_and_names_nothing_that_is_missing(dist):
    """Each request through the service worker costs a start some milliseconds."""
    imports = re.compile(r'(?:from|import)\s*\(?"(\.[^"]+)"')
    asked = {
        path.relative_to(dist).as_posix(): imports.findall(path.read_text("utf-8"))
        for path in dist.rglob("*.js")
    }

    assert asked["worker/host.js"] == asked["worker/snapshot-maker.js"] == []
    assert len(set(asked["page/main.js"])) < 15
    for name, addresses in asked.items():
        for address in addresses:
            assert ((dist / name).parent / address).resolve().is_file(), name
    assert not list((dist / "core").glob("*.js"))


def test_tools_and_tests_stay_out(dist):
    unwanted = {"node_modules", "package.json", "package-lock.json", "tests"}
    for name in contents(dist):
        assert not unwanted & set(name.split("/"))
        assert "tsconfig" not in name
        assert "eslint" not in name


def test_no_file_names_a_source_map_that_is_not_served(dist):
    for path in (*dist.rglob("*.js"), *dist.rglob("*.mjs")):
        assert b"\n//# sourceMappingURL=" not in path.read_bytes(), path


def test_pyodides_lock_file_fits_the_wheels_and_the_runtime(dist):
    folder = dist / "pyodide"
    lock = json.loads((folder / "pyodide-lock.json").read_text("utf-8"))

    assert lock["info"]["python"].startswith(settings().python_version)
    assert set(lock["packages"]) == {"apsw-sqlite3mc", "micropip", "pyodide-app"}
    for package in lock["packages"].values():
        wheel = (folder / package["file_name"]).read_bytes()
        assert hashlib.sha256(wheel).hexdigest() == package["sha256"]


def test_what_python_starts_from_is_compiled(dist):
    """The standard library is whole, and nothing is left to compile at a start."""
    theirs = ROOT / "web" / "node_modules" / "pyodide" / "python_stdlib.zip"
    library = members_of(dist / "pyodide" / "python_stdlib.zip")
    packages = members_of(dist / "packages" / "packages.zip")

    assert set(library) == {
        f"{name}c" if name.endswith(".py") else name for name in members_of(theirs)
    }
    assert "pyodide_app/__init__.pyc" in packages
    assert not [name for name in packages if name.endswith(".py")]


def test_compiling_gives_the_same_bytes_twice():
    """Sets are in them, whose order differs from run to run of Python."""
    sources = {
        "one.py": b"def f(x): return x in {'a', 'b', 'c', 'd', 'e'}\n",
        "deep/er.py": b"VALUE = frozenset({'one', 'two', 'three'})\n",
        "data.txt": b"as it is",
    }

    first = compile_sources(sources, "/lib/x.zip")

    assert set(first) == {"one.pyc", "deep/er.pyc", "data.txt"}
    assert compile_sources(sources, "/lib/x.zip") == first


def test_a_source_that_does_not_compile_stops_the_build():
    with pytest.raises(BuildError, match="failed with status"):
        compile_sources({"wrong.py": b"def"}, "/lib/x.zip")


def test_every_record_fits_its_wheel(dist):
    for wheel in (dist / "wheels").glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (n for n in archive.namelist() if n.endswith("/RECORD"))
            rows = archive.read(name).decode().splitlines()
            sizes = {info.filename: info.file_size for info in archive.infolist()}
        sizes[name] = ""
        assert {row.rsplit(",", 2)[0]: row.rsplit(",", 2)[2] for row in rows} == {
            member: str(size) for member, size in sizes.items()
        }


def test_a_wrong_checksum_stops_the_build(tmp_path, monkeypatch):
    monkeypatch.setattr("tools.wheels.CACHE", tmp_path)
    wheel = replace(settings().wheels[0], sha256="0" * 64)
    (tmp_path / wheel.file).write_bytes(b"not what was pinned")

    with pytest.raises(BuildError, match="has SHA-256"):
        fetch_wheel(wheel)

    assert not (tmp_path / wheel.file).exists()


def test_a_wheel_without_what_is_to_be_kept_stops_the_build(tmp_path):
    source = fetch_wheel(settings().wheels[0])

    with pytest.raises(BuildError, match=r"no member like nothing/\*"):
        slim_wheel(source, tmp_path / source.name, ["apsw/*", "nothing/*"])


def test_the_wheel_imports_on_cpython(dist, tmp_path):
    """A fresh environment needs the wheel, its one dependency, and no source tree."""
    (wheel,) = (dist / "wheels").glob("pyodide_app-*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", wheel], check=True, timeout=300
    )
    script = "import pyodide_app as p; [getattr(p, name) for name in p.__all__]"

    done = subprocess.run(
        [python, "-W", "error", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_the_version_is_said_once_and_the_same_everywhere():
    script = "import pyodide_app; print(pyodide_app.__version__)"

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == settings().version


def test_lock_files_name_no_registry():
    """Where packages come from is the business of the machine that installs."""
    for name in ("requirements.lock", "web/package-lock.json"):
        text = (ROOT / name).read_text("utf-8")
        assert '"resolved"' not in text
        assert "index-url" not in text
        assert "find-links" not in text
