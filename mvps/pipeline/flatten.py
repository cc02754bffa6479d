"""Written normal maps without the bend of their rig: one pass finds it, a second takes it off.

Maps stream through by strips. Beside each result, ``flatten.json`` says what was removed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mvps
from mvps.errors import InputError, MvpsError
from mvps.files import RECORD, atomic_path, natural_key, read_text, write_json
from mvps.images import DEFAULT_MAX_PIXELS
from mvps.images.encodings import NORMAL_ENCODINGS
from mvps.images.maps import open_normals_writer
from mvps.images.normal_rows import NormalRows
from mvps.images.preview import PreviewAccumulator, write_png
from mvps.stereo.comparison import MAP_SUFFIXES
from mvps.stereo.flatten import (
    DEGREES,
    Bend,
    SlopeCells,
    SmoothSlopes,
    fit_bend,
    rotate_to_axis,
    subtract_slopes,
)

FIGURES = "flatten.json"
STRIP_ROWS = 64
WIDEST_SPREAD = 3.0  # degrees: beyond it a part hardly has one nominally flat face

Normals = NDArray[np.float32]
Valid = NDArray[np.bool_]
# Rows y0 to y1 - 1 with their normals and validity, to the same rows without the bend.
Remove = Callable[[int, int, Normals, Valid], tuple[Normals, Valid]]


@dataclass(frozen=True)
class FlattenOptions:
    """How maps are flattened; either a degree or a reference.

    Attributes
    ----------
    degree : of the polynomial in the slopes, 0, 1 or 2
    keep_tilt : leave the tilt at the centre of the map, which a camera that looks aslant gives to
        every part
    reference : normal map of a flat target, or a folder of them that mvps normals wrote
    smooth : edge in pixels of the cells whose medians stand for the reference; 0 takes each pixel
    """

    degree: int | None = None
    keep_tilt: bool = False
    reference: Path | None = None
    smooth: int = 0
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        if (self.degree is None) == (self.reference is None):
            raise InputError("--degree", "one of --degree and --reference", "e.g. --degree 1")
        if self.degree is not None and self.degree not in DEGREES:
            raise InputError("--degree", f"{self.degree} is none of 0, 1, 2")
        if self.keep_tilt and not self.degree:
            raise InputError("--keep-tilt", "leaves nothing to remove", "add --degree 1 or 2")
        if self.smooth < 0:
            raise InputError("--smooth", f"{self.smooth} is negative", "0 takes every pixel")
        if self.smooth and self.reference is None:
            raise InputError("--smooth", "smooths the reference", "add --reference")


@dataclass(frozen=True)
class Flattened:
    """How one map ended; ``error`` is the line that says why it failed, else empty.

    Attributes
    ----------
    figures : what was removed, in degrees, and how it was found
    """

    name: str
    source: Path
    target: Path | None = None
    figures: dict[str, Any] = field(default_factory=dict)
    warning: str = ""
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        target = None if self.target is None else str(self.target)
        said = {"name": self.name, "source": str(self.source), "target": target}
        return said | self.figures | {"warning": self.warning, "error": self.error}


def flatten_maps(source: Path, out: Path, options: FlattenOptions) -> Iterator[Flattened]:
    """Flatten one normal map, or every map of a run, into a folder that mirrors it.

    Raises
    ------
    InputError
        There is no map, the reference does not exist, or a result would replace what it is
        made from; nothing is written then.
    """
    maps = _maps(source)
    if options.reference is not None and not options.reference.exists():
        raise InputError(options.reference, "no such file or folder", "check --reference")
    _check_out(maps, out, options)
    for name, path in maps:
        folder = out if path == source else out / name
        try:
            yield _flatten(name, path, folder, options)
        except MvpsError as error:
            yield Flattened(name, path, error=str(error))
        except OSError as error:
            line = f"{error.filename or path}: {error.strerror or error}"
            yield Flattened(name, path, error=line)


def _maps(source: Path) -> list[tuple[str, Path]]:
    """Names and files of the maps of a run, or the one map."""
    if source.is_file():
        return [(source.stem, source)]
    if not source.is_dir():
        raise InputError(source, "no such file or folder", "give a normal map or a run's folder")
    found = sorted(source.rglob(RECORD), key=lambda path: natural_key(path.as_posix()))
    maps = []
    for folder in (record.parent for record in found):
        if (path := _map_in(folder)) is not None:
            maps.append((folder.relative_to(source).as_posix(), path))
    if not maps:
        raise InputError(source, f"holds no normals beside a {RECORD}", "give a normal map")
    return maps


def _map_in(folder: Path) -> Path | None:
    paths = (folder / f"normals{suffix}" for suffix in MAP_SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _check_out(maps: list[tuple[str, Path]], out: Path, options: FlattenOptions) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file", "name a folder")
    read = [path for _, path in maps]
    if options.reference is not None:
        whole = options.reference
        read += [whole] if whole.is_file() else [path for _, path in _maps(whole)]
    for folder in {out, *(out / name for name, _ in maps)}:
        for path in read:
            if path.resolve().parent == folder.resolve():
                raise InputError(folder, f"holds {path.name}", "write to another folder")


def _reference(reference: Path, name: str) -> Path:
    """The flat target's map for one stack: by its name, or by its view where only one has it."""
    if reference.is_file():
        return reference
    maps = _maps(reference)
    if len(maps) == 1:
        return maps[0][1]
    same = [path for other, path in maps if other == name]
    view = name.rpartition("/")[2]
    like = same or [path for other, path in maps if other.rpartition("/")[2] == view]
    if len(like) != 1:
        found = "no map" if not like else f"{len(like)} maps"
        raise InputError(reference, f"holds {found} for {name}", f"e.g. {name}/normals.tif")
    return like[0]


