"""Undistorting files: photographs and normal maps to the pixels of a camera without distortion.

Photographs stream through by rows where their format allows it; the camera that fits the results is
written beside them.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mvps
from mvps.calib import Camera, read_cameras, write_cameras
from mvps.calib.fit import AS_CALIBRATED, CameraFit, check_size
from mvps.calib.row_warp import STRIP_ROWS, Layer, RowWarp
from mvps.calib.transforms import pinhole
from mvps.calib.warp import Warp, undistortion
from mvps.errors import InputError, MvpsError
from mvps.files import RECORD, atomic_path
from mvps.images import DEFAULT_MAX_PIXELS, ImageInfo, ImageRef, open_rows, probe
from mvps.images.encodings import NORMAL_ENCODINGS
from mvps.images.maps import open_normals_writer, open_plane_writer, read_normals, read_statement
from mvps.images.output_file import RowSink
from mvps.images.png_writer import PngWriter
from mvps.machine import cores
from mvps.pipeline.resume import read_record, remove_leftovers

SUFFIXES = {"tiff": ".tif", "png": ".png"}
CAMERA_NAME = "camera.yml"
_MAPS_ONLY = (".exr", ".jxl", ".mat")  # endings of normal maps that no photograph here has


@dataclass(frozen=True)
class UndistortOptions:
    """How files are undistorted.

    Attributes
    ----------
    format : "tiff" or "png"; normal maps that state their encoding keep it
    normals : take every file for a normal map, not only those that say so
    nearest : take the closest sample, for masks and labels
    fit : what happened to the images after the size that the camera was calibrated with
    """

    format: str = "tiff"
    normals: bool = False
    nearest: bool = False
    fit: CameraFit = AS_CALIBRATED
    max_pixels: int = DEFAULT_MAX_PIXELS

    def __post_init__(self) -> None:
        if self.format not in SUFFIXES:
            raise InputError("--format", f"{self.format!r} is none of {', '.join(SUFFIXES)}")


@dataclass(frozen=True)
class Undistorted:
    """How one file ended; ``error`` is the line that says why it failed, else empty."""

    source: Path
    target: Path | None = None
    kind: str = ""
    valid_share: float = 0.0
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "source": str(self.source),
            "target": None if self.target is None else str(self.target),
            "kind": self.kind,
            "valid_share": round(self.valid_share, 6),
            "error": self.error,
        }


def undistort_files(
    camera: Camera, paths: Sequence[Path], out: Path, options: UndistortOptions
) -> Iterator[Undistorted]:
    """Undistort files of one camera into a folder, each under its own stem; in their order.

    Raises
    ------
    InputError
        Two files would have one name, a result would replace its source, the folder holds images of
        another camera, or the first image is not of the camera's size; nothing is written then.
    """
    _check_names(paths, out)
    camera = _fitted(camera, paths[0], options)
    _check_camera(out / CAMERA_NAME, camera)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remedy = "name a folder, or one that can be made"
        raise InputError(
            out, f"is no folder and cannot be made ({error.strerror})", remedy
        ) from None
    remove_leftovers(out)
    warp = undistortion(camera)
    naming = _Naming(camera, out)

    def work(path: Path) -> Undistorted:
        try:
            return _undistort(path, camera, warp, naming, options)
        except MvpsError as error:
            return Undistorted(path, error=str(error))
        except OSError as error:
            return Undistorted(path, error=f"{path}: {error.strerror or error}")

    with ThreadPoolExecutor(min(cores(), len(paths))) as pool:
        yield from pool.map(work, paths)


class _Naming:
    """Final names in one folder: no image bears its own before the camera of all lies there."""

    def __init__(self, camera: Camera, out: Path) -> None:
        self.out = out
        self._camera = camera
        self._lock = threading.Lock()
        self._described = False

    @contextmanager
    def named(self, target: Path) -> Iterator[Path]:
        """As :func:`mvps.files.atomic_path`, after the camera."""
        with atomic_path(target) as temporary:
            yield temporary
            with self._lock:
                if not self._described:
                    camera = self.out / CAMERA_NAME
                    write_cameras([pinhole(self._camera)], camera, "mvps", overwrite=True)
                    self._described = True


def _check_names(paths: Sequence[Path], out: Path) -> None:
    if not paths:
        raise InputError("IMAGES", "none is named")
    for path in paths:
        if path.resolve().parent == out.resolve():
            raise InputError(out, f"holds {path.name}", "write to another folder")
    (stem, count), *_ = Counter(path.stem for path in paths).most_common(1)
    if count > 1:
        twice = [str(path) for path in paths if path.stem == stem]
        raise InputError(twice[1], f"would be written over {twice[0]}", "undistort them apart")


def _check_camera(path: Path, camera: Camera) -> None:
    """Refuse a folder whose camera is another: the images that it holds would lose theirs."""
    if not path.exists():
        return
    remedy = "name another folder"
    if camera.source.path and path.samefile(camera.source.path):
        raise InputError(path, "is the calibration itself, and would be replaced", remedy)
    try:
        held = read_cameras(path)
    except InputError:
        raise InputError(path, "is no camera file, and would be replaced", remedy) from None
    flat = pinhole(camera)
    same = len(held) == 1 and held[0].image_size == flat.image_size
    if not (same and np.array_equal(held[0].matrix, flat.matrix)):
        raise InputError(path, "is the camera of other images, and would be replaced", remedy)


def _fitted(camera: Camera, first: Path, options: UndistortOptions) -> Camera:
    size = _size(first, options)
    camera = options.fit.apply(camera, size)
    check_size(camera, size, first, options.fit)
    return camera


def _size(path: Path, options: UndistortOptions) -> tuple[int, int]:
    """Width and height; of a map in another format than those of photographs, by reading it."""
    if path.suffix.lower() not in _MAPS_ONLY:
        info = probe(ImageRef(path), max_pixels=options.max_pixels)
        return info.width, info.height
    _, valid = read_normals(path, max_pixels=options.max_pixels)
    return valid.shape[1], valid.shape[0]


def _undistort(
    path: Path, camera: Camera, warp: Warp, naming: _Naming, options: UndistortOptions
) -> Undistorted:
    check_size(camera, _size(path, options), path)
    said = _statement(path, options)
    if said.get("undistorted"):
        raise InputError(path, "is undistorted already", "name the image as it was taken")
    if options.normals or "convention" in said or path.suffix.lower() in _MAPS_ONLY:
        return _undistort_normals(path, said, warp, naming, options)
    return _undistort_image(path, warp, naming, options)


def _statement(path: Path, options: UndistortOptions) -> dict[str, Any]:
    """What a file says of itself; a NumPy map has no place for it, but a record beside it has."""
    said = read_statement(path, options.max_pixels)
    record = read_record(path.with_name(RECORD)) if path.suffix == ".npy" else None
    if record is None:
        return said
    outputs = record.get("outputs")
    files = outputs.get("files") if isinstance(outputs, dict) else None
    if not isinstance(files, dict) or path.name not in files:
        return said
    told = ("convention", "frame", "frame_id", "board_up", "undistorted")
    return {key: record[key] for key in told if key in record}


def _undistort_image(
    path: Path, warp: Warp, naming: _Naming, options: UndistortOptions
) -> Undistorted:
    target = naming.out / f"{path.stem}{SUFFIXES[options.format]}"
    with closing(open_rows(ImageRef(path), max_pixels=options.max_pixels)) as reader:
        info = reader.info
        if info.pages != 1:
            raise InputError(path, f"holds {info.pages} images", "save each as a file of its own")
        if options.format == "png" and info.dtype.kind == "f":
            raise InputError(path, "float samples do not go into a PNG", "use --format tiff")
        kind = "nearest" if options.nearest else "linear"
        rows = RowWarp(warp, [Layer(kind, info.channels, info.dtype)])
        with naming.named(target) as temporary:
            sink = _image_sink(temporary, options.format, warp.size, info)
            seen = 0
            try:
                for y in range(0, info.height, STRIP_ROWS):
                    block = np.empty(info.rows_shape(min(STRIP_ROWS, info.height - y)), info.dtype)
                    reader.read_rows(y, y + len(block), block)
                    for strip in rows.push([block]):
                        sink.write_rows(strip.layers[0])
                        seen += int(np.count_nonzero(strip.valid))
                sink.finish()
            except BaseException:
                sink.abort()
                raise
    return Undistorted(path, target, "image", seen / (warp.size[0] * warp.size[1]))


def _image_sink(path: Path, format: str, size: tuple[int, int], info: ImageInfo) -> RowSink:
    text = json.dumps({"mvps": mvps.__version__, "undistorted": True})
    if format == "png":
        return PngWriter(path, *size, info.channels, info.dtype, description=text)
    return open_plane_writer(path, *size, info.channels, info.dtype, text)


def _undistort_normals(
    path: Path, said: dict[str, Any], warp: Warp, naming: _Naming, options: UndistortOptions
) -> Undistorted:
    default = "tiff" if options.format == "tiff" else "png16"
    encoding = said.get("encoding") if said.get("encoding") in NORMAL_ENCODINGS else default
    convention = said.get("convention", "opengl")
    normals, valid = read_normals(path, convention=convention, max_pixels=options.max_pixels)
    target = naming.out / f"{path.stem}{NORMAL_ENCODINGS[str(encoding)].suffix}"
    kept = {key: said[key] for key in ("content", "frame", "frame_id", "board_up") if key in said}
    text = json.dumps(kept | {"undistorted": True})
    rows = RowWarp(warp, [Layer("normals", 3, np.float32)])
    seen = 0
    with naming.named(target) as temporary:
        writer = open_normals_writer(
            temporary, str(encoding), *warp.size, convention=convention, description=text
        )
        try:
            for y in range(0, len(normals), STRIP_ROWS):
                part: NDArray[np.float32] = normals[y : y + STRIP_ROWS]
                for strip in rows.push([part], valid[y : y + STRIP_ROWS]):
                    writer.write_rows(strip.layers[0], strip.valid)
                    seen += int(np.count_nonzero(strip.valid))
            writer.finish()
        except BaseException:
            writer.abort()
            raise
    return Undistorted(path, target, "normals", seen / (warp.size[0] * warp.size[1]))
