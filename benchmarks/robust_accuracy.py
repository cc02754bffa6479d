"""How far each solver's normals are off on rendered gloss, and how the default window was chosen.

    python benchmarks/robust_accuracy.py [--quick] [--window] [--out FILE] [--plot FILE]

Mean angular error over a sphere, bumps and a part with steps (tests/glossy.py: a microfacet lobe,
attached and cast shadows, noise, exact truth), several seeds each; one figure is varied at a time.
``--window`` compares windows of ranks alone, without the gate that takes out shadows, and names the
one whose worst shape does best while 30% of the lights stay: the default.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import itertools
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from glossy import Look, render  # noqa: E402

import mvps  # noqa: E402
from mvps.files import write_json  # noqa: E402
from mvps.plotting import COLOURS, new_figure, save_figure  # noqa: E402

RESULTS = Path(__file__).resolve().parent / "results"
PLOT = ROOT / "docs" / "images" / "robust_accuracy.png"
SOLVERS = ("ls", "gated", "trimmed", "irls", "auto")
SHAPES = ("sphere", "bumps", "part")
BASE = Look(lights=12, slant=50, gloss=0.04, roughness=0.2, light_error=0.0, bits=12)
KEPT = 0.3  # of the lights: the least that a window may leave


@dataclass(frozen=True)
class Sweep:
    """One figure of a look and the values that it takes."""

    title: str
    axis: str
    looks: tuple[Look, ...]
    measured: str = ""  # attribute of what was rendered that stands on the axis, or
    field: str = ""  # field of the look


SWEEPS = (
    Sweep("Lights", "K", tuple(replace(BASE, lights=k) for k in (4, 6, 8, 12, 24, 48, 96)),
          field="lights"),
    Sweep("Highlights", "share of samples", measured="highlights",
          looks=tuple(replace(BASE, gloss=g) for g in (0.0, 0.01, 0.02, 0.04, 0.08, 0.16))),
    Sweep("Shadows", "share of samples", measured="shadows",
          looks=tuple(replace(BASE, slant=s, lights=12) for s in (25, 35, 45, 55, 65, 72))),
    Sweep("Light directions", "error in degrees", field="light_error",
          looks=tuple(replace(BASE, light_error=e) for e in (0.0, 0.5, 1.0, 2.0))),
    Sweep("Bits", "of a sample", field="bits",
          looks=tuple(replace(BASE, bits=b) for b in (8, 12, 16))),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed instead of three")
    parser.add_argument("--window", action="store_true", help="compare windows of ranks, then stop")
    parser.add_argument("--out", type=Path, default=RESULTS / "robust_accuracy.json")
    parser.add_argument("--plot", type=Path, default=PLOT, help="picture of the sweeps")
    options = parser.parse_args()
    seeds = range(100, 101 if options.quick else 103)  # not those of the tests
    if options.window:
        compare_windows(seeds)
        return
    found = [run_sweep(sweep, seeds) for sweep in SWEEPS]
    write_json(options.out, {"base": asdict(BASE), "seeds": list(seeds), "sweeps": found})
    draw(found, options.plot)
    print(f"\nwritten to {options.out} and {options.plot}")


def run_sweep(sweep: Sweep, seeds: Iterable[int]) -> dict[str, Any]:
    """Print one table and give its rows."""
    print(f"\n| {sweep.title}: {sweep.axis} | " + " | ".join(SOLVERS) + " | auto chose |")
    print("|---" * (len(SOLVERS) + 2) + "|")
    rows = []
    for look in sweep.looks:
        row = run_look(look, seeds)
        at = row[sweep.measured] if sweep.measured else getattr(look, sweep.field)
        rows.append(row | {"at": at})
        shown = f"{at:.1%}" if sweep.measured else f"{at:g}"
        errors = " | ".join(f"{row['errors'][name]:.2f}" for name in SOLVERS)
        print(f"| {shown} | {errors} | {', '.join(row['chosen'])} |")
    return {"title": sweep.title, "axis": sweep.axis, "rows": rows}


def run_look(look: Look, seeds: Iterable[int]) -> dict[str, Any]:
    """Mean errors in degrees over shapes and seeds, and the shares that were rendered."""
    errors: dict[str, list[float]] = {name: [] for name in SOLVERS}
    shares, chosen = [], set()
    for shape, seed in itertools.product(SHAPES, seeds):
        capture = render(replace(look, shape=shape, seed=seed))
        shares.append((capture.highlights, capture.shadows))
        solved = {name: solve(capture, name) for name in SOLVERS}
        for name, normals in solved.items():
            errors[name].append(mean_error(normals[capture.mask], capture.normals[capture.mask]))
        same = [n for n in SOLVERS[:-1] if np.array_equal(solved[n], solved["auto"])]
        chosen.add(same[0])
    highlights, shadows = np.mean(shares, axis=0)
    means = {name: float(np.mean(values)) for name, values in errors.items()}
    return {
        "errors": means,
        "highlights": float(highlights),
        "shadows": float(shadows),
        "chosen": sorted(chosen),
    }


def solve(capture: Any, solver: str) -> np.ndarray:
    rig = mvps.LightRig(capture.directions, np.ones(len(capture.directions)))
    found = mvps.solve(
        capture.images, rig, white=capture.white, mask=capture.mask, solver=solver, device="cpu"
    )
    normals: np.ndarray = found.normals
    return normals


def mean_error(normals: np.ndarray, truth: np.ndarray) -> float:
    """Degrees; a pixel without a normal counts as 90."""
    sine = np.linalg.norm(np.cross(normals, truth), axis=-1)
    return float(np.degrees(np.arctan2(sine, (normals * truth).sum(axis=-1))).mean())


def draw(sweeps: list[dict[str, Any]], path: Path) -> None:
    """One panel a sweep, one line a solver."""
    figure = new_figure(10.5, 6.4)
    panels = figure.subplots(2, 3).ravel()
    marks = dict(zip(SOLVERS, ("o", "s", "^", "D", "x"), strict=True))
    for panel, sweep in zip(panels, sweeps, strict=False):
        at = [row["at"] for row in sweep["rows"]]
        for colour, name in zip(COLOURS, SOLVERS, strict=False):
            errors = [row["errors"][name] for row in sweep["rows"]]
            dashed = {"linestyle": "--", "color": "black"} if name == "auto" else {"color": colour}
            panel.plot(at, errors, marker=marks[name], markersize=4, label=name, **dashed)
        panel.set(title=sweep["title"], xlabel=sweep["axis"], ylim=(0, None))
        if sweep["title"] == "Lights":
            panel.set(xscale="log", xticks=at, xticklabels=at)
            panel.minorticks_off()
        elif sweep["title"] == "Bits":
            panel.set(xticks=at)
    for panel in panels[::3]:
        panel.set_ylabel("mean error, degrees")
    handles, labels = panels[0].get_legend_handles_labels()
    panels[-1].axis("off")
    panels[-1].legend(handles, labels, loc="center", frameon=False, title="solver")
    save_figure(figure, path)


def compare_windows(seeds: Iterable[int]) -> None:
    """Print the geometric mean error of every window, by shape, the best worst shape first."""
    glosses = ((0.04, 0.15), (0.04, 0.35), (0.15, 0.25))
    looks = [
        Look(shape=shape, lights=K, slant=slant, gloss=g, roughness=r, size=48, seed=seed)
        for shape, K, slant, (g, r), seed in itertools.product(
            SHAPES, (12, 24, 96), (30, 45, 60), glosses, list(seeds)[:1]
        )
    ]
    captures = [(look.shape, render(look)) for look in looks]
    lows, highs = np.arange(0, 0.41, 0.1), np.arange(0.2, 0.61, 0.1)
    rows = []
    for low, high in itertools.product(lows, highs):
        if 1 - low - high < KEPT - 1e-9:
            continue
        logs: dict[str, list[float]] = {shape: [] for shape in SHAPES}
        for shape, capture in captures:
            logs[shape].append(np.log(windowed_error(capture, low, high)))
        means = {shape: float(np.exp(np.mean(values))) for shape, values in logs.items()}
        rows.append((max(means.values()), low, high, means))
    print("| low, high | " + " | ".join(SHAPES) + " |\n|---|---|---|---|")
    for _, low, high, means in sorted(rows, key=lambda row: row[0]):
        print(f"| {low:.1f}, {high:.1f} | " + " | ".join(f"{means[s]:.2f}" for s in SHAPES) + " |")


def windowed_error(capture: Any, low: float, high: float) -> float:
    """Mean error of least squares over a window of ranks, ties in the order of the lights."""
    L = capture.directions
    v = capture.images[:, capture.mask] / capture.white
    ranks = np.argsort(np.argsort(v, axis=0, kind="stable"), axis=0)
    first, last = int(low * len(L) + 1e-9), len(L) - int(high * len(L) + 1e-9)
    weights = ((ranks >= first) & (ranks < last)).astype(float)
    M = np.einsum("kn,ki,kj->nij", weights, L, L, optimize=True) + 1e-9 * np.eye(3)
    g = np.linalg.solve(M, np.einsum("kn,ki->ni", weights * v, L)[..., None])[..., 0]
    return mean_error(g, capture.normals[capture.mask])


if __name__ == "__main__":
    main()
