"""The photographs of a light probe: which files they are, and the part of each that shows a ball.

Only the surroundings of the balls are kept, so that large photographs do not fill the memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.files import natural_key, read_text
from mvps.images.info import ImageRef, SampleFormat
from mvps.images.probe import is_image_name, probe
from mvps.images.response import Response
from mvps.images.rows import read_image
from mvps.lights.sphere_ellipse import Ellipse, circle, ellipse_from_axes
from mvps.numbers import number_fault, parse_number

Array = NDArray[np.float64]

MIN_IMAGES = 3
_REFERENCE = "ref"
_MARGIN = 1.08  # of the outline, kept of each photograph


@dataclass(frozen=True)
class ProbeFolder:
    """Photographs of one or more balls, one a lamp, and one of the lit scene to find the balls in.

    Attributes
    ----------
    path : the folder
    images : in natural order
    reference : photograph in which the outline shows well, or None
    size : (width, height), of all of them
    """

    path: Path
    images: tuple[Path, ...]
    reference: Path | None
    size: tuple[int, int]


def list_probes(paths: Sequence[Path], reference: str | None = None) -> tuple[ProbeFolder, ...]:
    """Folders with photographs: those given, or the folders in one that holds none itself.

    Parameters
    ----------
    reference : name of the reference in each folder; ``ref.*`` when None

    Raises
    ------
    InputError
        No images, fewer than three, of unequal size, or unequally many in two folders.
    """
    folders = [folder for path in paths for folder in _folders(path)]
    found = tuple(_probe_folder(folder, reference) for folder in folders)
    for other in found[1:]:
        if len(other.images) != len(found[0].images):
            raise InputError(
                other.path,
                f"{len(other.images)} images, but {len(found[0].images)} in {found[0].path}",
                "every ball is photographed under the same lamps, in the same order",
            )
    return found


def _folders(path: Path) -> list[Path]:
    if not path.is_dir():
        raise InputError(path, "no such folder", "give the folder with the photographs of the ball")
    if _images(path):
        return [path]
    inner = sorted((p for p in path.iterdir() if p.is_dir()), key=lambda p: natural_key(p.name))
    inner = [folder for folder in inner if _images(folder)]
    if not inner:
        raise InputError(path, "holds no images", "put one photograph of the ball a lamp into it")
    return inner


def _images(folder: Path) -> list[Path]:
    names = [p for p in folder.iterdir() if is_image_name(p) and not p.name.startswith(".")]
    return sorted(names, key=lambda p: natural_key(p.name))


def _probe_folder(folder: Path, reference: str | None) -> ProbeFolder:
    images = _images(folder)
    if reference is not None:
        chosen = [path for path in images if path.name == reference]
        if not chosen:
            raise InputError(folder / reference, "no such image", "--reference names one in PROBE")
    else:
        chosen = [path for path in images if path.stem.casefold() == _REFERENCE]
    lit = tuple(path for path in images if path not in chosen)
    if len(lit) < MIN_IMAGES:
        raise InputError(
            folder, f"{len(lit)} images, at least {MIN_IMAGES} are needed", "one a lamp"
        )
    infos = {path: probe(ImageRef(path)) for path in (*lit, *chosen)}
    first = infos[lit[0]]
    size = first.width, first.height
    for path, info in infos.items():
        if (info.width, info.height) != size:
            raise InputError(
                path, f"{info.width}x{info.height}, but {lit[0].name} is {size[0]}x{size[1]}"
            )
        if path in lit and info.channels != first.channels:
            remedy = "leave out what is no photograph of a lamp, or name it by --reference"
            what = f"{info.channels} channels, but {lit[0].name} has {first.channels}"
            raise InputError(path, what, remedy)
    return ProbeFolder(folder, lit, chosen[0] if chosen else None, size)


def read_sample(path: Path, response: Response, white: float | None = None) -> NDArray[np.float32]:
    """Image (H, W, 1) or (H, W, 3), linear, fraction of white.

    Parameters
    ----------
    white : value of a saturated sample; that of the file's depth when None
    """
    ref = ImageRef(path)
    image: NDArray[Any] = read_image(ref)
    full = SampleFormat().white(probe(ref)) if white is None else white
    light = response.apply(image.astype(np.float32) / np.float32(full))
    return np.asarray(light.reshape(*image.shape[:2], -1), dtype=np.float32)


def grey(image: NDArray[Any]) -> Array:
    """Mean over the channels of (..., C): white only where every channel is."""
    return np.asarray(image.mean(axis=-1, dtype=np.float64))


def outline_image(folder: ProbeFolder, response: Response, white: float | None = None) -> Array:
    """(H, W) grey image in which the balls show best: the reference, or the brightest of all."""
    if folder.reference is not None:
        return grey(read_sample(folder.reference, response, white))
    best = grey(read_sample(folder.images[0], response, white))
    for path in folder.images[1:]:
        np.maximum(best, grey(read_sample(path, response, white)), out=best)
    return best


@dataclass(frozen=True, eq=False)
class BallCrop:
    """The part of every photograph that shows one ball.

    Attributes
    ----------
    samples : (K, h, w, C) float32, linear, fraction of white
    offset : (x, y) px of its first pixel in the photograph
    """

    samples: NDArray[np.float32]
    offset: tuple[int, int]


def crop_balls(
    folder: ProbeFolder,
    ellipses: Sequence[Ellipse],
    response: Response,
    white: float | None = None,
) -> list[BallCrop]:
    """Photographs cut to each ball; every file is read once."""
    boxes = [_box(ellipse, folder.size) for ellipse in ellipses]
    parts: list[list[NDArray[np.float32]]] = [[] for _ in ellipses]
    for path in folder.images:
        image = read_sample(path, response, white)
        for part, (x0, y0, x1, y1) in zip(parts, boxes, strict=True):
            part.append(image[y0:y1, x0:x1].copy())
    return [BallCrop(np.stack(p), b[:2]) for p, b in zip(parts, boxes, strict=True)]


def _box(ellipse: Ellipse, size: tuple[int, int]) -> tuple[int, int, int, int]:
    points = ellipse.points(360, _MARGIN)
    x0, y0 = np.maximum(np.floor(points.min(axis=0)), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(points.max(axis=0)) + 1, size).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def parse_ball(text: str, where: str = "--ball") -> Ellipse:
    """Outline from ``x,y,r`` or ``x,y,major,minor,angle``; px, pixel centres at integers, y down.

    Raises
    ------
    InputError
        Another count of numbers, or a radius that is not positive.
    """
    words = text.replace(",", " ").split()
    values = [parse_number(word) for word in words]
    for word, value in zip(words, values, strict=True):
        if value is None:
            raise InputError(where, number_fault(word))
    numbers = [value for value in values if value is not None]
    if len(numbers) not in (3, 5):
        raise InputError(where, f"{len(numbers)} numbers", "give x,y,r or x,y,major,minor,angle")
    if min(numbers[2:4] if len(numbers) == 5 else numbers[2:]) <= 0:
        raise InputError(where, "a radius that is not positive")
    return circle(*numbers) if len(numbers) == 3 else ellipse_from_axes(*numbers)


def read_circles(path: Path) -> tuple[Ellipse, ...]:
    """Outlines from a text file, one a line, as `parse_ball`; ``#`` begins a comment."""
    return tuple(_circle_lines(path))


def _circle_lines(path: Path) -> Iterator[Ellipse]:
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if words := line.partition("#")[0].strip():
            yield parse_ball(words, f"{path}, line {number}")
