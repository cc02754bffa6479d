"""One specimen of a data set: placed, perhaps damaged, photographed from every view, and recorded.

Everything random follows from the seed of the set and the specimen's name, so it does not matter
which process renders it, when, or how often it was begun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mvps
from mvps.errors import InputError
from mvps.files import write_json
from mvps.pipeline.resume import remove_leftovers
from mvps.stereo import solve
from mvps.stereo.evaluate import known
from mvps.synth.capture_files import bits, write_stack, write_truth
from mvps.synth.dataset_plan import DatasetOptions, Job, is_test
from mvps.synth.histograms import diffuse_faults, histogram, stack_faults
from mvps.synth.image_files import ENCODINGS, sizes_of, write_normals, write_picture
from mvps.synth.layout import OK, RAW, SUFFIXES, TRUTH, rng_for, view_tags
from mvps.synth.placing import Placement, draw_placement
from mvps.synth.shot import Shot, take
from mvps.synth.specimen import Specimen, build_specimen, place_specimen
from mvps.synth.station import Station, station_of, with_exposures
from mvps.synth.truth import Truth
from mvps.synth.views import View

ATTEMPTS = 16  # places that are tried until some view shows the defect
METERED = 6  # sound parts, as they come to lie, that set the exposure
MOST_OF_PART = 0.4  # of the part in a view: what is more is no defect but another part
LEAST_MASK = 24  # pixels of a defect in the view that shows it best

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SampleTask:
    """What a worker is asked for."""

    out: Path
    options: DatasetOptions
    job: Job


@dataclass(frozen=True, eq=False)
class _Look:
    """A view, its truth, and where it sees the defect (H, W); None of a sound specimen."""

    view: View
    truth: Truth
    mask: NDArray[np.bool_] | None


def make_sample(task: SampleTask) -> Mapping[str, Any]:
    """Render one specimen, write its files and, last, its record; returns the record.

    Raises
    ------
    InputError
        No place was found at which a view shows the defect.
    MvpsError
        A file cannot be written.
    """
    options, name = task.options, task.job.name
    station = ready_station(name.category, options)
    specimen, looks = _visible_specimen(station, task)
    for folder in (task.out / name.category / name.folder, (task.out / name.record).parent):
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
    for kind in (RAW, TRUTH):
        for view_name in _names(station):
            remove_leftovers(task.out / kind / name.category / name.sample / view_name)
    views = {}
    paths: list[Path] = []
    for tag, look in zip(view_tags(_names(station)), looks, strict=True):
        view = look.view
        shot = take(
            specimen.renderer,
            view,
            station.settings,
            exposure=station.exposures[view.name],
            truth=look.truth,
            rng=rng_for(options.seed, name.category, name.number, view.name, "photograph"),
        )
        views[tag], written = _write_view(task, station, tag, shot, look)
        paths += written
    record = {
        "version": mvps.__version__,
        "category": name.category,
        "sample": name.sample,
        "anomaly_class": name.anomaly_class,
        "split": "test" if is_test(name, options) else "train",
        "placement": specimen.placement,
        "attempts": specimen.attempt + 1,
        "defects": [defect.as_dict() for defect in specimen.defects],
        "views": views,
        "files": sizes_of(task.out, paths),
    }
    write_json(task.out / name.record, record)
    return record


@lru_cache(maxsize=2)
def ready_station(category: str, options: DatasetOptions) -> Station:
    """The station of a category, its exposures set by sound parts as they come to lie."""
    station = station_of(category, options)
    rng = rng_for(options.seed, category, "meter")
    places = [Placement(), *(draw_placement(rng) for _ in range(METERED))]
    sound = (
        build_specimen(station.part, place, ground=options.ground).renderer for place in places
    )
    return with_exposures(station, sound)


def _names(station: Station) -> tuple[str, ...]:
    return tuple(view.name for view in station.views)


def _visible_specimen(station: Station, task: SampleTask) -> tuple[Specimen, list[_Look]]:
    """A specimen, and what each view sees of it; a defect shows in one of them at least."""
    options, name = task.options, task.job.name
    refused: InputError | None = None
    for attempt in range(ATTEMPTS):
        try:
            specimen = place_specimen(station, options, name, attempt)
        except InputError as error:  # no place was found by these draws; others may find one
            refused = error
            continue
        truths = [(view, specimen.renderer.truth(view)) for view in station.views]
        if name.anomaly_class == OK:
            return specimen, [_Look(view, truth, None) for view, truth in truths]
        masks = [specimen.mask(view, options.samples) for view in station.views]
        if _fitting(masks, [truth.part for _, truth in truths]):
            looks = [_Look(*seen, mask) for seen, mask in zip(truths, masks, strict=True)]
            return specimen, looks
    if refused is not None:
        raise refused
    what = f"no view shows {LEAST_MASK} pixels of a {name.anomaly_class} in {ATTEMPTS} attempts"
    raise InputError(name.category, what, "render at a larger --size")


def _fitting(masks: Sequence[Mask], parts: Sequence[Mask]) -> bool:
    """Whether some view shows enough of a defect, and none shows little else."""
    areas = [int(np.count_nonzero(mask)) for mask in masks]
    wholes = [int(np.count_nonzero(part)) for part in parts]
    most = max(area / max(whole, 1) for area, whole in zip(areas, wholes, strict=True))
    return max(areas) >= LEAST_MASK and most <= MOST_OF_PART


def _write_view(
    task: SampleTask, station: Station, tag: str, shot: Shot, look: _Look
) -> tuple[dict[str, Any], list[Path]]:
    """Write the files of one view; its entry in the record, and what was written."""
    options, name, mask = task.options, task.job.name, look.mask
    home = task.out / name.category
    image = name.image(tag, "RGB", SUFFIXES[options.picture_format])
    maps = name.image(tag, "PS", SUFFIXES[options.normals_format])
    masked = None if mask is None else name.image(tag, "MASK")
    normals, valid = normals_of(shot, look.view, station, options)
    write_picture(home / image, shot.picture)
    write_normals(home / maps, normals, valid, ENCODINGS[options.normals_format])
    paths = [home / image, home / maps]
    if mask is not None and masked is not None:
        write_picture(home / masked, bits(mask))
        paths.append(home / masked)
    place = Path(name.category) / name.sample / look.view.name
    if task.job.keep_raw:
        paths += write_stack(task.out / RAW / place, shot, compressed=options.raw_format == "zstd")
    if options.truth:
        paths += write_truth(task.out / TRUTH / place, shot.truth, mask)
    entry = {
        "view": look.view.name,
        "image_path": image.as_posix(),
        "ps_path": maps.as_posix(),
        "mask_path": None if masked is None else masked.as_posix(),
        "mask_pixels": 0 if mask is None else int(np.count_nonzero(mask)),
    }
    return entry | check_shot(shot, station), paths


def check_shot(shot: Shot, station: Station) -> dict[str, Any]:
    """Histograms of the pictures of one view, and what is wrong with them."""
    sensor = station.settings.sensor
    diffuse = histogram(shot.picture, 255)
    stack = [histogram(raw, sensor.white, sensor.black_level_dn) for raw in shot.raw]
    faults = [f"picture: {fault}" for fault in diffuse_faults(diffuse)]
    return {
        "histograms": {
            "picture": diffuse.as_dict(),
            "lights": [each.as_dict() for each in stack],
        },
        "faults": [*faults, *stack_faults(stack)],
    }


def normals_of(
    shot: Shot, view: View, station: Station, options: DatasetOptions
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Normals (H, W, 3) and where they are valid: the truth, or solved from the stack."""
    if options.normals == "truth":
        return shot.truth.normals, known(shot.truth.normals)
    sensor = station.settings.sensor
    raw = shot.raw
    if sensor.black_level_dn:
        raw = raw.astype(np.float32) - np.float32(sensor.black_level_dn)
    solution = solve(
        raw, view.lights, white=sensor.white, solver=options.solver, device="cpu", threads=1
    )
    return solution.normals, solution.valid
