"""The ablation of the paper's table 4 on any data set, over seeds, beside PatchCore as the floor.

Every row and seed is a run of its own, all of them on one cache of features; what an interrupted
ablation has finished is kept.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mvps.datasets import Dataset
from mvps.detect.cache import FeatureCache
from mvps.detect.evaluation import Evaluation, Evaluator
from mvps.detect.features import FeatureSource
from mvps.detect.preprocess import mask_pixels
from mvps.detect.published import AS_PUBLISHED, ablation_table
from mvps.detect.run_folder import Run, digest_of
from mvps.detect.run_settings import RunSettings
from mvps.detect.run_train import Watch, train_run
from mvps.detect.scoring import score_source
from mvps.detect.tables import Table
from mvps.errors import InputError
from mvps.files import make_folder, read_text, write_json, write_text

RUNS, RESULT, TABLE = "runs", "evaluation.json", "ablation"
METRICS = ("I-AUROC", "S-AUROC", "P-AUROC", "AUPRO")


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes
    ----------
    key : name of its folders
    title : as the table shows it
    changes : of the settings
    """

    key: str
    title: str
    changes: Mapping[str, Any]


ROWS = (
    Row("rgb", "RGB only", {"fusion": "rgb"}),
    Row("nv", "NV only", {"fusion": "nv"}),
    Row("concat", "concatenation", {"fusion": "concat"}),
    Row("no-lp", "UCP without L_p", {"fusion": "ucp", "options": {"entropy_weight": 0.0}}),
    Row("full", "full", {"fusion": "ucp"}),
    Row("patchcore-rgb", "PatchCore, RGB", {"detector": "patchcore", "fusion": "rgb"}),
    Row("patchcore-nv", "PatchCore, NV", {"detector": "patchcore", "fusion": "nv"}),
    Row("patchcore-both", "PatchCore, RGB+NV", {"detector": "patchcore", "fusion": "concat"}),
)


@dataclass(frozen=True)
class Trial:
    """A row with one seed.

    Attributes
    ----------
    row, seed : which
    evaluation : on the test images
    fit : steps, best step, first and last losses and seconds, as far as the detector states them
    """

    row: Row
    seed: int
    evaluation: Evaluation
    fit: Mapping[str, Any]


