"""The normal maps of a run against ground truth: pairs maps with truths and draws the errors."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError, MvpsError
from mvps.files import RECORD, atomic_path, natural_key, read_text
from mvps.images import ImageRef, read_image
from mvps.images.maps import read_normals, read_statement
from mvps.images.preview import write_png
from mvps.stereo.evaluate import ErrorSummary, angular_error, error_picture, summarise

TRUTH_NAMES = ("normals", "normal", "normal_gt", "Normal_gt", "truth", "truth_normals")
MAP_SUFFIXES = (".mat", ".npy", ".tif", ".tiff", ".exr", ".png", ".jxl")  # exact ones first


@dataclass(frozen=True)
class Comparison:
    """One map against its truth."""

    name: str
    normals: Path
    truth: Path
    picture: Path
    summary: ErrorSummary

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; angles in degrees."""
        paths = {key: str(getattr(self, key)) for key in ("normals", "truth", "picture")}
        return {"stack": self.name, **paths, **asdict(self.summary)}


def compare_tree(
    out: Path,
    truth: Path,
    *,
    mask: Path | None = None,
    truth_convention: str | None = None,
    limit: float = 20.0,
) -> tuple[list[Comparison], list[str]]:
    """Compare one normal map, one stack or every stack under ``out`` with the truth.

    Returns the comparisons, and one line for each stack that could not be compared.

    Parameters
    ----------
    truth : a normal map, or a folder in which each stack has one under its own name
    mask : image; only where it is not zero a pixel is judged
    limit : degrees at the upper end of the colours of ``error.png``

    Raises
    ------
    InputError
        Nothing can be compared at all: ``out``, ``truth`` or the mask is at fault.
    """
    if not np.isfinite(limit) or limit <= 0:
        raise InputError("--limit", f"{limit} is not a positive number of degrees")
    maps = _maps(out, truth)
    inside = None if mask is None else _read_mask(mask)
    found, failures = [], []
    for name, normals in maps:
        try:
            pair = (name, normals or _map_in(out / name), find_truth(truth, name))
            found.append(_compare(pair, inside, truth_convention, limit))
        except (MvpsError, OSError) as error:
            failures.append(str(error))
    return found, failures


def _maps(out: Path, truth: Path) -> list[tuple[str, Path | None]]:
    """Names below ``out``, each with its map where that is known already."""
    if not truth.exists():
        raise InputError(truth, "no such file or folder", "check --truth")
    if out.is_file():
        return [(out.stem, out)]
    if not out.is_dir():
        raise InputError(out, "no such file or folder", "give what mvps normals wrote")
    records = sorted(out.rglob(RECORD), key=lambda path: natural_key(path.as_posix()))
    if not records:
        raise InputError(out, f"holds no {RECORD}", "give what mvps normals wrote")
    if truth.is_file() and len(records) > 1:
        raise InputError(truth, f"is one map for {len(records)} stacks", "give a folder of truths")
    return [(record.parent.relative_to(out).as_posix(), None) for record in records]


def _map_in(folder: Path) -> Path:
    for suffix in MAP_SUFFIXES:
        if (path := folder / f"normals{suffix}").is_file():
            return path
    raise InputError(folder, "holds no normal map")


def find_truth(truth: Path, name: str) -> Path:
    """The truth of one stack: the file itself, or what the folder holds under the stack's name.

    Raises
    ------
    InputError
        The folder holds none for this stack.
    """
    if truth.is_file():
        return truth
    bases = [truth / name / stem for stem in TRUTH_NAMES] + [truth / name]
    for base in bases:
        for suffix in MAP_SUFFIXES:
            if (path := base.parent / f"{base.name}{suffix}").is_file():
                return path
    raise InputError(truth / name, "no truth for this stack", f"e.g. {name}/normals.tif")


def _compare(
    pair: tuple[str, Path, Path],
    inside: NDArray[np.bool_] | None,
    truth_convention: str | None,
    limit: float,
) -> Comparison:
    name, normals_path, truth_path = pair
    record = _record(normals_path)
    stated = record.get("convention") if normals_path.suffix == ".npy" else None
    _check_frames(normals_path, record, truth_path)
    normals, valid = read_normals(normals_path, convention=stated)
    truth, known = read_normals(truth_path, convention=truth_convention)
    window = _window(normals_path, record)
    if inside is not None and inside.shape != known.shape:
        raise InputError("--mask", f"is {_size(inside)}, the truth {truth_path} is {_size(known)}")
    known = known if inside is None else known & inside
    if truth.shape != normals.shape and window is not None:
        truth, known = truth[window], known[window]
    if truth.shape != normals.shape:
        raise InputError(
            normals_path,
            f"is {_size(valid)}, its truth {truth_path} is {_size(known)}",
            "compare maps of one size",
        )
    if not (valid & known).any():
        raise InputError(truth_path, f"shares no valid pixel with {normals_path}", "check --mask")
    error = angular_error(normals, truth, valid & known)
    picture = normals_path.with_name("error.png")
    with atomic_path(picture) as temporary:
        write_png(temporary, error_picture(error, limit))
    return Comparison(name, normals_path, truth_path, picture, summarise(error, known))


def _check_frames(normals_path: Path, record: dict[str, Any], truth_path: Path) -> None:
    """Refuse normals of two frames, whose angles say nothing of either."""
    said = [record | read_statement(normals_path), read_statement(truth_path)]
    frames = [(s.get("frame", "camera"), s.get("board_up", False)) for s in said]
    if frames[0] != frames[1]:
        names = [f"{frame}{' (turned up)' if up else ''}" for frame, up in frames]
        raise InputError(
            normals_path,
            f"its normals are in the frame {names[0]}, those of {truth_path} in {names[1]}",
            "solve with --frame camera to compare with a truth of the camera's frame",
        )
    flat = [bool(s.get("undistorted")) for s in said]
    if said[1] and flat[0] != flat[1]:
        what = "is undistorted, its truth" if flat[0] else "is not undistorted, but its truth"
        rest = "is not" if flat[0] else "is"
        raise InputError(normals_path, f"{what} {truth_path} {rest}", "compare maps of one grid")


def _record(normals_path: Path) -> dict[str, Any]:
    """The record beside a map, empty where there is none."""
    path = normals_path.with_name(RECORD)
    if not path.is_file():
        return {}
    try:
        record = json.loads(read_text(path))
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise InputError(path, "is not a record of mvps normals")
    return record


def _window(normals_path: Path, record: dict[str, Any]) -> tuple[slice, slice] | None:
    """The region of interest that the run solved, from its record."""
    if not record:
        return None
    try:
        roi = record["options"]["roi"]
        if roi is None:
            return None
        x, y, width, height = (int(roi[key]) for key in ("x", "y", "width", "height"))
    except (ValueError, KeyError, TypeError):
        place = normals_path.with_name(RECORD)
        raise InputError(place, "is not a record of mvps normals") from None
    return slice(y, y + height), slice(x, x + width)


def _read_mask(path: Path) -> NDArray[np.bool_]:
    pixels = read_image(ImageRef(path))
    inside: NDArray[np.bool_] = pixels > 0
    return inside if inside.ndim == 2 else np.any(inside, axis=2)


def _size(array: NDArray[Any]) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"
