"""What colour, normals and their fusion find: the ablation on a rendered data set.

    python benchmarks/detection.py WORK [--seeds 3] [--floor-seeds 1] [--steps 100] [--out FILE]

WORK/set is rendered from benchmarks/detect_dataset.yml unless it is there; runs lie in
WORK/ablation and WORK/ablation-floor, and an interrupted benchmark goes on. One model for all
categories, 224 px, the small encoder of examples/fetch_encoder.py. Prints Markdown tables by group
of defects and by quartile of their size (mean over categories and kinds; standard deviation over
the seeds), then what each training took.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from solve import RESULTS, machine

from mvps.datasets import read_dataset
from mvps.detect.ablation import ROWS, Ablation, ablate
from mvps.detect.cache import FeatureCache, default_folder
from mvps.detect.recipe import Recipe
from mvps.detect.run_settings import RunSettings
from mvps.files import write_json

CONFIG = Path(__file__).parent / "detect_dataset.yml"
ENCODER, SIZE, BATCH = "focus-vits14", 224, 8
GROUPS = {
    "geometry alone": ("bump", "dent", "missing_piece", "scratch"),
    "colour alone": ("discoloration",),
    "both": ("contamination",),
}
METRICS = ("I-AUROC", "P-AUROC", "AUPRO")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--floor-seeds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--out", type=Path, default=RESULTS / "detection.json")
    options = parser.parse_args()
    data = options.work / "set"
    if not (data / "contact.png").is_file():
        command = ["synth", "dataset", str(data), "--config", str(CONFIG)]
        subprocess.run([sys.executable, "-m", "mvps", *command], check=True)
    settings = RunSettings(
        encoder=ENCODER,
        resize=SIZE,
        crop=SIZE,
        recipe=Recipe(batch=BATCH),
        steps=options.steps,
    )
    dataset, cache = read_dataset(data), FeatureCache(default_folder())
    trained = [row for row in ROWS if row.changes.get("detector") is None]
    floor = [row for row in ROWS if row not in trained]
    parts = (
        ("ablation", trained, options.seeds),
        ("ablation-floor", floor, options.floor_seeds),
    )
    rows: list[dict[str, Any]] = []
    for name, chosen, seeds in parts:
        place = options.work / name
        found = ablate(dataset, settings, place, rows=chosen, seeds=range(seeds), cache=cache)
        rows += [stated(found, row.key, row.title) for row in chosen]
    show(rows)
    facts = {"steps": options.steps, "batch": BATCH, "size": SIZE, "encoder": ENCODER}
    write_json(options.out, machine() | facts | {"rows": rows})


def stated(found: Ablation, key: str, title: str) -> dict[str, Any]:
    """Figures of a row by part, with their spread over the seeds, and its trainings."""
    first = found.trials[0].evaluation
    parts = {"all views": ("all",), "views that show it": ("seen",)} | GROUPS
    parts |= {size: (size,) for size in first.sizes}
    parts |= {kind: (kind,) for kind in first.defects}
    trials = [trial for trial in found.trials if trial.row.key == key]
    return {
        "row": title,
        "parts": {name: figures(found, key, of) for name, of in parts.items()},
        "trainings": [{"seed": trial.seed, **trial.fit} for trial in trials],
    }


def figures(found: Ablation, key: str, parts: tuple[str, ...]) -> dict[str, Any]:
    """Mean over the parts, seed by seed; then mean and standard deviation over the seeds."""
    result = {}
    metrics = ("S-AUROC", *METRICS) if parts == ("all",) else METRICS
    for metric in metrics:
        values = np.mean([found.spread(key, part, metric).values for part in parts], axis=0)
        deviation = float(values.std(ddof=1)) if len(values) > 1 else None
        result[metric] = {"mean": values.mean(), "deviation": deviation, "values": values.tolist()}
    return result


def show(rows: list[dict[str, Any]]) -> None:
    """The tables as Markdown."""
    for part in rows[0]["parts"]:
        metrics = list(rows[0]["parts"][part])
        print(f"\n{part}\n\n| row | {' | '.join(metrics)} |\n{'|---' * (len(metrics) + 1)}|")
        for row in rows:
            print(f"| {row['row']} | {' | '.join(map(cell, row['parts'][part].values()))} |")
    head = ("row", "seed", "steps", "best at", "loss, first to held-out", "s")
    print(f"\n| {' | '.join(head)} |\n{'|---' * len(head)}|")
    for row in rows:
        for one in row["trainings"]:
            fit = one.get("all", {})
            if "last" in fit:
                loss = f"{fit['first']['total']:.3f} to {fit['last'].get('held_out', np.nan):.4f}"
                steps = f"{fit['steps']} | {fit['best_step']} | {loss}"
                print(f"| {row['row']} | {one['seed']} | {steps} | {one['seconds']:.0f} |")


def cell(figure: dict[str, Any]) -> str:
    spread = "" if figure["deviation"] is None else f" ± {figure['deviation']:.3f}"
    return f"{figure['mean']:.3f}{spread}"


if __name__ == "__main__":
    main()
