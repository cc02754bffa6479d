"""A rendered data set from options to a finished tree: planned, taken up again, listed, shown.

A specimen is done when its record stands and its files have the sizes that it states. Records hold
no times, so a set that was interrupted anywhere ends in the same bytes as one that was not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mvps
from mvps.errors import InputError
from mvps.files import make_folder, write_json
from mvps.synth.dataset_plan import (
    DatasetOptions,
    Job,
    is_test,
    jobs_of,
    read_settings,
    write_settings,
)
from mvps.synth.layout import CONTACT, OK, RAW, SETTINGS, view_tags
from mvps.synth.processes import run_tasks, workers_for

Record = Mapping[str, Any]


@dataclass(frozen=True)
class DatasetSummary:
    """What a run did.

    Attributes
    ----------
    out : folder of the data set
    rows : a category a row: counts of specimens, and areas of the defects in their masks, px
    rendered, skipped : specimens of this run, and of runs before
    failures : one line a specimen that could not be rendered
    faults : one line a picture whose histogram is out of bounds
    size_bytes : of all files of the specimens
    """

    out: Path
    rows: tuple[dict[str, Any], ...]
    rendered: int
    skipped: int
    failures: tuple[str, ...]
    faults: tuple[str, ...]
    size_bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        plain = {**vars(self), "out": str(self.out), "rows": list(self.rows)}
        return plain | {"failures": list(self.failures), "faults": list(self.faults)}


@dataclass(frozen=True)
class DatasetPlan:
    """A checked data set: every specimen, and those that are still to be rendered."""

    out: Path
    options: DatasetOptions
    jobs: tuple[Job, ...]
    todo: tuple[Job, ...]
    workers: int
    warnings: tuple[str, ...] = ()


def plan_dataset(out: Path, options: DatasetOptions, workers: int = 0) -> DatasetPlan:
    """Check everything that can be checked before the first ray, and state the options in ``out``.

    Raises
    ------
    InputError
        An unknown part or kind of defect, a mesh that cannot be rendered, or a folder that holds
        something else than this data set.
    """
    from mvps.synth.station import check_kinds, station_of

    if workers < 0:
        raise InputError("--workers", f"{workers} is negative", "0 means one a core")
    options = _with_categories(options)
    _check_folder(out, options)
    jobs: list[Job] = []
    warnings: list[str] = []
    for category in options.categories:
        station = station_of(category, options)
        warnings += station.warnings
        jobs += jobs_of(station.name, check_kinds(station.part, options.defects), options)
    make_folder(out)
    write_settings(options, out)
    todo = tuple(job for job in jobs if finished(out, job) is None)
    return DatasetPlan(
        out, options, tuple(jobs), todo, workers_for(len(todo), workers), tuple(warnings)
    )


def write_dataset(
    plan: DatasetPlan, progress: Callable[[], None], *, contact: bool = True
) -> DatasetSummary:
    """Render what is missing, then write lists and contact sheet.

    Parameters
    ----------
    progress : called after every specimen
    contact : also write the contact sheet

    Raises
    ------
    MvpsError
        The disk is full or a worker was killed; what is done is done.
    """
    from mvps.synth.sample import SampleTask, make_sample

    _write_rigs(plan)
    tasks = [SampleTask(plan.out, plan.options, job) for job in plan.todo]
    failures = []
    for done in run_tasks(make_sample, tasks, plan.workers):
        progress()
        if done.result is None:
            name = done.task.job.name
            failures.append(f"{name.category} {name.sample}: {done.fault}")
    records = {job.name: finished(plan.out, job) for job in plan.jobs}
    whole = {name: record for name, record in records.items() if record is not None}
    if whole:
        _write_lists(plan, whole)
    if contact and whole:
        _write_contact(plan.out, whole)
    return DatasetSummary(
        out=plan.out,
        rows=tuple(_row(category, whole) for category in _names(plan)),
        rendered=len(plan.todo) - len(failures),
        skipped=len(plan.jobs) - len(plan.todo),
        failures=tuple(sorted(failures)),
        faults=tuple(fault for record in whole.values() for fault in _faults(record)),
        size_bytes=sum(sum(record["files"].values()) for record in whole.values()),
    )


def finished(out: Path, job: Job) -> Record | None:
    """The record of a specimen whose files are all there, or None."""
    path = out / job.name.record
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        record: dict[str, Any] = json.loads(path.read_bytes())
        files = record["files"].items()
        same = record["anomaly_class"] == job.name.anomaly_class
        if same and all((out / name).stat().st_size == size for name, size in files):
            return record
    return None


def _write_rigs(plan: DatasetPlan) -> None:
    """Cameras and lights beside the raw stacks of every category that has some."""
    from mvps.synth.capture_files import write_rig
    from mvps.synth.station import station_of

    kept = {job.name.category for job in plan.jobs if job.keep_raw}
    for category in plan.options.categories:
        station = station_of(category, plan.options)
        if station.name in kept:
            folder = plan.out / RAW / station.name
            folder.mkdir(parents=True, exist_ok=True)
            write_rig(folder, station.views, station.settings.sensor, sample=True)


def _names(plan: DatasetPlan) -> tuple[str, ...]:
    return tuple(dict.fromkeys(job.name.category for job in plan.jobs))


def _with_categories(options: DatasetOptions) -> DatasetOptions:
    from dataclasses import replace

    from mvps.synth.parts import part_names

    if "all" not in options.categories:
        return options
    if len(options.categories) > 1:
        raise InputError("--categories", "names all and more", "name all, or parts")
    return replace(options, categories=tuple(part_names()))


def _check_folder(out: Path, options: DatasetOptions) -> None:
    """Refuse a folder of another data set, and one of something else."""
    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file", "name a folder")
    if not out.is_dir() or not any(out.iterdir()):
        return
    if not (out / SETTINGS).is_file():
        raise InputError(out, f"holds files, but no {SETTINGS}", "name an empty folder")
    before = read_settings(out / SETTINGS)
    if before != options:
        ours, theirs = options.as_dict(), before.as_dict()
        key = next(key for key in ours if ours[key] != theirs[key])
        what = f"was rendered with {key} {theirs[key]!r}, not {ours[key]!r}"
        raise InputError(out, what, f"name another folder, or --config {out / SETTINGS}")


def _write_lists(plan: DatasetPlan, records: Mapping[Any, Record]) -> None:
    for category in _names(plan):
        mine = {name: r for name, r in records.items() if name.category == category}
        lists: dict[str, list[Any]] = {"train": [], "validation": [], "test": []}
        views: tuple[str, ...] = ()
        for name, record in mine.items():
            part = "test" if is_test(name, plan.options) else "train"
            views = tuple(entry["view"] for entry in record["views"].values())
            lists[part] += [_list_row(name, tag, record) for tag in record["views"]]
        generator = {
            "program": f"mvps {mvps.__version__}",
            "seed": plan.options.seed,
            "options": plan.options.as_dict(),
        }
        meta = {
            "prefix": f"{category}/",
            "normal_class": OK,
            "views": view_tags(views),
            "normals": {"encoding": "n = v/max*2-1", "frame": "x right, y up, z to the camera"},
            "generator": generator,
        }
        write_json(plan.out / f"{category}.json", {"meta": meta, **lists})


def _list_row(name: Any, tag: str, record: Record) -> dict[str, Any]:
    view = record["views"][tag]
    return {
        "category": name.category,
        "anomaly_class": name.anomaly_class,
        "sample": name.sample,
        "view": tag,
        "image_path": view["image_path"],
        "ps_path": view["ps_path"],
        "mask_path": view["mask_path"],
        "defects": record["defects"],
    }


def _row(category: str, records: Mapping[Any, Record]) -> dict[str, Any]:
    mine = [record for name, record in records.items() if name.category == category]
    defective = [record for record in mine if record["anomaly_class"] != OK]
    areas = sorted(
        view["mask_pixels"]
        for record in defective
        for view in record["views"].values()
        if view["mask_pixels"]
    )
    kinds: dict[str, int] = {}
    for record in defective:
        kinds[record["anomaly_class"]] = kinds.get(record["anomaly_class"], 0) + 1
    tests = [record for record in mine if record["split"] == "test"]
    return {
        "category": category,
        "train": len(mine) - len(tests),
        "test_normal": len(tests) - len(defective),
        "test_defective": len(defective),
        "pictures": sum(len(record["views"]) for record in mine),
        "kinds": kinds,
        "views_with_defect": len(areas),
        "area_px": [areas[0], areas[len(areas) // 2], areas[-1]] if areas else None,
    }


def _faults(record: Record) -> list[str]:
    sample = f"{record['category']} {record['sample']}"
    return [
        f"{sample} {view['view']}: {fault}"
        for view in record["views"].values()
        for fault in view["faults"]
    ]


def _write_contact(out: Path, records: Mapping[Any, Record]) -> None:
    from mvps.synth.contact_choice import rows_of
    from mvps.synth.contact_sheet import contact_sheet
    from mvps.synth.image_files import write_picture

    write_picture(out / CONTACT, contact_sheet(*rows_of(out, records)))
