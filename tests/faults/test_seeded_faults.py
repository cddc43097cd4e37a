"""The simulation is worth its name: it notices each of these faults.

A copy of the store gets one fault of the kind that people write; the histories that
the real one survives must break a promise there.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]

# It ends with the first failure: 1 to 400 histories, but 10,000 for forgotten pages.
_HISTORIES = 12_000


@dataclass(frozen=True)
class Fault:
    """One fault: in *file*, *right* becomes *wrong*."""

    name: str
    file: str
    right: str
    wrong: str


_FAULTS = (
    Fault(
        "a record is acknowledged before it is stored",
        "web/worker/flusher.js",
        "    const isStrict = await this.#add(this.#sealed, strict);\n",
        "    const isStrict = strict;\n"
        "    this.#add(this.#sealed, strict).catch(() => {});\n",
    ),
    Fault(
        "a checksum is not compared",
        "web/core/page-record.js",
        "  if (!sameChecksum(sum, checksumAt(view, length - TRAILER))) {",
        "  if (!sameChecksum(sum, sum)) {",
    ),
    Fault(
        "a collision is taken for success",
        "web/worker/flusher.js",
        "    if (!found || !sameChecksum(found, checksum)) throw fencedError();\n",
        "",
    ),
    Fault(
        "the log is deleted before the checkpoint is published",
        "web/worker/checkpointer.js",
        "      const at = await this.#publish(files, used, next, options);\n",
        "      await this.#prune(next, owner);\n"
        "      const at = await this.#publish(files, used, next, options);\n",
    ),
    Fault(
        "changed pages are forgotten when a checkpoint fails",
        "web/worker/checkpointer.js",
        "        if (file.image === image) file.markChanged(changed);\n",
        "",
    ),
    Fault(
        "two transactions write at once",
        "web/worker/page-store.js",
        "        const written = mode === 'readonly' ? [] : ['log'];\n",
        "        const written = /** @type {string[]} */ ([]);\n",
    ),
    Fault(
        "a lost connection is not looked behind",
        "web/worker/flusher.js",
        "    while (this.#suspect || this.#checkpointer.hasLostImages) {\n",
        "    this.#suspect = false;\n    while (this.#checkpointer.hasLostImages) {\n",
    ),
    Fault(
        "an image file is published before it is flushed",
        "web/worker/checkpointer.js",
        "    if (changed.size > 0 || !image.published) image.flush();\n",
        "",
    ),
    Fault(
        "a slot that a checkpoint lists is written again",
        "web/core/lazy-image.js",
        "    const lists = [...this.#stored, this.#table];\n",
        "    const lists = [this.#table];\n",
    ),
    Fault(
        "what changes during a checkpoint is taken for written",
        "web/core/lazy-image.js",
        "      if (touched.has(page) || page >= from) continue;\n",
        "      if (page >= from) continue;\n",
    ),
    Fault(
        "a page that was spilled is taken for written",
        "web/worker/checkpointer.js",
        "    for (const number of table.differing(",
        "    if (pages.length === 0) return;\n"
        "    for (const number of table.differing(",
    ),
    Fault(
        "an image that was deleted while it is open is not missed",
        "web/worker/checkpointer.js",
        "(await this.#images.isThere(image.id))",
        "image.id > 0",
    ),
)


def _copy(folder: Path) -> None:
    """Put the store, its fakes and the simulation into *folder*."""
    for name in ("web/core", "web/worker", "tests/js/fakes", "tests/faults"):
        shutil.copytree(_ROOT / name, folder / name)
    # Node takes .js for modules by the nearest of these.
    shutil.copy(_ROOT / "web/package.json", folder)
    shutil.copy(_ROOT / "tests/js/package.json", folder / "tests/js")


def _simulate(folder: Path, histories: int) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    assert node is not None, "node is not on the PATH"
    return subprocess.run(
        [node, folder / "tests/faults/simulate.js", "--histories", str(histories)],
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_the_copy_without_a_fault_is_sound(tmp_path):
    """What fails below fails because of the fault."""
    _copy(tmp_path)

    done = _simulate(tmp_path, 500)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("fault", _FAULTS, ids=[fault.name for fault in _FAULTS])
def test_a_seeded_fault_is_noticed(fault, tmp_path):
    """The simulation ends with a failure, and names the history."""
    _copy(tmp_path)
    path = tmp_path / fault.file
    text = path.read_text("utf-8")
    assert text.count(fault.right) == 1, "the code has changed: seed it anew"
    path.write_text(text.replace(fault.right, fault.wrong), "utf-8")

    done = _simulate(tmp_path, _HISTORIES)

    assert done.returncode == 1, f"nobody noticed: {done.stdout}"
    assert "again: node simulate.js" in done.stderr
