"""What an earlier run has done already: a stack is done when its record vouches for its maps.

A stack is skipped when its inputs, everything that shapes its maps and the version are unchanged,
and its maps are there in the size in which they were written.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mvps
from mvps.files import MANIFEST, RECORD
from mvps.pipeline.inputs import same_inputs
from mvps.pipeline.options import RunOptions
from mvps.pipeline.plan import PlannedStack
from mvps.pipeline.record import StackResult

MAX_RECORD_BYTES = 16 << 20


def finished_before(planned: PlannedStack, options: RunOptions) -> StackResult | None:
    """The result of an earlier run for this stack, or None where there is work to do."""
    record = read_record(planned.folder / RECORD)
    if record is None or record.get("fingerprint") != fingerprint(planned, options):
        return None
    with contextlib.suppress(OSError, AttributeError, KeyError, TypeError, ValueError):
        outputs = record["outputs"]["files"]
        whole = all(
            (planned.folder / name).stat().st_size == size for name, size in outputs.items()
        )
        if outputs and whole and same_inputs(planned.stack, record.get("inputs")):
            figures = record["figures"]
            return StackResult(
                planned.stack.name,
                planned.folder,
                "skipped",
                warnings=tuple(record["warnings"]),
                seconds=float(record["timings"]["total"]),
                pixels=int(figures["pixels"]),
                valid=int(figures["written_valid"]),
                raw_pixels=planned.raw_pixels,
            )
    return None


def fingerprint(planned: PlannedStack, options: RunOptions) -> str:
    """SHA-256 over everything but the bytes of the images that shapes the maps of a stack."""
    stack = planned.stack
    shaping = {
        "version": mvps.__version__,
        # A limit on size shapes no map.
        "options": {k: v for k, v in options.as_dict().items() if k != "max_pixels"},
        "window": asdict(planned.window),
        "directions": stack.lights.directions.tolist(),
        "intensities": stack.lights.intensities.tolist(),
        # A measured curve counts by its bytes, among the inputs.
        "response": "file" if Path(stack.response).is_file() else stack.response,
        "samples": asdict(stack.sample_format),
        "bayer": stack.bayer,
        "raw": None if stack.raw is None else asdict(stack.raw),
        "camera": planned.view.digest(),
        "near": None if planned.near is None else planned.near.digest(stack),
        "target": None if planned.target is None else _state(planned.target),
    }
    return hashlib.sha256(json.dumps(shaping, sort_keys=True).encode()).hexdigest()


def _state(path: Path) -> list[Any]:
    state = path.stat()
    return [str(path.resolve()), state.st_size, state.st_mtime_ns]


def remove_leftovers(folder: Path) -> bool:
    """Remove temporary files in a stack's folder that no living process will finish.

    Returns
    -------
    bool
        Whether some are left, whose process is alive, or has not quite ended.
    """
    left = False
    for path in folder.glob(".*.part"):
        owner = path.name.removesuffix(".part").rpartition(".")[2].partition("-")[0]
        if owner.isdecimal() and (int(owner) == os.getpid() or not _alive(int(owner))):
            path.unlink(missing_ok=True)
        else:
            left = True
    return left


def in_manifest(out: Path) -> set[str]:
    """Stacks whose last line in the manifest says done; ends a line that a crash cut short."""
    path = out / MANIFEST
    last: dict[str, str] = {}
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return set()
    if data and not data.endswith(b"\n"):
        with path.open("ab") as file:
            file.write(b"\n")
    for line in data.splitlines():
        with contextlib.suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            last[entry["stack"]] = entry["status"]
    return {stack for stack, status in last.items() if status == "done"}


def read_record(path: Path) -> dict[str, Any] | None:
    """The object in a ``stack.json``, or None where there is none that can be read."""
    try:
        if path.stat().st_size > MAX_RECORD_BYTES:
            return None
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _alive(process: int) -> bool:
    if os.name == "nt":  # where signal 0 is no question but an event
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    # Killed with its parent, a worker may wait for somebody to ask how it ended.
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return True