def _flatten(name: str, source: Path, folder: Path, options: FlattenOptions) -> Flattened:
    """Flatten one map into ``folder``: the map, ``preview.png`` and ``flatten.json``."""
    with ExitStack() as files:
        rows = files.enter_context(NormalRows(source, _convention(source), options.max_pixels))
        if "flattened" in rows.statement:
            raise InputError(source, "is flattened already", "flatten the map that it came from")
        warning = ""
        if options.reference is None:
            bend = fit_bend(_cells(rows), options.degree or 0, source)
            bend = bend.about_tilt() if options.keep_tilt else bend
            remove, said = _by_bend(bend), _describe_bend(bend)
            if bend.spread > WIDEST_SPREAD:
                warning = (
                    f"{source}: slopes differ from the bend by {bend.spread:.1f} degrees; the part "
                    "may have no nominally flat face"
                )
        else:
            path = _reference(options.reference, name)
            flat = files.enter_context(NormalRows(path, _convention(path), options.max_pixels))
            _check_pair(rows, flat)
            remove = _by_reference(flat, options.smooth)
            said = {"method": "reference", "reference": str(path), "smooth": options.smooth}
        target, removed = _write(rows, remove, said.get("degree", "reference"), folder)
    result = Flattened(name, source, target, said | removed, warning)
    write_json(folder / FIGURES, {"mvps": mvps.__version__} | result.as_dict())
    return result


def _convention(path: Path) -> str | None:
    """Signs that the record beside a map states, for formats that cannot say so themselves."""
    record = path.with_name(RECORD)
    if not record.is_file():
        return None
    try:
        stated = json.loads(read_text(record)).get("convention")
    except (ValueError, AttributeError):
        raise InputError(record, "is not a record of mvps normals") from None
    return stated if isinstance(stated, str) else None


def _strips(rows: NormalRows) -> Iterator[tuple[int, int, Normals, Valid]]:
    for y0 in range(0, rows.height, STRIP_ROWS):
        y1 = min(y0 + STRIP_ROWS, rows.height)
        yield y0, y1, *rows.read(y0, y1)


def _cells(rows: NormalRows, edge: int | None = None) -> SlopeCells:
    cells = SlopeCells(rows.width, rows.height, edge)
    for _, _, normals, valid in _strips(rows):
        cells.add_rows(normals, valid)
    return cells


def _by_bend(bend: Bend) -> Remove:
    def remove(y0: int, y1: int, normals: Normals, valid: Valid) -> tuple[Normals, Valid]:
        return subtract_slopes(normals, valid, bend.slopes(y0, y1)), valid

    return remove


