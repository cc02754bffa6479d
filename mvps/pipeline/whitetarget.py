"""Photographs of a white target under each light: intensities, and a flat field for each light.

Read in strips into means over square cells; the fields are fitted to these and written in strips,
so that memory is bounded whatever the size of the images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.capture.naming import base_name, match_names, photographs
from mvps.errors import InputError
from mvps.files import natural_key
from mvps.findings import Finding
from mvps.images import DEFAULT_MAX_PIXELS, ImageRef, SampleFormat, parse_response
from mvps.lights import LightRig
from mvps.pipeline.flatfield import Rows, linear_rows, response_table
from mvps.pipeline.options import STRIP_ROWS
from mvps.pipeline.windowed import WindowedRows

CELLS = 128  # along the longer side
SATURATED = 0.99  # of full scale
MANY_SATURATED, SOME_SATURATED = 0.01, 1e-4  # shares of the pixels
DARK_LEVEL, DIM_LEVEL = 0.01, 0.05  # of full scale
OTHER_FRAMES = ("dark", "ambient")  # stems of frames that may lie beside the target's

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Target:
    """Photographs of a white target, one a light, and how to read them.

    Attributes
    ----------
    images : K images in the order of the lights
    dark, ambient : frames to subtract; the ambient frame holds the dark signal too and comes first
    """

    images: tuple[ImageRef, ...]
    dark: ImageRef | None = None
    ambient: ImageRef | None = None
    response: str = "linear"
    sample_format: SampleFormat = field(default_factory=SampleFormat)
    bayer: str | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS

    @property
    def offset(self) -> ImageRef | None:
        """The frame that is subtracted."""
        return self.ambient or self.dark


@dataclass(frozen=True, eq=False)
class Cells:
    """What one light gives on the target.

    Attributes
    ----------
    values : (gh, gw, C) mean linear light of each cell less the offset, raw units; NaN if unusable
    size : (height, width) of the frame
    edge : side of a cell in px
    white : raw value of full scale
    saturated : share of pixels at or above 99% of full scale, which are left out
    """

    path: Path
    values: Array
    size: tuple[int, int]
    edge: int
    white: float
    saturated: float

    @property
    def level(self) -> float:
        """Mean light as a fraction of full scale."""
        return float(np.nanmean(self.values) / self.white)


def find_target(
    folder: Path,
    rig: LightRig | None,
    *,
    dark: Path | None = None,
    ambient: Path | None = None,
    response: str = "linear",
    samples: SampleFormat | None = None,
    bayer: str | None = None,
) -> tuple[Target, tuple[Finding, ...]]:
    """The photographs in a folder as a target, and warnings.

    Frames called ``dark`` and ``ambient`` in the folder are taken where no others are stated.

    Raises
    ------
    InputError
        As :func:`find_images`.
    """
    images, remarks = find_images(folder, rig, (dark, ambient))
    target = Target(
        images,
        dark=ImageRef(dark) if dark else frame_beside(folder, "dark"),
        ambient=ImageRef(ambient) if ambient else frame_beside(folder, "ambient"),
        response=response,
        sample_format=samples or SampleFormat(),
        bayer=bayer,
    )
    return target, remarks


def find_images(
    folder: Path, rig: LightRig | None, apart: tuple[Path | None, ...] = ()
) -> tuple[tuple[ImageRef, ...], tuple[Finding, ...]]:
    """The images of a target in the order of the lights, and warnings.

    By the names of the lights where the folder has one of them, else in natural order; files called
    ``dark`` and ``ambient`` and those in ``apart`` are no photographs of the target.

    Raises
    ------
    InputError
        No image, a row of the lights that names none, or another count than the lights.
    """
    if not folder.is_dir():
        raise InputError(folder, "no such folder", "give the folder with the white target")
    others = {path.resolve() for path in apart if path is not None}
    files = [
        path.name
        for path in folder.iterdir()
        if path.is_file()
        and not path.name.startswith(".")
        and path.stem.lower() not in OTHER_FRAMES
        and path.resolve() not in others
    ]
    found = sorted(photographs(files), key=natural_key)
    if not found:
        raise InputError(folder, "holds no image", "one photograph of the target a light")
    findings: tuple[Finding, ...] = ()
    paths = [folder / name for name in found]
    if rig is not None and any(base_name(name) in files for name in rig.names):
        paths, remarks = match_names(folder, files, rig.names, rig.source)
        findings = tuple(remarks)
    elif rig is not None and len(found) == len(rig):
        text = f"{folder}: {found[0]} to {found[-1]} go with the lights in natural order"
        findings = (Finding("warning", "NAMES", text),) if rig.names else ()
    if rig is not None and len(paths) != len(rig):
        raise InputError(folder, f"{len(paths)} images for {len(rig)} lights of {rig.source}")
    return tuple(ImageRef(path) for path in paths), findings


def frame_beside(folder: Path, stem: str) -> ImageRef | None:
    """The frame called ``dark`` or ``ambient`` in a target's folder, or None."""
    names = [path.name for path in folder.iterdir() if path.stem.lower() == stem]
    found = sorted(photographs(names))
    return ImageRef(folder / found[0]) if found else None


