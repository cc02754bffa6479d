"""From the folders of a run and of its scores to what a report tells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvps.datasets import Record
from mvps.datasets.stated import read_stated
from mvps.detect.run_folder import Run
from mvps.detect.score_folder import FACTS, ScoreFolder, read_scores
from mvps.errors import InputError
from mvps.report.detect_study import Limits, ScoredImage, Study, group

SCORES = "scores"  # folder of a run that holds a folder for each data set
_DATA = "give the data set that was scored: --data DIR"


def find_scores(run: Run, folder: Path | None = None) -> ScoreFolder:
    """Scores of a run: those named, or the newest that the run's folder holds.

    Raises
    ------
    InputError
        There are none, they cannot be read, or are of another run.
    """
    if folder is None:
        found = [path.parent for path in (run.folder / SCORES).glob(f"*/{FACTS}")]
        if not found:
            remedy = "score a data set first: mvps detect score RUN DATA"
            raise InputError(run.folder, "holds no scores", remedy)
        labelled = [path for path in found if "metrics" in read_scores(path).facts]
        folder = max(labelled or found, key=lambda path: (path / FACTS).stat().st_mtime_ns)
    scores = read_scores(folder)
    if scores.facts.get("run", {}).get("digest") not in (None, run.digest):
        raise InputError(folder, f"holds scores of another run than {run.folder}", "score again")
    return scores


def read_study(run: Run, scores: ScoreFolder, data: Path | None = None) -> Study:
    """What a report tells of the scores of a run.

    Parameters
    ----------
    data : folder of the data set, where it lies elsewhere than when it was scored

    Raises
    ------
    InputError
        The data set cannot be found or read, or lacks what was scored.
    """
    records = {record.name: record for record in _records(scores, data)}
    images = []
    for row in scores.rows:
        if row.name not in records:
            raise InputError(scores.folder, f"{row.name} is not in the data set", _DATA)
        reader = row.read_map if row.map else None
        images.append(ScoredImage(records[row.name], row.score, row.verdict, reader))
    verdicts = {(row.category, row.sample): row.verdict for row in scores.samples}
    limits = {
        category: Limits(*(_value(units, unit) for unit in ("view", "sample")))
        for category, units in scores.facts.get("thresholds", {}).items()
    }
    name = run.folder.resolve().name
    return Study(name, _facts(run, scores), tuple(group(images, verdicts)), limits, run.preprocess)


def _records(scores: ScoreFolder, data: Path | None) -> tuple[Record, ...]:
    categories = tuple(dict.fromkeys(row.category for row in scores.rows))
    stated = scores.facts.get("data", {})
    return read_stated(stated, scores.folder, data, categories).records


def _value(units: Mapping[str, Any], unit: str) -> float | None:
    value = units.get(unit, {}).get("value")
    return None if value is None else float(value)


def _facts(run: Run, scores: ScoreFolder) -> tuple[tuple[str, str], ...]:
    settings, encoder = run.settings, run.encoder_facts
    size = f"{settings.tile} px tiles" if settings.tile else f"{settings.resize} px"
    detector = settings.detector
    if detector == "cprn":
        detector = f"CPRN, fusion {settings.fusion}, reconstructs {settings.reconstruct}"
    blocks = ", ".join(map(str, encoder.layers))
    learnt = sum(counts["learn"] for counts in run.data["categories"].values())
    held = sum(counts["held_out"] for counts in run.data["categories"].values())
    models = "a model a category" if settings.per_category else "one model"
    return (
        ("Run", str(run.folder.resolve())),
        ("Detector", detector),
        ("Encoder", f"{encoder.name}, {encoder.digest[:19]}, blocks {blocks}"),
        ("Images", f"{size}, centre {settings.crop} px"),
        ("Training", f"{models}, {_steps(run)}{learnt:,} images, {held:,} held out"),
        ("Seed", str(settings.seed)),
        ("Scores", str(scores.folder.resolve())),
        ("Threshold", _threshold(scores)),
    )


def _steps(run: Run) -> str:
    figures = [model.figures for model in run.models.values()]
    steps = [str(stated["steps"]) for stated in figures if "steps" in stated]
    return f"{', '.join(dict.fromkeys(steps))} steps, " if steps else ""


def _threshold(scores: ScoreFolder) -> str:
    rules = (
        str(units["sample"].get("rule", ""))
        for units in scores.facts.get("thresholds", {}).values()
        if "sample" in units
    )
    return "; ".join(dict.fromkeys(rules))
