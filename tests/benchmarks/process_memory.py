"""What Linux counts of a process's memory: proc_pid_smaps(5), proc_pid_status(5)."""

from contextlib import suppress
from pathlib import Path

__all__ = ["forget_peak", "peak_resident_size", "proportional_set_size"]


def proportional_set_size(pid: int) -> int:
    """Return the bytes of process *pid*, 0 if it has just ended."""
    return _kilobytes(Path(f"/proc/{pid}/smaps_rollup"), "Pss") * 1024


def peak_resident_size(pid: int) -> int:
    """Return the most that *pid* held since `forget_peak`, 0 if it has ended."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM") * 1024


def forget_peak(pid: int) -> None:
    """Let the peak of *pid* be what it holds now."""
    with suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5", "ascii")


def _kilobytes(path: Path, field: str) -> int:
    try:
        text = path.read_text("ascii")
    except OSError:
        return 0
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return int(fields[field].split()[0]) if field in fields else 0