def measure(target: Target, progress: Progress | None = None) -> tuple[Cells, ...]:
    """Cells of every image.

    Raises
    ------
    InputError
        An image cannot be read, has another size or type than the first, is saturated in more than
        1% of its pixels, or holds less than 1% of full scale.
    """
    offset = None if target.offset is None else _cells(target.offset, target)
    found: list[Cells] = []
    for done, ref in enumerate(target.images):
        if progress is not None:
            progress(done, len(target.images))
        cells = _cells(ref, target)
        for other in (offset, found[0] if found else None):
            _same(cells, other)
        if offset is not None:
            cells = _less(cells, offset)
        _refuse_unusable(cells)
        found.append(cells)
    return tuple(found)


def remarks(cells: Cells) -> Iterator[Finding]:
    """Warnings on the exposure of one image."""
    if cells.saturated > SOME_SATURATED:
        share = f"{100 * cells.saturated:.2g}% of the pixels are saturated"
        yield Finding("warning", "SATURATED", f"{cells.path}: {share}; they are left out")
    if cells.level < DIM_LEVEL:
        share = f"holds {100 * cells.level:.2g}% of full scale"
        yield Finding("warning", "DIM", f"{cells.path}: {share}; expose longer, at least 5%")


def strips(ref: ImageRef, target: Target) -> Iterator[tuple[int, Rows]]:
    """First row and linear rows, less the offset, of an image; for fields without a low pass."""
    with ExitStack() as files:
        frames = [_open(ref, target, files)]
        if target.offset is not None:
            frames.append(_open(target.offset, target, files))
        white = target.sample_format.white(frames[0].info)
        table = response_table(target.response, frames[0].info, white)
        height = frames[0].info.height
        for y0 in range(0, height, STRIP_ROWS):
            y1 = min(y0 + STRIP_ROWS, height)
            rows = [linear_rows(frame, y0, y1, table) for frame in frames]
            yield y0, rows[0] if len(rows) == 1 else rows[0] - rows[1]


def _open(ref: ImageRef, target: Target, files: ExitStack) -> WindowedRows:
    opened = WindowedRows.open(ref, None, target.bayer, target.max_pixels)
    return files.enter_context(closing(opened))


def _cells(ref: ImageRef, target: Target) -> Cells:
    """Means over cells of one frame, saturated pixels left out."""
    with ExitStack() as files:
        frame = _open(ref, target, files)
        info = frame.info
        white = target.sample_format.white(info)
        table = response_table(target.response, info, white)
        edge = -(-max(info.height, info.width) // CELLS)
        step = edge * max(1, STRIP_ROWS // edge)
        sums, counts, saturated = [], [], 0
        for y0 in range(0, info.height, step):
            y1 = min(y0 + step, info.height)
            raw = frame.empty(y1 - y0)
            frame.read(y0, y1, raw)
            colours = raw.reshape(*raw.shape[:2], -1)
            usable = colours.max(axis=2) < SATURATED * white
            linear = _linear(colours, table)
            saturated += int(usable.size - np.count_nonzero(usable))
            sums.append(_block_sums(np.where(usable[..., None], linear, 0), edge))
            counts.append(_block_sums(usable[..., None], edge))
    count = np.concatenate(counts)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.where(count > 0, np.concatenate(sums) / count, np.nan)
    share = saturated / (info.height * info.width)
    return Cells(info.path, values, (info.height, info.width), edge, white, share)


def _linear(raw: NDArray[Any], table: Rows | None) -> NDArray[Any]:
    return raw if table is None else np.take(table, raw, mode="clip")


def _block_sums(rows: NDArray[Any], edge: int) -> Array:
    """Sums over squares of ``edge`` px, the last of which may be cut, of (n, W, C) rows."""
    down = np.add.reduceat(rows, np.arange(0, rows.shape[0], edge), axis=0, dtype=np.float64)
    across = np.add.reduceat(down, np.arange(0, rows.shape[1], edge), axis=1)
    return np.asarray(across, dtype=np.float64)


def _less(cells: Cells, offset: Cells) -> Cells:
    values = cells.values - offset.values
    values[~(values > 0)] = np.nan
    return Cells(cells.path, values, cells.size, cells.edge, cells.white, cells.saturated)


def _same(cells: Cells, other: Cells | None) -> None:
    if other is None:
        return
    for what, ours, theirs in (
        ("px", cells.size[::-1], other.size[::-1]),
        ("channels", cells.values.shape[2:], other.values.shape[2:]),
        ("full scale", (cells.white,), (other.white,)),
    ):
        if ours != theirs:
            words = ("x".join(f"{value:g}" for value in shape) for shape in (ours, theirs))
            mine, its = words
            raise InputError(cells.path, f"has {mine} {what}, {other.path.name} has {its}")


def _refuse_unusable(cells: Cells) -> None:
    if cells.saturated > MANY_SATURATED:
        share = f"{100 * cells.saturated:.2g}% of the pixels are saturated"
        raise InputError(cells.path, f"{share}, at most 1% may be", "expose shorter")
    if not np.isfinite(cells.values).any() or cells.level < DARK_LEVEL:
        level = 100 * cells.level if np.isfinite(cells.values).any() else 0
        share = f"the target shows {level:.2g}% of full scale, less than 1%"
        raise InputError(cells.path, share, "is the light on? expose longer")


def check_response(response: str, bayer: str | None) -> None:
    """Refuse an unknown curve or mosaic before an image is read."""
    from mvps.images.bayer import check_pattern

    parse_response(response)
    if bayer is not None:
        check_pattern(bayer)
