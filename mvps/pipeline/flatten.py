"""Written normal maps without the bend of their rig: one pass finds it, a second takes it off.

Maps stream through by strips. The record beside each result is that of the run with what was
removed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mvps.errors import InputError, MvpsError
from mvps.files import RECORD, atomic_path, write_json
from mvps.images import DEFAULT_MAX_PIXELS
from mvps.images.encodings import NORMAL_ENCODINGS
from mvps.images.maps import open_normals_writer
from mvps.images.normal_rows import NormalRows
from mvps.images.preview import PreviewAccumulator, write_png
from mvps.pipeline.levelling import (
    Maps,
    Remove,
    Removed,
    by_bend,
    by_reference,
    cells_of,
    check_target,
    describe_bend,
    doubt,
    maps_of,
    open_map,
    strips_of,
    target_of,
)
from mvps.pipeline.record import SCHEMA, versions
from mvps.pipeline.resume import read_record
from mvps.stereo.flatten import DEGREES, fit_bend

PREVIEW = "preview.png"
_STATED = ("frame", "frame_id", "board_up", "undistorted")  # by a map, of its frame and its grid


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
        made from or the maps of a run; nothing is written then.
    """
    maps = maps_of(source)
    if options.reference is not None and not options.reference.exists():
        raise InputError(options.reference, "no such file or folder", "check --reference")
    targets = [] if options.reference is None else maps_of(options.reference)
    _check_out([out, *(out / name for name, _ in maps)], maps + targets)
    for name, path in maps:
        folder = out if path == source else out / name
        try:
            yield _flatten(name, path, folder, options, targets)
        except MvpsError as error:
            yield Flattened(name, path, error=str(error))
        except OSError as error:
            line = f"{error.filename or path}: {error.strerror or error}"
            yield Flattened(name, path, error=line)


def _check_out(folders: list[Path], read: Maps) -> None:
    if folders[0].exists() and not folders[0].is_dir():
        raise InputError(folders[0], "is a file", "name a folder")
    for folder in dict.fromkeys(folders):
        for _, path in read:
            if path.resolve().parent == folder.resolve():
                raise InputError(folder, f"holds {path.name}", "write to another folder")
        # Only a run knows the inputs of its maps.
        if "fingerprint" in (read_record(folder / RECORD) or {}):
            what = "holds maps of mvps normals"
            raise InputError(folder, what, "write to another folder")


def _flatten(
    name: str, source: Path, folder: Path, options: FlattenOptions, targets: Maps
) -> Flattened:
    """Flatten one map into ``folder``: the map, its preview and its record."""
    with ExitStack() as files:
        rows = files.enter_context(open_map(source, options.max_pixels))
        if "flattened" in rows.statement:
            raise InputError(source, "is flattened already", "flatten the map that it came from")
        warning = ""
        if options.reference is None:
            bend = fit_bend(cells_of(rows), options.degree or 0, source)
            bend = bend.about_tilt() if options.keep_tilt else bend
            remove, said = by_bend(bend), describe_bend(bend)
            warning = doubt(bend, source)
        else:
            path = target_of(options.reference, targets, name)
            flat = files.enter_context(open_map(path, options.max_pixels))
            check_target(flat, source, (rows.width, rows.height), rows.statement)
            remove = by_reference(flat, options.smooth)
            said = {"method": "reference", "reference": str(path), "smooth": options.smooth}
        target, removed = _write(rows, remove, said.get("degree", "reference"), folder)
        result = Flattened(name, source, target, said | removed, warning)
        write_json(folder / RECORD, _record(result, rows))
    return result


def _record(result: Flattened, rows: NormalRows) -> dict[str, Any]:
    """The record of the run that the map came from, with what has changed since.

    Without a fingerprint, because no run writes these maps: one into this folder solves again.
    """
    assert result.target is not None
    before = read_record(result.source.with_name(RECORD)) or {}
    before.pop("fingerprint", None)
    written = (result.target, result.target.with_name(PREVIEW))
    pixels, valid = rows.width * rows.height, result.figures["valid"]
    counted, told = before.get("figures"), before.get("warnings")
    figures = {"pixels": pixels, "valid": valid} | (counted if isinstance(counted, dict) else {})
    warnings = (told if isinstance(told, list) else []) + [result.warning] * bool(result.warning)
    return {
        "schema": SCHEMA,
        "stack": result.name,
        "options": {"roi": None},
        "size": {"width": rows.width, "height": rows.height},
        "versions": versions(),
        **{key: rows.statement[key] for key in _STATED if key in rows.statement},
        **before,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "convention": rows.convention,
        "outputs": {"files": {path.name: path.stat().st_size for path in written}},
        "figures": figures | {"written_valid": valid},
        "warnings": warnings,
        "flatten": {"source": str(result.source)} | result.figures,
    }


def _write(
    rows: NormalRows, remove: Remove, how: int | str, folder: Path
) -> tuple[Path, dict[str, Any]]:
    """The second pass: map and preview under their final names once they are complete."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(folder, f"cannot be made ({error.strerror})") from None
    target = folder / f"{rows.path.stem}{NORMAL_ENCODINGS[rows.encoding].suffix}"
    (folder / RECORD).unlink(missing_ok=True)  # it vouches for the map, so it comes back last
    preview = PreviewAccumulator(rows.width, rows.height)
    removed = Removed()
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
            for y0, y1, normals, valid in strips_of(rows):
                flat, kept = remove(y0, y1, normals, valid)
                removed.add(normals, flat, valid, kept)
                writer.write_rows(flat, kept)
                preview.add_rows(flat, kept)
            writer.finish()
        except BaseException:
            writer.abort()
            raise
    with atomic_path(folder / PREVIEW) as temporary:
        write_png(temporary, preview.finish())
    return target, removed.as_dict()
