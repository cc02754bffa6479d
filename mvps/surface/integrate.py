"""The front door: from slopes to a height, with the method, its reason and its figures."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mvps.errors import InputError, MissingExtraError
from mvps.surface.bilateral import Bilateral, bilateral_height
from mvps.surface.poisson import dct_height, frankot_height
from mvps.surface.regions import Regions, centre_components, find_regions
from mvps.surface.slopes import Plane, Slopes
from mvps.surface.sparse import sparse_height

METHODS = ("auto", "dct", "frankot", "sparse", "bilateral")
FULL_FRAME = ("dct", "frankot")
BLOCK_ROWS = 64
Progress = Callable[[str, int, float], None]

HIDDEN_STEPS = (
    "a wall that closes on itself, or crosses the map, and whose height does not vary along it "
    "leaves no trace in the normals, so no method shows it"
)


@dataclass(frozen=True, eq=False)
class Surface:
    """A height and how it came about.

    Attributes
    ----------
    height : (H, W) float32 px, NaN where not valid; mean zero over every part of the mask
    slopes : that were integrated
    method, reason : one of dct, frankot, sparse and bilateral, and why it was taken
    regions : parts whose heights relative to each other are not known
    figures : of the solver, plain JSON types
    warnings : one line each
    """

    height: Plane
    slopes: Slopes
    method: str
    reason: str
    regions: Regions
    figures: dict[str, Any]
    warnings: tuple[str, ...]


def integrate(
    slopes: Slopes,
    method: str = "auto",
    *,
    threads: int = 1,
    progress: Progress | None = None,
) -> Surface:
    """Height of a surface from its slopes.

    Parameters
    ----------
    method : ``auto`` takes dct where every pixel is valid and sparse elsewhere
    threads : that share the work
    progress : is told of long solves: what is counted, how many, and what is left of the error

    Raises
    ------
    InputError
        Unknown method, or no valid pixel.
    MissingExtraError
        SciPy is not installed.
    """
    chosen, reason = choose_method(slopes, method)
    _need_scipy()
    started = time.perf_counter()
    height, solved, figures = _solve(slopes, chosen, threads, progress)
    if chosen not in FULL_FRAME:
        centre_components(height, slopes.valid)
    height = np.asarray(height, np.float32)
    regions = find_regions(slopes, solved)
    figures = {
        "seconds": round(time.perf_counter() - started, 3),
        "threads": threads,
        "slope_residual_rms": slope_residual(height, slopes),
        **figures,
    }
    height[~slopes.valid] = np.nan
    warnings = _warnings(slopes, chosen, regions)
    return Surface(height, slopes, chosen, reason, regions, figures, warnings)


def choose_method(slopes: Slopes, method: str) -> tuple[str, str]:
    """The method and one line that says why; faults as of :func:`integrate`."""
    if method not in METHODS:
        raise InputError("--method", f"unknown method {method!r}", "use " + ", ".join(METHODS))
    valid = int(np.count_nonzero(slopes.valid))
    if not valid:
        raise InputError("normal map", "holds no valid pixel", "check the map and the mask")
    if method != "auto":
        return method, "as asked for"
    missing = slopes.valid.size - valid
    if not missing:
        return "dct", "every pixel has a normal"
    return "sparse", f"{missing:,} of {slopes.valid.size:,} pixels have no normal"


def slope_residual(height: Plane, slopes: Slopes) -> float:
    """Root mean square over the edges between valid neighbours of step minus mean slope, px/px."""
    total, count = 0.0, 0
    half = np.float32(0.5)
    for y in range(0, len(height), BLOCK_ROWS):
        rows = slice(y, y + BLOCK_ROWS)
        lower = slice(y, min(y + BLOCK_ROWS, len(height) - 1))
        under = slice(lower.start + 1, lower.stop + 1)
        z, p, q, valid = height, slopes.p, slopes.q, slopes.valid
        across = z[rows, 1:] - z[rows, :-1] - half * (p[rows, 1:] + p[rows, :-1])
        along = z[under] - z[lower] + half * (q[under] + q[lower])
        for missed, both in (
            (across, valid[rows, 1:] & valid[rows, :-1]),
            (along, valid[under] & valid[lower]),
        ):
            total += float(np.sum(missed * missed, where=both, dtype=np.float64))
            count += int(np.count_nonzero(both))
    return float(np.sqrt(total / max(count, 1)))


def _solve(
    slopes: Slopes, method: str, threads: int, progress: Progress | None
) -> tuple[Any, Bilateral | None, dict[str, Any]]:
    def told(what: str) -> Callable[[int, float], None] | None:
        return None if progress is None else lambda count, left: progress(what, count, left)

    if method == "dct":
        return dct_height(slopes, threads=threads), None, {}
    if method == "frankot":
        return frankot_height(slopes, threads=threads), None, {}
    height, linear = sparse_height(slopes, threads=threads, progress=told("step"))
    figures = {"steps": linear.steps, "solver_error": linear.error}
    if method == "sparse":
        return height, None, figures
    solved = bilateral_height(slopes, height, threads=threads, progress=told("round"))
    figures = {
        "rounds": solved.rounds,
        "steps": linear.steps + solved.steps,
        "energy": solved.energy,
        "curl_noise": solved.noise,
        "poisson_slope_residual_rms": slope_residual(np.asarray(height, np.float32), slopes),
    }
    return solved.height, solved, figures


def _warnings(slopes: Slopes, method: str, regions: Regions) -> tuple[str, ...]:
    found = []
    steep = int(np.count_nonzero(slopes.steep))
    if steep:
        found.append(f"{steep:,} pixels are turned away or too steep to be believed; limited")
    missing = int(np.count_nonzero(~slopes.valid))
    if missing and method in FULL_FRAME:
        found.append(f"{missing:,} pixels without a normal were taken as level; try sparse")
    if regions.unobservable:
        count = len(regions.sizes)
        found.append(
            f"{count} regions are joined by no surface that the normals show; their heights "
            "relative to each other cannot be observed"
        )
    return tuple(found)


def _need_scipy() -> None:
    try:
        import scipy  # noqa: F401
    except ImportError:
        raise MissingExtraError("SciPy", "surface") from None
