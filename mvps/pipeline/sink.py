"""The writing end of a run: the maps of one stack, under temporary names until all are complete."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mvps
from mvps.errors import InputError
from mvps.files import RECORD, temporary_name
from mvps.images.encodings import NORMAL_ENCODINGS
from mvps.images.maps import open_normals_writer, open_plane_writer
from mvps.images.preview import PreviewAccumulator, write_png
from mvps.pipeline.options import RunOptions
from mvps.pipeline.picture import PICTURE
from mvps.pipeline.quality_maps import QualityMaps
from mvps.pipeline.resume import read_record
from mvps.pipeline.unbent import BendUnbent, TargetUnbent, Unbent
from mvps.stereo import Problem, StripOut

PICTURES = ("preview.png", "quality.png")


class MapSink:
    """Writers for every map of one stack.

    Parameters
    ----------
    folder : receives the maps; made where it is missing
    size : width and height of the maps
    problem : decides the number of albedo planes
    white : value of a full-scale sample, for the scale of a uint16 albedo
    options : which maps, and how each is stored
    statement : what every map says of its frame and its pixels
    target : map of a flat target, where the options ask for one
    title : names the stack in messages
    depth : whether results come with a depth
    picture : colour picture of the same pixels, copied beside the maps

    Attributes
    ----------
    unbent : takes the bend off the normals; None where that is not asked for
    """

    def __init__(
        self,
        folder: Path,
        size: tuple[int, int],
        problem: Problem,
        white: float,
        options: RunOptions,
        *,
        statement: dict[str, Any] | None = None,
        target: Path | None = None,
        title: str = "",
        depth: bool = False,
        picture: Path | None = None,
    ) -> None:
        width, height = size
        self._picture = picture
        self._statement = statement or {}
        self.folder = folder
        self._width = width
        self._albedo_scale: float | None = None
        self._writers: dict[Path, Any] = {}
        self.unbent: Unbent | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(folder, f"cannot be made ({error.strerror})") from None
        try:
            self.unbent = self._level(size, options, target, title)
            self._open(width, height, problem, white, options)
            self._depth = self._open_depth(size) if depth and options.depth_map else None
        except BaseException:
            self.abort()
            raise

    def _level(
        self, size: tuple[int, int], options: RunOptions, target: Path | None, title: str
    ) -> Unbent | None:
        write, degree = self._write_normals, options.bend_degree
        if degree is not None:
            keep = options.keep_tilt
            return BendUnbent(self.folder, size, degree, keep_tilt=keep, where=title, write=write)
        if target is None:
            return None
        said, limit = self._statement, options.max_pixels
        return TargetUnbent(
            target, size, said, limit, smooth=options.smooth, where=title, write=write
        )

    def _open(
        self, width: int, height: int, problem: Problem, white: float, options: RunOptions
    ) -> None:
        flattened = {} if self.unbent is None else {"flattened": _how(options)}
        normals = self.folder / f"normals{NORMAL_ENCODINGS[options.encoding].suffix}"
        self._normals = self._writers[normals] = open_normals_writer(
            temporary_name(normals),
            options.encoding,
            width,
            height,
            convention=options.convention,
            description=self._describe(
                "surface normals, n = v / max * 2 - 1, invalid pixels 0 0 0", **flattened
            ),
        )
        self._albedo = None
        if options.albedo != "none":
            if options.albedo == "u16":
                self._albedo_scale = _albedo_bound(problem, white) / np.iinfo(np.uint16).max
            self._albedo = self._plane(
                self.folder / "albedo.tif",
                (width, height, 3 if problem.mode == "channels" else 1),
                np.uint16 if self._albedo_scale else np.float32,
                self._describe("albedo = value * scale", scale=self._albedo_scale or 1.0),
            )
        self._quality: QualityMaps | None = None
        if options.quality:
            self._quality = QualityMaps(
                self.folder, (width, height), self._describe, picture=options.preview
            )
            self._writers[self._quality.path] = self._quality.writer
        self._preview = PreviewAccumulator(width, height) if options.preview else None

    def _open_depth(self, size: tuple[int, int]) -> Any:
        said = self._describe("depth along the optical axis in mm, NaN where there is no normal")
        return self._plane(self.folder / "depth.tif", (*size, 1), np.float32, said)

    def _describe(self, content: str, **more: Any) -> str:
        said = {"mvps": mvps.__version__, "content": content, **self._statement, **more}
        return json.dumps(said)

    def _plane(self, path: Path, size: tuple[int, int, int], dtype: Any, description: str) -> Any:
        width, height, channels = size
        writer = open_plane_writer(
            temporary_name(path), width, height, channels, np.dtype(dtype), description
        )
        self._writers[path] = writer
        return writer

    @property
    def albedo_scale(self) -> float:
        """Albedo of one step of ``albedo.tif``; 1 for float32."""
        return self._albedo_scale or 1.0

    def write(self, out: StripOut, rows: int) -> None:
        """Append ``rows`` solved rows to every map."""
        shape = (rows, self._width)
        normals, valid = out.normals.reshape(*shape, 3), out.valid.reshape(shape)
        if self.unbent is None:
            self._write_normals(normals, valid)
        else:
            self.unbent.add_rows(normals, valid.view(np.bool_))
        if self._albedo is not None:
            self._albedo.write_rows(self._encode_albedo(out.albedo).reshape(*shape, -1))
        if self._depth is not None:
            depth = np.where(out.valid, out.depth, np.float32(np.nan))
            self._depth.write_rows(depth.reshape(*shape, 1))
        if self._quality is not None:
            self._quality.write(out, rows)

    def _write_normals(self, normals: NDArray[np.float32], valid: NDArray[Any]) -> None:
        self._normals.write_rows(normals, valid)
        if self._preview is not None:
            self._preview.add_rows(normals, valid)

    def _encode_albedo(self, albedo: NDArray[np.float32]) -> NDArray[Any]:
        if self._albedo_scale is None:
            return albedo
        steps = np.rint(albedo * np.float32(1 / self._albedo_scale))
        clipped: NDArray[Any] = np.clip(steps, 0, np.iinfo(np.uint16).max).astype(np.uint16)
        return clipped

    def commit(self) -> dict[str, int]:
        """Finish every map, give it its final name, drop maps of an earlier run; bytes by name."""
        preview = self.folder / "preview.png"
        if self.unbent is not None:
            self.unbent.finish()
        for writer in self._writers.values():
            writer.finish()
        finals = list(self._writers)
        if self._preview is not None:
            write_png(temporary_name(preview), self._preview.finish())
            finals.append(preview)
        if self._quality is not None and (drawn := self._quality.draw()):
            finals.append(drawn)
        if self._picture is not None:
            copied = self._copy_of(self._picture)
            shutil.copyfile(self._picture, temporary_name(copied))
            finals.append(copied)
        # The record vouches for the maps, so it goes first and comes back last.
        ran_before = (self.folder / RECORD).is_file()
        pictures = set(_pictures_of(self.folder / RECORD))
        (self.folder / RECORD).unlink(missing_ok=True)
        for final in finals:
            temporary_name(final).replace(final)
        stale = {f"normals{encoding.suffix}" for encoding in NORMAL_ENCODINGS.values()}
        # error.png compared the maps of that run.
        for name in (
            stale | pictures | {"albedo.tif", "quality.tif", "depth.tif", *PICTURES, "error.png"}
        ):
            if ran_before and self.folder / name not in finals:
                (self.folder / name).unlink(missing_ok=True)
        self._writers = {}
        return {final.name: final.stat().st_size for final in finals}

    def _copy_of(self, picture: Path) -> Path:
        return self.folder / f"{PICTURE}{picture.suffix.lower()}"

    def abort(self) -> None:
        """Remove everything that this sink began."""
        for writer in self._writers.values():
            writer.abort()
        self._writers = {}
        if self.unbent is not None:
            self.unbent.abort()
        for name in PICTURES:
            temporary_name(self.folder / name).unlink(missing_ok=True)
        if self._picture is not None:
            temporary_name(self._copy_of(self._picture)).unlink(missing_ok=True)


def _pictures_of(record: Path) -> list[str]:
    """Colour pictures that an earlier run copied; another that lies there is not ours."""
    with contextlib.suppress(KeyError, TypeError):
        files = (read_record(record) or {})["outputs"]["files"]
        return [name for name in files if Path(name).name == name and Path(name).stem == PICTURE]
    return []


def _how(options: RunOptions) -> int | str:
    """What a map says of the bend that was taken off it."""
    return "reference" if options.bend_degree is None else options.bend_degree


def _albedo_bound(problem: Problem, white: float) -> float:
    """Largest |g| that samples between 0 and ``white`` can give."""
    full = np.minimum(problem.gain.sum(axis=1) * white, problem.clamp)
    return float(np.linalg.norm(np.abs(problem.pinv) @ full))
