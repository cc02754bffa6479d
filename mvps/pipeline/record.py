"""What a stack leaves behind beside its maps: ``stack.json`` and its line in the manifest."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

import mvps
from mvps.capture import Stack
from mvps.files import MANIFEST, RECORD, append_line, write_json
from mvps.pipeline.plan import Plan, PlannedStack
from mvps.pipeline.quality_maps import QualitySummary
from mvps.pipeline.sampling import SampleStatistics
from mvps.stereo import StripOut

SCHEMA = 1


@dataclass(frozen=True)
class StackResult:
    """How one stack ended.

    Attributes
    ----------
    status : ``done``, ``failed``, or ``skipped`` where an earlier run had done it
    error : the one line that says why it failed, else empty
    pixels, valid : of the maps; those with a normal
    raw_pixels : read over all lights
    solver : what "auto" chose and why; empty where nothing was left to choose
    """

    stack: str
    folder: Path
    status: str
    error: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    pixels: int = 0
    valid: int = 0
    raw_pixels: int = 0
    solver: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, as in the manifest."""
        return {
            "stack": self.stack,
            "folder": str(self.folder),
            "status": self.status,
            "error": self.error,
            "warnings": list(self.warnings),
            "seconds": round(self.seconds, 3),
            "pixels": self.pixels,
            "valid": self.valid,
        }


@dataclass
class Figures:
    """What the strips of one stack add up to.

    Attributes
    ----------
    masked : pixels outside the mask
    valid : solved pixels with a normal; the rest inside the mask is degenerate
    written_valid : pixels of the maps with a normal, fewer or more where they were resampled
    fallback : valid pixels where a robust estimate was refused; None with plain least squares
    quality : what ``--quality`` sums up; None without it
    albedo_sum, residual_square_sum : over valid pixels; the latter None without ``--quality``
    """

    statistics: SampleStatistics
    pixels: int = 0
    masked: int = 0
    valid: int = 0
    fallback: int | None = None
    albedo_sum: float = 0.0
    residual_square_sum: float | None = None
    written_valid: int | None = None
    quality: QualitySummary | None = None

    def add(self, out: StripOut, wanted: int | None) -> None:
        """Count one solved strip, of which ``wanted`` pixels lie inside the mask."""
        count = out.valid.size
        self.pixels += count
        self.masked += 0 if wanted is None else count - wanted
        self.valid += int(np.count_nonzero(out.valid.view(np.bool_)))
        # NumPy adds pairwise, so that float32 loses nothing that matters within one strip.
        self.albedo_sum += float(out.albedo.sum()) / (out.albedo.size // count)
        if out.fallback is not None:
            self.fallback = (self.fallback or 0) + int(np.count_nonzero(out.fallback))
        if out.residual is not None:
            squares = float(np.einsum("p,p->", out.residual, out.residual, dtype=np.float64))
            self.residual_square_sum = (self.residual_square_sum or 0.0) + squares
        if self.quality is not None:
            self.quality.add(out)

    @property
    def shown(self) -> int:
        """Pixels of the maps that have a normal."""
        return self.valid if self.written_valid is None else self.written_valid

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        count = max(self.valid, 1)
        squares = self.residual_square_sum
        return {
            "pixels": self.pixels,
            "valid": self.valid,
            "written_valid": self.shown,
            "masked": self.masked,
            "degenerate": self.pixels - self.masked - self.valid,
            "fallback": self.fallback,
            "mean_albedo": self.albedo_sum / count,
            "residual_rms": None if squares is None else float(np.sqrt(squares / count)),
            "quality": None if self.quality is None else self.quality.as_dict(),
            "saturated_share": self.statistics.saturated_share,
            "black_share": self.statistics.black_share,
            "shares_from": "the first row of every strip",
        }


def write_record(
    planned: PlannedStack,
    plan: Plan,
    figures: Figures,
    *,
    fingerprint: str,
    inputs: list[dict[str, Any]],
    solver: dict[str, Any],
    device: dict[str, Any],
    outputs: dict[str, Any],
    flatten: dict[str, Any] | None,
    warnings: tuple[str, ...],
    timings: dict[str, float],
) -> None:
    """Write ``stack.json``, the last act of a complete stack."""
    stack = planned.stack
    info = stack.infos[0]
    record = {
        "schema": SCHEMA,
        "stack": stack.name,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        **planned.view.statement(),
        "frame_axes": planned.view.axes(),
        "convention": plan.options.convention,
        "fingerprint": fingerprint,
        "inputs": inputs,
        "layout": stack.layout,
        "lights": _lights(stack),
        "camera": planned.view.as_dict(stack),
        "samples": {
            "format": info.format,
            "container_bits": info.dtype.itemsize * 8,
            "channels": info.channels,
            "meaning": stack.sample_format.describe(info),
            "white": stack.sample_format.white(info),
            "response": stack.response,
            "bayer": stack.bayer,
            "notes": list(info.notes),
        },
        "size": {"width": planned.width, "height": planned.height},
        "options": plan.options.as_dict(),
        "solver": solver,
        "outputs": outputs,
        "flatten": flatten,
        "figures": figures.as_dict(),
        "warnings": list(warnings),
        "device": device,
        "versions": versions(),
        "timings": {name: round(seconds, 4) for name, seconds in timings.items()},
    }
    write_json(planned.folder / RECORD, record)


def append_manifest(out: Path, result: StackResult) -> None:
    """One line a stack that was done or failed; the last line of a stack counts."""
    status = "done" if result.status == "skipped" else result.status
    line = result.as_dict() | {"folder": _relative(result.folder, out), "status": status}
    append_line(out / MANIFEST, json.dumps(line))


@cache
def versions() -> dict[str, str]:
    """Versions of everything that touches a pixel."""
    packages = ("numpy", "opencv-python-headless", "tifffile", "imagecodecs", "isal")
    found = {"mvps": mvps.__version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def _lights(stack: Stack) -> dict[str, Any]:
    return {
        "source": stack.lights.source,
        "directions": stack.lights.directions.tolist(),
        "intensities": stack.lights.intensities.tolist(),
        "condition": stack.lights.condition(),
    }


def _relative(folder: Path, out: Path) -> str:
    return folder.relative_to(out).as_posix() if folder.is_relative_to(out) else str(folder)
