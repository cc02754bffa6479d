"""Whether the predicted deviation of a normal is its true error, on rendered captures.

    python benchmarks/quality.py [--quick] [--out FILE] [--plot FILE]

Matt spheres, bumps and parts (tests/glossy.py: shadows, noise, exact truth) by number of lights and
noise, each solver: pixels whose planes show neither shadow nor saturation are sorted into ten
classes of predicted deviation, and the root mean square of the predictions is compared with that of
the true angles. Then what no residual-based figure can see whole: gloss, wrong light directions,
shadows taken for light.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import itertools
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from glossy import Look, render  # noqa: E402

import mvps  # noqa: E402
from mvps.files import write_json  # noqa: E402
from mvps.plotting import COLOURS, new_figure, save_figure  # noqa: E402
from mvps.stereo import Solver  # noqa: E402

RESULTS = Path(__file__).resolve().parent / "results"
PLOT = ROOT / "docs" / "images" / "quality_reliability.png"
SHAPES = ("sphere", "bumps", "part")
SOLVERS = {
    "ls": Solver("ls"),
    "gated": Solver("gated"),
    "trimmed": Solver("trimmed"),
    "irls cauchy": Solver("irls"),
    "irls huber": Solver("irls", loss="huber"),
    "irls tukey": Solver("irls", loss="tukey"),
    "irls l1": Solver("irls", loss="l1"),
}
DRAWN = ("ls", "gated", "trimmed", "irls cauchy")
LIGHTS, NOISES = (3, 4, 6, 8, 12, 24, 48), (0.5, 1.0, 2.0, 4.0)
MATT = Look(gloss=0.0, slant=35, bits=12, size=48)
CLASSES = 10


@dataclass(frozen=True)
class Trial:
    """Predicted and true degrees of many pixels."""

    predicted: np.ndarray
    observed: np.ndarray

    def ratio(self) -> float:
        """True over predicted root mean square."""
        return rms(self.observed) / rms(self.predicted)

    def classes(self) -> list[tuple[float, float]]:
        """Root mean squares (predicted, true) by class of the prediction."""
        order = np.argsort(self.predicted)
        parts = np.array_split(order, CLASSES)
        return [(rms(self.predicted[part]), rms(self.observed[part])) for part in parts]


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def together(trials: Sequence[Trial]) -> Trial:
    return Trial(
        np.concatenate([trial.predicted for trial in trials]),
        np.concatenate([trial.observed for trial in trials]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed instead of three")
    parser.add_argument("--out", type=Path, default=RESULTS / "quality.json")
    parser.add_argument("--plot", type=Path, default=PLOT, help="reliability plot")
    options = parser.parse_args()
    seeds = range(200, 201 if options.quick else 203)  # not those of the tests
    grid = {
        (name, K, noise): trial(replace(MATT, lights=K, noise=noise), solver, seeds)
        for name, solver in SOLVERS.items()
        for K, noise in itertools.product(LIGHTS, NOISES)
    }
    pooled = {name: pool(grid, name) for name in SOLVERS}
    blind = list(unseen(seeds))
    report = {
        "look": {"slant": MATT.slant, "bits": MATT.bits, "size": MATT.size, "shapes": SHAPES},
        "seeds": list(seeds),
        "ratio_by_lights_and_noise": [
            {
                "solver": n,
                "lights": K,
                "noise": s,
                "predicted": rms(t.predicted),
                "ratio": t.ratio(),
            }
            for (n, K, s), t in grid.items()
        ],
        "classes": {name: t.classes() for name, t in pooled.items()},
        "unseen": blind,
    }
    write_json(options.out, report)
    print_tables(grid, pooled, blind)
    draw(pooled, blind, options.plot)
    print(f"\nwritten to {options.out} and {options.plot}")


def pool(grid: dict[Any, Trial], name: str) -> Trial:
    """All lights from 4 on and all noises of a solver."""
    return together([trial for (n, K, _), trial in grid.items() if n == name and K > 3])


def trial(look: Look, solver: Solver, seeds: Iterable[int], *, clean: bool = True) -> Trial:
    """Pixels of all shapes; ``clean`` leaves out those with a shadow or a saturated sample."""
    trials = []
    for shape, seed in itertools.product(SHAPES, seeds):
        capture = render(replace(look, shape=shape, seed=seed))
        found = mvps.solve(
            capture.images,
            mvps.LightRig(capture.directions, np.ones(look.lights)),
            white=capture.white,
            mask=capture.mask,
            solver=solver,
            quality=True,
            device="cpu",
        )
        kept = found.valid
        if clean:
            kept = kept & (found.shadowed == 0) & (found.saturated == 0)
        angle = angles(found.normals[kept], capture.normals[kept])
        trials.append(Trial(found.deviation[kept].astype(float), angle))
    return together(trials)


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Degrees between vectors (n, 3)."""
    sine = np.linalg.norm(np.cross(a, b), axis=-1)
    degrees: np.ndarray = np.degrees(np.arctan2(sine, (a * b).sum(axis=-1)))
    return degrees


