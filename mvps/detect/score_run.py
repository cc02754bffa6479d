"""Scoring records with a run, into a folder that an interrupted run goes on with.

A journal keeps a line a scored record; verdicts, pictures and metrics follow from it at the end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvps.datasets.record import SPLITS, Record
from mvps.detect.features import FeatureSource
from mvps.detect.map_files import MAP_KINDS, TOP, write_map
from mvps.detect.overlay import HeatScale, overlay, record_picture, write_picture
from mvps.detect.preprocess import mask_pixels
from mvps.detect.run_folder import Run, digest_of
from mvps.detect.score_folder import (
    NG,
    OK,
    ScoreFolder,
    ScoreRow,
    row_of,
    samples_of,
    score_text,
    write_scores,
)
from mvps.detect.score_names import file_names
from mvps.detect.scoring import BATCH, Scored, score_source
from mvps.detect.verdict import Rule, Thresholds, check_rule, judged, stated, thresholds_of
from mvps.errors import InputError
from mvps.files import append_line, make_folder, read_text, write_text
from mvps.images.output_file import write_fault

if TYPE_CHECKING:
    from mvps.detect.cache import FeatureCache

JOURNAL = "rows.jsonl"
OVERLAYS = ("none", "ng", "all")
MAPS, PICTURES = "maps", "overlays"
COSINE_TOP, PLACE_TOP = 2.0, 32.0  # largest cosine distance, and deviations that few defects pass


@dataclass(frozen=True)
class ScoreSettings:
    """How records are scored.

    Attributes
    ----------
    maps : "f16", "png16" or "none"
    overlays : "none", "ng" (of views that are NG) or "all"
    rule : of the thresholds
    batch : images at once
    device : auto, cpu, cuda or cuda:N
    labelled : records say what is sound
    map_top : value of a full-scale sample of png16; None for :data:`COSINE_TOP`, or
        :data:`PLACE_TOP` where the run compares places
    """

    maps: str = "f16"
    overlays: str = "none"
    rule: Rule = field(default_factory=Rule)
    batch: int = BATCH
    device: str = "auto"
    labelled: bool = True
    map_top: float | None = None

    def __post_init__(self) -> None:
        for option, value, known in (
            ("--maps", self.maps, (*MAP_KINDS, "none")),
            ("--overlays", self.overlays, OVERLAYS),
        ):
            if value not in known:
                raise InputError(option, f"{value!r} is unknown", f"use {', '.join(known)}")
        if self.maps == "none" and self.overlays != "none":
            raise InputError("--overlays", "are drawn from maps", "leave --maps at f16")
        if self.batch < 1:
            raise InputError("--batch", f"{self.batch} is less than 1")
        if self.map_top is not None and not 0 < self.map_top < math.inf:
            raise InputError("--map-top", f"{self.map_top} is no score above 0")

    def scale(self, run: Run) -> float:
        """Of a sample of the maps' files."""
        top = self.map_top or (PLACE_TOP if run.settings.by_place else COSINE_TOP)
        return top / TOP if self.maps == "png16" else 1.0