def _describe_bend(bend: Bend) -> dict[str, Any]:
    return {
        "method": "bend",
        "degree": bend.degree,
        "p": list(bend.p),
        "q": list(bend.q),
        "agreeing_share": round(bend.kept, 4),
        "spread_deg": round(bend.spread, 5),
    }


def _by_reference(flat: NormalRows, smooth: int) -> Remove:
    smoothed = SmoothSlopes(_cells(flat, smooth), flat.path) if smooth else None

    def remove(y0: int, y1: int, normals: Normals, valid: Valid) -> tuple[Normals, Valid]:
        target, known = flat.read(y0, y1) if smoothed is None else smoothed.normals(y0, y1)
        both = valid & known & (target[..., 2] > 0)
        return rotate_to_axis(normals, both, target), both

    return remove


def _check_pair(rows: NormalRows, flat: NormalRows) -> None:
    """Refuse a reference that another grid or frame parts from the map."""
    sizes = [f"{each.width}x{each.height}" for each in (rows, flat)]
    if sizes[0] != sizes[1]:
        raise InputError(flat.path, f"is {sizes[1]}, {rows.path} is {sizes[0]}", "one camera view")
    for key, default in (("frame", "camera"), ("board_up", False), ("undistorted", False)):
        said = [each.statement.get(key, default) for each in (rows, flat)]
        if said[0] != said[1]:
            what = f"states {key} {said[1]!r}, {rows.path} {said[0]!r}"
            raise InputError(flat.path, what, "solve both alike")
    if rows.statement.get("frame") == "board" and not rows.statement.get("board_up"):
        what = "a facing part has normals (0, 0, -1) in this frame"
        raise InputError(rows.path, what, "solve with --frame camera or --board-up")


def _write(
    rows: NormalRows, remove: Remove, how: int | str, folder: Path
) -> tuple[Path, dict[str, Any]]:
    """The second pass: map and preview under their final names once they are complete."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(folder, f"cannot be made ({error.strerror})") from None
    target = folder / f"{rows.path.stem}{NORMAL_ENCODINGS[rows.encoding].suffix}"
    (folder / FIGURES).unlink(missing_ok=True)  # it vouches for the map, so it comes back last
    preview = PreviewAccumulator(rows.width, rows.height)
    removed = _Removed()
    with atomic_path(target) as temporary:
        writer = open_normals_writer(
            temporary,
            rows.encoding,
            rows.width,
            rows.height,
            convention=rows.convention,
            description=json.dumps(rows.statement | {"flattened": how}),
        )
        try:
            for y0, y1, normals, valid in _strips(rows):
                flat, kept = remove(y0, y1, normals, valid)
                removed.add(normals, flat, valid, kept)
                writer.write_rows(flat, kept)
                preview.add_rows(flat, kept)
            writer.finish()
        except BaseException:
            writer.abort()
            raise
    with atomic_path(folder / "preview.png") as temporary:
        write_png(temporary, preview.finish())
    return target, removed.as_dict()


class _Removed:
    """By how much normals were turned, in degrees, over all rows."""

    def __init__(self) -> None:
        self._sum = self._squares = self._largest = 0.0
        self._count = self._lost = 0

    def add(self, before: Normals, after: Normals, valid: Valid, kept: Valid) -> None:
        self._count += int(np.count_nonzero(kept))
        self._lost += int(np.count_nonzero(valid & ~kept))
        # The chord of an angle is exact where it is small, which an arc cosine is not.
        gap = (before - after)[kept]
        chord = np.sqrt(np.einsum("nc,nc->n", gap, gap, dtype=np.float64))
        angle = np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1)))
        self._sum += float(angle.sum())
        self._squares += float(angle @ angle)
        self._largest = max(self._largest, float(angle.max(initial=0)))

    def as_dict(self) -> dict[str, Any]:
        count = max(self._count, 1)
        return {
            "removed_mean_deg": round(self._sum / count, 5),
            "removed_rms_deg": round(math.sqrt(self._squares / count), 5),
            "removed_max_deg": round(self._largest, 5),
            "valid": self._count,
            "lost": self._lost,
        }