def unseen(seeds: Iterable[int]) -> Iterable[dict[str, Any]]:
    """What is not noise: ratio of true to predicted for each solver."""
    base = replace(MATT, lights=12)
    cases = (
        ("nothing else", base, True),
        ("gloss 0.04", replace(base, gloss=0.04, roughness=0.2), True),
        ("gloss 0.16", replace(base, gloss=0.16, roughness=0.2), True),
        ("lights 0.5 degrees off", replace(base, light_error=0.5), True),
        ("lights 2 degrees off", replace(base, light_error=2.0), True),
        ("shadows (lights to 60 degrees)", replace(base, slant=60), False),
    )
    for title, look, clean in cases:
        found = {n: trial(look, SOLVERS[n], seeds, clean=clean) for n in DRAWN}
        yield {
            "what": title,
            "ratio": {name: t.ratio() for name, t in found.items()},
            "true": {name: rms(t.observed) for name, t in found.items()},
        }


def print_tables(
    grid: dict[Any, Trial], pooled: dict[str, Trial], blind: list[dict[str, Any]]
) -> None:
    print("| true / predicted | " + " | ".join(f"K = {K}" for K in LIGHTS) + " | classes, K >= 4 |")
    print("|---" * (len(LIGHTS) + 2) + "|")
    for name, whole in pooled.items():
        cells = []
        for K in LIGHTS:
            ratios = [grid[name, K, noise].ratio() for noise in NOISES]
            cells.append(f"{min(ratios):.2f} to {max(ratios):.2f}")
        classes = [seen / said for said, seen in whole.classes()]
        print(f"| {name} | " + " | ".join(cells) + f" | {min(classes):.2f} to {max(classes):.2f} |")
    print("\n| not noise | " + " | ".join(DRAWN) + " |\n|" + "---|" * (len(DRAWN) + 1))
    for row in blind:
        cells = [f"{row['ratio'][n]:.1f} ({row['true'][n]:.2f})" for n in DRAWN]
        print(f"| {row['what']} | " + " | ".join(cells) + " |")


def draw(pooled: dict[str, Trial], blind: list[dict[str, Any]], path: Path) -> None:
    """Left: reliability by class. Right: true over predicted where noise is not all there is."""
    figure = new_figure(10.5, 4.4)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
    for colour, mark, name in zip(COLOURS, ("o", "s", "^", "D"), DRAWN, strict=False):
        said, seen = np.transpose(pooled[name].classes())
        left.loglog(said, seen, marker=mark, markersize=5, color=colour, linewidth=1, label=name)
    ends = np.array(left.get_xlim())
    left.plot(ends, ends, color="black", linewidth=1, zorder=0)
    left.fill_between(ends, ends / 1.25, ends * 1.25, color="black", alpha=0.08, zorder=0)
    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 5, 10) if ends[0] <= t <= ends[1]]
    for axis in (left.xaxis, left.yaxis):
        axis.set_ticks(ticks, [f"{t:g}" for t in ticks])
        axis.set_ticks([], minor=True)
    left.set(
        title="Noise: 4 to 48 lights, four levels",
        xlabel="predicted deviation, degrees",
        ylabel="true error (RMS), degrees",
    )
    left.legend(frameon=False, title="solver")
    width = 0.8 / len(DRAWN)
    for index, (colour, name) in enumerate(zip(COLOURS, DRAWN, strict=False)):
        at = np.arange(len(blind)) + (index - (len(DRAWN) - 1) / 2) * width
        right.barh(at, [row["ratio"][name] for row in blind], width, color=colour)
    right.axvline(1, color="black", linewidth=1)
    right.set_yticks(range(len(blind)), [row["what"] for row in blind])
    right.invert_yaxis()
    right.set(title="What is not noise (12 lights)", xlabel="true error / predicted deviation")
    save_figure(figure, path)


if __name__ == "__main__":
    main()