def score_run(
    run: Run,
    records: Sequence[Record],
    folder: Path,
    settings: ScoreSettings,
    *,
    cache: FeatureCache | None = None,
    overwrite: bool = False,
    data: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> ScoreFolder:
    """Score records into a folder; what it already holds of the same run and data stays.

    Parameters
    ----------
    run : finished
    records : all of one data set, named uniquely
    folder : made where it is missing
    settings : of the scoring
    cache : of features
    overwrite : drop scores of another run, data or settings
    data : what ``scores.json`` says of the data
    progress : told the number of records just done

    Raises
    ------
    InputError, ImageError
        No records, a rule that cannot be met, an image that cannot be used, or a folder that cannot
        be made or holds something else.
    MvpsError
        A file cannot be written.
    """
    if not records:
        raise InputError(folder, "there is nothing to score", "check the data and --split")
    categories = tuple(dict.fromkeys(record.category for record in records))
    check_rule(settings.rule, run, categories, labelled=settings.labelled)
    job = _Job(run, records, file_names(records), folder, settings)
    try:
        journal = _open_journal(folder, _plan(run, records, settings), overwrite=overwrite)
        _score_missing(job, journal, cache, progress)
        journal.settle(records)
        return _finish(job, journal.scores, data or {})
    except OSError as error:
        raise write_fault(Path(error.filename or folder), error) from None


@dataclass(frozen=True)
class _Job:
    """What is scored, by what and where; ``names`` are of files, by the name of the record."""

    run: Run
    records: Sequence[Record]
    names: Mapping[str, str]
    folder: Path
    settings: ScoreSettings

    @property
    def scale(self) -> float:
        """Of a sample of the maps' files."""
        return self.settings.scale(self.run)

    def map_name(self, record: Record) -> str:
        """File of a record's map, named from the folder; "" where none is kept."""
        ending = MAP_KINDS.get(self.settings.maps, "")
        return f"{MAPS}/{self.names[record.name]}{ending}" if ending else ""


def of_split(records: Sequence[Record], split: str) -> tuple[Record, ...]:
    """Records of a split, or "all".

    Raises
    ------
    InputError
        It is none.
    """
    if split != "all" and split not in SPLITS:
        raise InputError("--split", f"{split!r} is unknown", f"use {', '.join(SPLITS)} or all")
    return tuple(record for record in records if split in ("all", record.split))


def _plan(run: Run, records: Sequence[Record], settings: ScoreSettings) -> dict[str, Any]:
    """What scores depend on."""
    stated_records = []
    for record in records:
        files = [p for p in (record.rgb, record.normals) if p is not None]
        sizes = [p.stat().st_size if p.is_file() else -1 for p in files]
        stated_records.append([record.name, [str(p) for p in files], sizes, str(record.convention)])
    return {
        "run": run.digest,
        "records": digest_of(stated_records),
        "maps": settings.maps,
        "scale": settings.scale(run),
        "batch": settings.batch,
    }


class _Journal:
    """Scores by the name of the record, and the file that they are kept in."""

    def __init__(self, path: Path, plan: str, scores: dict[str, float]) -> None:
        self.path, self.plan, self.scores = path, plan, scores

    def add(self, name: str, score: float) -> None:
        """Keep a score, with the digits that the tables show."""
        self.scores[name] = float(score_text(score))
        append_line(self.path, json.dumps([name, self.scores[name]]))

    def settle(self, records: Sequence[Record]) -> None:
        """Write the lines anew, in the order of the records."""
        self.scores = {record.name: self.scores[record.name] for record in records}
        self.write()

    def write(self) -> None:
        """Write what is known, without lines that an interruption cut off."""
        rows = [json.dumps([name, score]) for name, score in self.scores.items()]
        write_text(self.path, "\n".join([self.plan, *rows]) + "\n")


def _open_journal(folder: Path, plan: Mapping[str, Any], *, overwrite: bool) -> _Journal:
    path = folder / JOURNAL
    make_folder(folder)
    first = json.dumps(plan, sort_keys=True)
    lines = read_text(path).split("\n") if path.is_file() else []
    if lines and lines[0] != first and not overwrite:
        remedy = "name another --out, or --overwrite"
        raise InputError(folder, "holds scores of another run, data or settings", remedy)
    if not lines and not overwrite and any(folder.iterdir()):
        raise InputError(folder, "is not empty and holds no scores", "name another --out")
    scores: dict[str, float] = {}
    if lines and lines[0] == first:
        try:
            scores = {name: float(score) for name, score in map(json.loads, lines[1:-1])}
        except (ValueError, TypeError):
            raise InputError(path, "is damaged", "score again with --overwrite") from None
    journal = _Journal(path, first, scores)
    journal.write()
    return journal


def _score_missing(
    job: _Job, journal: _Journal, cache: FeatureCache | None, progress: Callable[[int], None]
) -> None:
    """Score what the journal lacks; a batch that is not whole is scored again."""
    size, device = job.settings.batch, job.settings.device

    def is_done(record: Record) -> bool:
        name = job.map_name(record)
        return record.name in journal.scores and (not name or (job.folder / name).is_file())

    models: dict[str, list[Record]] = {}
    for record in job.records:
        models.setdefault(job.run.model_name(record.category), []).append(record)
    encoder = None
    for group in models.values():
        parts = [group[i : i + size] for i in range(0, len(group), size)]
        missing = [r for part in parts if not all(map(is_done, part)) for r in part]
        progress(len(group) - len(missing))
        if not missing:
            continue
        encoder = encoder or job.run.encoder(device)
        detector = job.run.detector(group[0].category, device)
        source = FeatureSource(missing, detector.modalities, encoder, job.run.preprocess, cache)
        places = job.run.places(group[0].category)
        for scored in score_source(detector, source, batch=size, places=places):
            _keep(job, scored)
            journal.add(scored.record.name, scored.score)
            progress(1)


def _keep(job: _Job, scored: Scored) -> None:
    name = job.map_name(scored.record)
    if name:
        path = job.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_map(path, scored.map, job.settings.maps, scale=job.scale)


def _finish(job: _Job, scores: Mapping[str, float], data: Mapping[str, Any]) -> ScoreFolder:
    """Verdicts, pictures and metrics of what is scored."""
    run, settings = job.run, job.settings
    rows: Sequence[ScoreRow] = [
        row_of(
            record,
            scores[record.name],
            labelled=settings.labelled,
            map=job.map_name(record),
            folder=job.folder,
            scale=job.scale,
        )
        for record in job.records
    ]
    thresholds = thresholds_of(settings.rule, run, rows, samples_of(rows))
    rows, samples = judged(rows, samples_of(rows), thresholds)
    scales = _scales(rows, thresholds)
    rows = tuple(_drawn(job, rows, scales))
    facts = {
        "run": {"folder": str(run.folder.resolve()), "digest": run.digest},
        "data": dict(data),
        "settings": run.settings.to_json(),
        "threshold_rule": settings.rule.name,
        "thresholds": stated(thresholds),
        "maps": {
            "kind": settings.maps,
            "scale": job.scale,
            "size": _map_size(run),
            "clipped": _clipped_share(rows) if settings.maps == "png16" else 0.0,
        },
        "heat": {c: [scale.low, scale.high] for c, scale in scales.items()},
        "counts": _counts(rows, samples),
    }
    if settings.labelled:
        facts["metrics"] = _metrics(job, rows)
    result = ScoreFolder(job.folder, rows, samples, facts)
    write_scores(result)
    return result


def _scales(rows: Sequence[ScoreRow], thresholds: Thresholds) -> dict[str, HeatScale]:
    return {
        category: HeatScale.of(
            units["view"].value, [row.score for row in rows if row.category == category]
        )
        for category, units in thresholds.items()
    }


def _drawn(
    job: _Job, rows: Sequence[ScoreRow], scales: Mapping[str, HeatScale]
) -> Iterator[ScoreRow]:
    """Rows with the names of their pictures, which are written; those of before are dropped."""
    wanted = {"none": (), "ng": (NG,), "all": (NG, OK)}[job.settings.overlays]
    for record, row in zip(job.records, rows, strict=True):
        name = f"{PICTURES}/{job.names[record.name]}.png"
        path = job.folder / name
        if row.verdict not in wanted:
            path.unlink(missing_ok=True)
            yield row
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = record_picture(record, job.run.preprocess)
        write_picture(path, overlay(picture, row.read_map(), scales[row.category]))
        yield replace(row, overlay=name)


def _metrics(job: _Job, rows: Sequence[ScoreRow]) -> dict[str, Any]:
    """Of the maps as they are kept, so that an interruption changes nothing."""
    from mvps.detect.evaluation import Evaluator

    evaluator = Evaluator()
    for record, row in zip(job.records, rows, strict=True):
        values = row.read_map() if row.map else None
        shape = values.shape if values is not None else (1, 1)
        path = record.mask if record.label else None
        mask = mask_pixels(path, job.run.preprocess, (shape[0], shape[1]))
        evaluator.add(record, row.score, values, mask)
    return dict(evaluator.finish().to_json())


def _clipped_share(rows: Sequence[ScoreRow]) -> float:
    """Share of the pixels of 16-bit maps at their top, where higher scores were clipped."""
    shares = [float((row.read_map() >= row.scale * (TOP - 0.5)).mean()) for row in rows]
    return sum(shares) / len(shares)


def _map_size(run: Run) -> list[int] | str:
    side = run.preprocess.crop
    return "of the file" if run.preprocess.tile else [side, side]


def _counts(rows: Sequence[ScoreRow], samples: Sequence[Any]) -> dict[str, int]:
    return {
        "views": len(rows),
        "views_ng": sum(row.verdict == NG for row in rows),
        "samples": len(samples),
        "samples_ng": sum(sample.verdict == NG for sample in samples),
    }
