"""Child processes and what they cost, and the machine they ran on; shared by the benchmarks.

Standard library alone, and so must be whoever imports this to measure memory: Linux starts a
child's peak from the resident memory of its parent.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mvps
from mvps import native

BENCHMARKS = Path(__file__).resolve().parent
RESULTS = BENCHMARKS / "results"
PACKAGES = ("numpy", "opencv-python-headless", "tifffile", "imagecodecs", "isal")
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes


@dataclass(frozen=True)
class Cost:
    """Wall and CPU seconds (user and system, all threads) and peak resident bytes of a child."""

    wall_s: float
    cpu_s: float
    peak_bytes: int

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def python(*words: object) -> list[str]:
    """Command line of this interpreter."""
    return [sys.executable, *(str(word) for word in words)]


def run_child(command: Sequence[str]) -> tuple[Cost, str]:
    """Run to the end; its cost and its stdout. Stops the benchmark where the child fails."""
    environment = os.environ | {"PYTHONPATH": str(BENCHMARKS.parent), "NO_COLOR": "1"}
    os.sync()  # what the last child wrote is on the disk before this one starts
    start = time.perf_counter()
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    assert child.stdout is not None
    with child.stdout:
        said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {child.returncode}:\n{said}")
    peak = usage.ru_maxrss * _PEAK_UNIT
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak), said


def peak_of_tree(command: Sequence[str]) -> int:
    """Peak resident bytes of a command and its workers; what they share counts once.

    Looks at every process every few milliseconds, for which the run pays: take no times from it.
    """
    environment = os.environ | {"PYTHONPATH": str(BENCHMARKS.parent), "NO_COLOR": "1"}
    child = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    peak = 0
    while child.poll() is None:
        own = _memory(child.pid).get("Rss", 0)
        workers = (_memory(pid) for pid in _children(child.pid))
        private = sum(
            each.get("Private_Clean", 0) + each.get("Private_Dirty", 0) for each in workers
        )
        peak = max(peak, own + private)
        time.sleep(0.003)
    if child.returncode:
        raise SystemExit(f"{' '.join(command)}\nended with {child.returncode}")
    return peak


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _memory(pid: int) -> dict[str, int]:
    """Bytes by kind; none of a process that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    pairs = (line.split(":") for line in lines)
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


def cheapest(costs: Sequence[Cost]) -> Cost:
    """Least wall and CPU time of several runs, and their highest peak."""
    return Cost(
        min(cost.wall_s for cost in costs),
        min(cost.cpu_s for cost in costs),
        max(cost.peak_bytes for cost in costs),
    )


def machine() -> dict[str, Any]:
    """Where, when and with what; load average before the first measurement."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "instruction_set": native.instruction_set() or f"none ({native.reason()})",
        "versions": {"mvps": mvps.__version__, "python": platform.python_version()}
        | {package: _version(package) for package in PACKAGES},
        "load_average_before": [round(value, 2) for value in os.getloadavg()],
    }


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