@dataclass(frozen=True)
class Spread:
    """A figure over the seeds: mean, standard deviation (n - 1; NaN of one seed) and values."""

    mean: float
    deviation: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class Ablation:
    """All trials, and the folder that holds their tables."""

    folder: Path
    trials: tuple[Trial, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the tables: "all", "seen", kinds of defects, quartiles of their size."""
        first = self.trials[0].evaluation
        return ("all", "seen", *first.defects, *first.sizes)

    def spread(self, row: str, part: str, metric: str) -> Spread:
        """A figure of a row, the mean over the categories, over the seeds."""
        trials = [t for t in self.trials if t.row.key == row]
        values = [t.evaluation.mean(part).get(metric, np.nan) for t in trials]
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
        return Spread(float(np.mean(values)), deviation, tuple(values))


def ablate(
    dataset: Dataset,
    settings: RunSettings,
    folder: Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    rows: Sequence[Row] = ROWS,
    cache: FeatureCache | None = None,
    device: str = "auto",
    watch: Watch = lambda _: None,
    begin: Callable[[Row, int], None] = lambda _row, _seed: None,
) -> Ablation:
    """Train and score every row with every seed, and write the tables.

    Parameters
    ----------
    settings : common to the rows; what a row changes is replaced, and options of CPRN are dropped
        for PatchCore
    folder : holds a run a row and seed, and the tables
    seeds : of initial weights, order of the images and what is held out
    watch : told what a training does
    begin : told each row and seed that is not finished yet

    Raises
    ------
    InputError
        Nothing to test on, no folder to write to, or a run that cannot be trained; see
        :func:`train_run`.
    """
    if not any(record.split == "test" for record in dataset.records):
        raise InputError(dataset.root, "holds no test images", "give a data set with some")
    make_folder(folder / RUNS)
    trials = []
    for seed in seeds:
        for row in rows:
            place = folder / RUNS / f"{row.key}-seed{seed}"
            if not (place / RESULT).is_file():
                begin(row, seed)
            own = row_settings(settings, row, seed)
            trials.append(_trial(dataset, own, place, row, cache, device, watch))
    ablation = Ablation(folder, tuple(trials))
    write_tables(ablation)
    return ablation


def rows_of(names: str) -> tuple[Row, ...]:
    """Rows by their keys, parted by commas.

    Raises
    ------
    InputError
        One is unknown.
    """
    known = {row.key: row for row in ROWS}
    wanted = [name.strip() for name in names.split(",")]
    for name in wanted:
        if name not in known:
            raise InputError("--rows", f"{name!r} is unknown", f"use {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(wanted))


def row_settings(settings: RunSettings, row: Row, seed: int) -> RunSettings:
    """Settings of a row: the common ones with its changes."""
    changes = dict(row.changes)
    common = {} if changes.get("detector") == "patchcore" else dict(settings.options)
    changes["options"] = common | dict(changes.get("options", {}))
    return replace(settings, seed=seed, **changes)


def _trial(  # noqa: PLR0917
    dataset: Dataset,
    settings: RunSettings,
    place: Path,
    row: Row,
    cache: FeatureCache | None,
    device: str,
    watch: Watch,
) -> Trial:
    start = time.perf_counter()
    run = train_run(dataset, settings, place, cache=cache, device=device, watch=watch)
    seconds = time.perf_counter() - start
    path, key = place / RESULT, _test_key(dataset, run)
    kept = _kept(path, key)
    if kept is not None:
        return Trial(row, settings.seed, *kept)
    evaluation = evaluate_run(dataset, run, cache, device)
    fit = _fit_figures(run) | {"seconds": round(seconds, 1)}
    write_json(path, {"key": key, "fit": fit, "evaluation": evaluation.to_json()})
    return Trial(row, settings.seed, evaluation, fit)


def _kept(path: Path, key: str) -> tuple[Evaluation, Mapping[str, Any]] | None:
    """What an earlier call found; None where there is nothing, it is damaged or of other images."""
    if not path.is_file():
        return None
    try:
        stated = json.loads(read_text(path))
        if stated["key"] != key:
            return None
        return Evaluation.from_json(stated["evaluation"]), dict(stated["fit"])
    except (InputError, ValueError, KeyError, TypeError, RecursionError):
        return None


def evaluate_run(
    dataset: Dataset, run: Run, cache: FeatureCache | None = None, device: str = "auto"
) -> Evaluation:
    """Figures of a run on the test images of a data set; no map is kept."""
    evaluator, encoder, settings = Evaluator(), run.encoder(device), run.settings
    tests = [r for r in dataset.records if r.split == "test"]
    for category in dict.fromkeys(r.category for r in tests):
        records = [r for r in tests if r.category == category]
        source = FeatureSource(records, settings.modalities, encoder, run.preprocess, cache)
        source.warm()
        places = run.places(category)
        for one in score_source(run.detector(category, device), source, places=places):
            mask = mask_pixels(one.record.mask, run.preprocess, one.map.shape)
            evaluator.add(one.record, one.score, one.map, mask)
    return evaluator.finish()


def write_tables(ablation: Ablation) -> None:
    """Write the tables as JSON, CSV, Markdown and LaTeX into the folder of the ablation.

    The paper's own table follows ours in a block of its own, and is a CSV of its own.
    """
    rows = [("row", "part", "metric", "mean", "deviation", "seeds", "values")]
    keys = dict.fromkeys((t.row.key, t.row.title) for t in ablation.trials)
    for key, title in keys:
        for part in ablation.parts:
            for metric in METRICS:
                one = ablation.spread(key, part, metric)
                values = " ".join(f"{v:.6f}" for v in one.values)
                numbers = (f"{one.mean:.6f}", f"{one.deviation:.6f}", str(len(one.values)))
                rows.append((title, part, metric, *numbers, values))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    folder, paper = ablation.folder, ablation_table()
    write_text(folder / f"{TABLE}.csv", text.getvalue())
    write_text(folder / f"{TABLE}_{paper.name}.csv", paper.to_csv())
    write_json(folder / f"{TABLE}.json", _stated(ablation, paper))
    tables = [*(table_of(ablation, part) for part in ablation.parts), paper]
    write_text(folder / f"{TABLE}.md", "\n".join(table.to_markdown() for table in tables))
    write_text(folder / f"{TABLE}.tex", "\n".join(table.to_latex() for table in tables))


def table_of(ablation: Ablation, part: str) -> Table:
    """The table of a part: a row a trial, mean and spread a metric."""
    metrics = METRICS if part == "all" else tuple(m for m in METRICS if m != "S-AUROC")
    rows = []
    for key, title in dict.fromkeys((t.row.key, t.row.title) for t in ablation.trials):
        spreads = [ablation.spread(key, part, metric) for metric in metrics]
        rows.append((title, *map(_cell, spreads)))
    return Table(part, part, ("row", *metrics), tuple(rows))


def _cell(one: Spread) -> str | None:
    if np.isnan(one.mean):
        return None
    return f"{one.mean:.4f}" + ("" if np.isnan(one.deviation) else f" ± {one.deviation:.4f}")


def _stated(ablation: Ablation, paper: Table) -> dict[str, Any]:
    trials = [
        {
            "row": t.row.title,
            "seed": t.seed,
            "fit": dict(t.fit),
            "evaluation": t.evaluation.to_json(),
        }
        for t in ablation.trials
    ]
    return {"trials": trials, AS_PUBLISHED: paper.to_json()}


def _fit_figures(run: Run) -> dict[str, Any]:
    """Steps and convergence of a run of one model; of several by name."""

    def of(figures: Mapping[str, Any]) -> dict[str, Any]:
        losses = figures.get("losses") or []
        short = {k: v for k, v in figures.items() if k != "losses"}
        return short | ({"first": losses[0], "last": losses[-1]} if losses else {})

    return {name: of(model.figures) for name, model in run.models.items()}


def _test_key(dataset: Dataset, run: Run) -> str:
    """What an evaluation depends on."""
    tests = [[r.name, r.label, r.defect, str(r.mask)] for r in dataset.records if r.split == "test"]
    return digest_of([run.digest, tests])
