"""Figures of anomaly maps that any program wrote, for the test images of a data set."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mvps.datasets import Dataset, Record
from mvps.detect.evaluation import Evaluation, Evaluator
from mvps.detect.map_files import read_map
from mvps.detect.preprocess import Preprocess, mask_pixels, sized_mask
from mvps.detect.score_folder import FACTS
from mvps.detect.score_names import file_names
from mvps.detect.scoring import top_mean
from mvps.errors import InputError
from mvps.files import read_text, write_json
from mvps.numbers import parse_number

ENDINGS = (".npy", ".tif", ".tiff", ".png")
SHOWN = 3
_PLACES = (
    "a map lies where its image lies in the data set, or at CATEGORY/SAMPLE/VIEW, as "
    f"{', '.join(ENDINGS)}"
)


def evaluate_maps(
    dataset: Dataset,
    folder: Path,
    *,
    scores: Mapping[str, float] | None = None,
    limit: float = 0.3,
    progress: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Evaluate a folder of maps.

    A map belongs to a test image if it lies where the colour image (or else the normal map) lies
    in the data set, or at CATEGORY/SAMPLE/VIEW, with an ending of :data:`ENDINGS`. It covers the
    whole image, and masks are brought to its size, nearest pixel; maps beside a ``scores.json`` of
    ours cover what that says.

    Parameters
    ----------
    dataset : with labels
    folder : of the maps
    scores : of images by the name of their record; without them the mean of the highest 1% of a map
    limit : false-positive rate at which AUPRO ends
    progress : called after every map

    Raises
    ------
    InputError, ImageError
        Maps or scores are missing, no image is for testing, or a map cannot be used.
    """
    records = [record for record in dataset.records if record.split == "test"]
    if not records:
        raise InputError(dataset.root, "holds no test images", "give a data set with some")
    if not folder.is_dir():
        raise InputError(folder, "is no folder", "name the folder of the maps")
    maps = find_maps(records, dataset.root, folder)
    if scores is not None:
        missing = [r.name for r in records if r.name not in scores]
        _refuse_missing(missing, "--scores", "scores", "give a row for each test image")
    evaluator, own = Evaluator(limit), _own_preprocess(folder)
    for record in sorted(records, key=lambda r: r.category):
        values = read_map(maps[record.name])
        path, shape = record.mask if record.label else None, (values.shape[0], values.shape[1])
        mask = sized_mask(path, shape) if own is None else mask_pixels(path, own, shape)
        score = top_mean(values) if scores is None else scores[record.name]
        evaluator.add(record, score, values, mask)
        progress()
    return evaluator.finish()


def _own_preprocess(folder: Path) -> Preprocess | None:
    """What the images of ``mvps detect score`` went through, whose maps these are."""
    path = next((p / FACTS for p in (folder, folder.parent) if (p / FACTS).is_file()), None)
    if path is None:
        return None
    try:
        settings = json.loads(read_text(path))["settings"]
        return Preprocess(*(int(settings[n]) for n in ("resize", "crop", "tile", "overlap")))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(path, f"is damaged ({error})", "score again") from None


def find_maps(records: Sequence[Record], root: Path, folder: Path) -> dict[str, Path]:
    """Files of the maps by the name of their record.

    Raises
    ------
    InputError
        Some are missing.
    """
    names = file_names(records)
    found: dict[str, Path] = {}
    for record in records:
        image = record.rgb or record.normals
        stems = [folder / names[record.name]]
        if image is not None and image.is_relative_to(root):
            stems.append(folder / image.relative_to(root).with_suffix(""))
        wanted = (stem.with_name(stem.name + ending) for stem in stems for ending in ENDINGS)
        path = next((path for path in wanted if path.is_file()), None)
        if path is not None:
            found[record.name] = path
    _refuse_missing([r.name for r in records if r.name not in found], folder, "maps", _PLACES)
    return found


def read_image_scores(path: Path) -> dict[str, float]:
    """Scores by the name of their record: columns category, sample, view and score of a CSV.

    Raises
    ------
    InputError
        A column is missing, or a score is no number.
    """
    rows = csv.DictReader(io.StringIO(read_text(path)))
    wanted = ("category", "sample", "view", "score")
    if not set(wanted) <= set(rows.fieldnames or ()):
        what = f"lacks one of the columns {', '.join(wanted)}"
        raise InputError(path, what, "name them in its first line")
    scores = {}
    for number, row in enumerate(rows, 2):
        value = parse_number(row["score"] or "")
        if value is None:
            what = f"{row['score'] or ''!r} is no score"
            raise InputError(f"{path}:{number}", what, "write a finite number")
        scores["/".join(row[name] for name in wanted[:3] if row[name])] = value
    return scores


def write_figures(found: Evaluation, path: Path) -> None:
    """Write figures as JSON, atomically.

    Raises
    ------
    InputError
        The file cannot be written.
    """
    try:
        write_json(path, found.to_json())
    except OSError as error:
        what = f"cannot be written ({error.strerror or error})"
        raise InputError(path, what, "name another --out") from None


def _refuse_missing(missing: Sequence[str], where: Path | str, what: str, remedy: str) -> None:
    if missing:
        names = ", ".join(missing[:SHOWN]) + (", ..." if len(missing) > SHOWN else "")
        raise InputError(where, f"{len(missing)} {what} are missing: {names}", remedy)
