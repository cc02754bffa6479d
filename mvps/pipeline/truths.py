"""True normals of an object, and the normal maps that a benchmark ships as results of others.

DiLiGenT keeps ``Normal_gt.mat`` beside the photographs and results of other methods in
``estNormal*/<object>_Normal_<method>.mat`` beside the folder of all objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvps.capture import Stack
from mvps.errors import InputError
from mvps.files import natural_key
from mvps.images.maps import read_normals, read_statement
from mvps.images.text_normals import read_text_normals
from mvps.stereo.comparison import MAP_SUFFIXES, TRUTH_NAMES, find_truth

TEXT_TRUTH = "normal.txt"
BENCHMARK = "{}, benchmark's map"
_RESULT = re.compile(r"normals?_(?P<method>.+)_benchmark")


@dataclass(frozen=True, eq=False)
class Truth:
    """True normals (H, W, 3) in the camera's frame, and where they are known (H, W).

    ``known`` is narrowed to the mask of the photographs while their strips pass.
    """

    path: Path
    normals: NDArray[np.float32]
    known: NDArray[np.bool_]


def read_truth(stack: Stack, given: Path | None, convention: str | None) -> Truth:
    """Truth of one inspected stack.

    Parameters
    ----------
    given : folder that mirrors the data set, or one map; None looks beside the photographs
    convention : signs of the vectors where the file does not say

    Raises
    ------
    InputError
        There is none, or it is of another size or frame than the photographs.
    """
    folder = stack.images[0].path.parent
    path = _beside(folder) if given is None else find_truth(given, stack.name)
    info = stack.infos[0]
    if path.suffix == ".txt":
        chosen = convention or "opengl"
        normals, known = read_text_normals(path, info.width, info.height, convention=chosen)
        return Truth(path, normals, known)
    said = read_statement(path)
    if said.get("frame", "camera") != "camera" or said.get("undistorted"):
        what = "undistorted" if said.get("undistorted") else f"in the frame {said['frame']}"
        raise InputError(path, f"is {what}, the photographs are not", "give the camera's normals")
    normals, known = read_normals(path, convention=convention)
    _check_size(path, known.shape, (info.height, info.width))
    return Truth(path, normals, known)


def _beside(folder: Path) -> Path:
    for name in TRUTH_NAMES:
        for suffix in MAP_SUFFIXES:
            if (path := folder / f"{name}{suffix}").is_file():
                return path
    if (path := folder / TEXT_TRUTH).is_file():
        return path
    raise InputError(folder, "holds no true normals", "e.g. Normal_gt.mat; or give --truth")


def benchmark_maps(folder: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """Normal maps of other methods for the object in a folder: title and file.

    Parameters
    ----------
    folder : of the object
    root : of the data set; result folders are looked for beside the objects, in it and beside it
    """
    for path in sorted(folder.glob("normal*"), key=lambda path: natural_key(path.name)):
        match = _RESULT.fullmatch(path.stem)
        if match and path.suffix in MAP_SUFFIXES:
            yield BENCHMARK.format(match["method"]), path
    homes = dict.fromkeys((folder.parent, root.absolute(), root.absolute().parent))
    start = f"{folder.name}_Normal_"
    for results in sorted({r for home in homes for r in home.glob("estNormal*") if r.is_dir()}):
        for path in sorted(results.iterdir(), key=lambda path: natural_key(path.name)):
            if path.name.startswith(start) and path.suffix in MAP_SUFFIXES:
                yield BENCHMARK.format(path.stem.removeprefix(start)), path


def read_map(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Normal map (H, W, 3) of that height and width, zero where invalid.

    Raises
    ------
    ImageError, InputError
        It cannot be read or has another size.
    """
    normals, valid = read_normals(path)
    _check_size(path, valid.shape, shape)
    return normals


def _check_size(path: Path, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    if shape != expected:
        ours, theirs = (f"{s[1]}x{s[0]}" for s in (shape, expected))
        raise InputError(path, f"is {ours}, the photographs are {theirs}", "crop one to the other")
