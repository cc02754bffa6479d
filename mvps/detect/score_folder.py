"""The folder of scores: what was scored, how, and what is OK or NG; the maps lie beside it.

``scores.csv`` holds a row a view, ``samples.csv`` a row a sample, ``scores.json`` everything else.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.datasets.record import Record
from mvps.datasets.tree import below
from mvps.detect.map_files import read_map
from mvps.errors import InputError
from mvps.files import read_text, write_json, write_text

VERSION = 1
SCORES, SAMPLES, FACTS = "scores.csv", "samples.csv", "scores.json"
OK, NG = "OK", "NG"
COLUMNS = (
    "category", "sample", "view", "split", "label", "defect", "score", "verdict", "map", "overlay",
)  # fmt: skip
SAMPLE_COLUMNS = ("category", "sample", "label", "defect", "score", "verdict")
_AGAIN = "score again: mvps detect score RUN DATA --overwrite"


@dataclass(frozen=True)
class ScoreRow:
    """A scored view.

    Attributes
    ----------
    category, sample, view, split : of the record; split is "" where there are no labels
    label : 0 sound, 1 defective, None where nobody said
    defect : kind of it, "" where there are no labels
    score : higher is less normal
    verdict : "OK" or "NG"; "" before it was given
    map, overlay : files named from the folder; "" where there is none
    folder : that holds them
    scale : of a sample of the map's file
    """

    category: str
    sample: str
    view: str
    split: str
    label: int | None
    defect: str
    score: float
    verdict: str = ""
    map: str = ""
    overlay: str = ""
    folder: Path = Path()
    scale: float = 1.0

    @property
    def name(self) -> str:
        """Name of the record."""
        return "/".join(part for part in (self.category, self.sample, self.view) if part)

    def read_map(self) -> NDArray[np.float32]:
        """Anomaly map (H, W) float32.

        Raises
        ------
        InputError, ImageError
            None was kept, or its file cannot be used.
        """
        if not self.map:
            raise InputError(self.folder, f"keeps no map of {self.name}", "score with --maps f16")
        return read_map(self.folder / self.map, scale=self.scale)


@dataclass(frozen=True)
class SampleRow:
    """A scored sample: the highest score of its views, and a verdict of its own threshold."""

    category: str
    sample: str
    label: int | None
    defect: str
    score: float
    verdict: str = ""


@dataclass(frozen=True)
class ScoreFolder:
    """What was scored.

    Attributes
    ----------
    folder : that holds it
    rows : by view, in the order of the records
    samples : in the order of their first views
    facts : of ``scores.json``: run, settings, thresholds by category and unit, maps, counts and,
        where there are labels, metrics
    """

    folder: Path
    rows: tuple[ScoreRow, ...]
    samples: tuple[SampleRow, ...]
    facts: Mapping[str, Any]


def row_of(record: Record, score: float, *, labelled: bool = True, **files: Any) -> ScoreRow:
    """Row of a record; without labels it says nothing of split, label and defect."""
    split, label, defect = record.split, record.label, record.defect
    stated: tuple[str, int | None, str] = (split, label, defect) if labelled else ("", None, "")
    return ScoreRow(record.category, record.sample, record.view, *stated, score, **files)


def samples_of(rows: Sequence[ScoreRow]) -> tuple[SampleRow, ...]:
    """Samples of views: the highest score, defective where one view is."""
    found: dict[tuple[str, str], SampleRow] = {}
    for row in rows:
        key = row.category, row.sample
        own = SampleRow(*key, row.label, row.defect, row.score)
        before = found.setdefault(key, own)
        worse = own if (own.label or 0) > (before.label or 0) else before
        found[key] = replace(worse, score=max(own.score, before.score))
    return tuple(found.values())


def write_scores(scores: ScoreFolder) -> None:
    """Write the two tables and then ``scores.json``, each atomically."""
    _write_table(scores.folder / SCORES, COLUMNS, scores.rows)
    _write_table(scores.folder / SAMPLES, SAMPLE_COLUMNS, scores.samples)
    write_json(scores.folder / FACTS, {"version": VERSION, **scores.facts})


def read_scores(folder: Path) -> ScoreFolder:
    """A folder of scores.

    Raises
    ------
    InputError
        There is none, it is not finished, damaged, or was written by a newer version.
    """
    path = folder / FACTS
    if not path.is_file():
        raise InputError(folder, f"holds no {FACTS}", "score first: mvps detect score RUN DATA")
    try:
        facts = json.loads(read_text(path))
        version, scale = facts.pop("version"), float(facts["maps"]["scale"])
        _check_nested(facts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(path, f"is damaged ({error})", _AGAIN) from None
    if version != VERSION:
        raise InputError(path, f"is of version {version!r}, not {VERSION}", "update mvps")
    rows = []
    for where, cells in _read_table(folder / SCORES, COLUMNS):
        for name in ("map", "overlay"):
            cells[name] = below(cells[name], f"{where}, {name}") if cells[name] else ""
        rows.append(ScoreRow(**_typed(cells, where), folder=folder, scale=scale))
    samples = [
        SampleRow(**_typed(cells, where))
        for where, cells in _read_table(folder / SAMPLES, SAMPLE_COLUMNS)
    ]
    return ScoreFolder(folder, tuple(rows), tuple(samples), facts)


def _check_nested(facts: Mapping[str, Any]) -> None:
    """Refuse statements that readers would look into and cannot."""
    thresholds = [*facts.get("thresholds", {}).values()]
    units = [unit for one in thresholds for unit in one.values()]
    for value in (*(facts.get(name, {}) for name in ("run", "data")), *units):
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} names nothing")


def score_text(score: float) -> str:
    """A score with the digits that a float32 has."""
    return f"{score:.9g}"


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Any]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        cells = {name: getattr(row, name) for name in columns}
        cells["score"] = score_text(row.score)
        writer.writerow(["" if cells[name] is None else cells[name] for name in columns])
    write_text(path, text.getvalue())


def _read_table(path: Path, columns: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    rows = []
    reader = csv.reader(io.StringIO(read_text(path)), strict=True)
    try:
        if tuple(next(reader, ())) != tuple(columns):
            raise InputError(path, "its first line names other columns", _AGAIN)
        for cells in reader:
            where = f"{path}, line {reader.line_num}"
            if len(cells) != len(columns):
                raise InputError(where, f"{len(cells)} cells under {len(columns)} columns", _AGAIN)
            rows.append((where, dict(zip(columns, cells, strict=True))))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}", f"is no CSV ({error})") from None
    return rows


def _typed(cells: dict[str, Any], where: str) -> dict[str, Any]:
    try:
        score = float(cells["score"])
        label = int(cells["label"]) if cells["label"] else None
    except ValueError as error:
        raise InputError(where, f"is damaged ({error})", _AGAIN) from None
    if not np.isfinite(score) or label not in (None, 0, 1) or cells["verdict"] not in ("", OK, NG):
        raise InputError(where, "holds a score, label or verdict that is none", _AGAIN)
    return cells | {"score": score, "label": label}
