"""Which format a calibration file has, by its content; cameras from any, and to any."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mvps.calib.camera import Camera
from mvps.calib.formats import mvps_yaml
from mvps.calib.formats.registry import FORMATS, CameraFormat
from mvps.errors import InputError
from mvps.files import read_text, write_text
from mvps.yaml_nodes import did_you_mean

_UNSAFE = re.compile(r"[^\w.-]+")


def detect_format(path: str | Path) -> CameraFormat:
    """The format of a calibration file, or of a folder with COLMAP's text.

    Raises
    ------
    InputError
        The path cannot be read, or its content is of no format that is known.
    """
    path = Path(path)
    text = "" if path.is_dir() else read_text(path)
    for entry in FORMATS.values():
        if entry.recognises(path, text):
            return entry
    known = ", ".join(entry.title for entry in FORMATS.values())
    if path.is_dir():
        raise InputError(path, "a folder without cameras.txt", "name the calibration file itself")
    if not text.strip():
        raise InputError(path, "the file is empty")
    raise InputError(path, "not a camera file of a format that is known", f"read are {known}")


def read_cameras(path: str | Path) -> tuple[Camera, ...]:
    """Every camera of a calibration file, its format told by its content.

    Parameters
    ----------
    path : the file; for COLMAP its cameras.txt or the folder

    Raises
    ------
    InputError
        The file cannot be read, is of no known format, or states what is no camera; the message
        names file and line.
    """
    path = Path(path)
    return detect_format(path).read(path)


def read_camera(path: str | Path, name: str | None = None) -> Camera:
    """The camera of a calibration file, or the one called ``name`` of several.

    Raises
    ------
    InputError
        As :func:`read_cameras`; or there are several and no name, or none of that name.
    """
    cameras = read_cameras(path)
    if name is not None:
        cameras = select(cameras, name, path)
    if len(cameras) > 1:
        names = ", ".join(_short([camera.name for camera in cameras]))
        raise InputError(path, f"holds {len(cameras)} cameras ({names})", "name one of them")
    return cameras[0]


def select(cameras: Sequence[Camera], name: str, where: str | Path) -> tuple[Camera, ...]:
    """The one camera called ``name``; a camera without a name goes by that of its file.

    Raises
    ------
    InputError
        None or several have that name.
    """
    found = tuple(camera for camera in cameras if name in (camera.name, _own_name(camera)))
    if not found:
        names = [camera.name or _own_name(camera) for camera in cameras]
        raise InputError(where, f"holds no camera {name!r}", did_you_mean(name, _short(names)))
    if len(found) > 1:
        raise InputError(where, f"holds {len(found)} cameras called {name!r}", "rename one of them")
    return found


def write_cameras(
    cameras: Sequence[Camera],
    target: str | Path,
    format: str,
    *,
    allow_loss: bool = False,
    overwrite: bool = False,
    keep: Sequence[Path] = (),
    extra: Mapping[str, Any] | None = None,
) -> tuple[Path, ...]:
    """Write cameras in one of the formats; what is refused is refused before any file is written.

    Parameters
    ----------
    cameras : in their order; one without a name gets that of the file it came from
    target : a file; or a folder (one that exists, or a name without an ending), in which formats
        with one camera a file write ``<name>.yml`` each
    format : a name of ``FORMATS``
    allow_loss : write also what the format cannot hold in full
    overwrite : replace files that exist; never one that a camera was read from
    keep : more files that are never replaced
    extra : blocks for a file of mvps, see `mvps_yaml.render`; other formats have no place for them

    Returns
    -------
    The files that were written.

    Raises
    ------
    InputError
        Something would be lost, a file exists, or the format lacks what the cameras need.
    """
    if format not in FORMATS:
        raise InputError(format, "unknown calibration format", did_you_mean(format, FORMATS))
    entry = FORMATS[format]
    if not cameras:
        raise InputError(target, "there is no camera to write")
    if str(target) == "-":
        raise InputError("-", "standard output is not written to", "name a file or a folder")
    named = unique_names(cameras)
    losses = entry.losses(named)
    if losses and not allow_loss:
        remedy = "allow it (--allow-loss)"
        if any("distortion" in loss for loss in losses):
            remedy += ", or fit the distortion that the format holds (--refit)"
        raise InputError(target, f"{entry.title} would lose: {'; '.join(losses)}", remedy)
    if extra and format == "mvps":
        entry = replace(entry, render=partial(mvps_yaml.render, extra=extra))
    texts = _rendered(entry, named, Path(target))
    sources = [Path(camera.source.path) for camera in named if camera.source.path]
    for path in texts:
        _refuse_to_replace(path, [*sources, *keep], overwrite=overwrite)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    return tuple(texts)


def unique_names(cameras: Sequence[Camera]) -> tuple[Camera, ...]:
    """Cameras that all have a name, each another: the file's where there is none, then numbered."""
    taken: set[str] = set()
    named = []
    for camera in cameras:
        base = camera.name or _own_name(camera)
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        taken.add(name)
        named.append(replace(camera, name=name))
    return tuple(named)


def _own_name(camera: Camera) -> str:
    return Path(camera.source.path).stem or "camera"


def _short(names: Sequence[str]) -> list[str]:
    return [name or "-" for name in names[:12]] + ["..."] * (len(names) > 12)


def _rendered(entry: CameraFormat, cameras: Sequence[Camera], target: Path) -> dict[Path, str]:
    folder = target.is_dir() or not target.suffix
    if not entry.file_name:
        if not folder:
            raise InputError(target, f"{entry.title} is a folder of files", "name a folder")
        return entry.render(cameras, target)
    if entry.holds.many:
        return entry.render(cameras, target / entry.file_name if folder else target)
    if not folder and len(cameras) > 1:
        what = f"{entry.title} holds one camera a file, and there are {len(cameras)}"
        raise InputError(target, what, "name a folder, or pick one with --name")
    texts: dict[Path, str] = {}
    for camera in cameras:
        safe = _UNSAFE.sub("_", Path(camera.name).name).strip(".") or "camera"
        path = target / entry.file_name.format(name=safe) if folder else target
        if path in texts:
            raise InputError(path, "two cameras would be written to it", "give them other names")
        texts |= entry.render([camera], path)
    return texts


def _refuse_to_replace(path: Path, sources: Sequence[Path], *, overwrite: bool) -> None:
    above = next(folder for folder in path.absolute().parents if os.path.lexists(folder))
    if not above.is_dir():
        raise InputError(path, f"cannot be written, since {above} is no folder", "name another one")
    if not (path.exists() or path.is_symlink()):
        return
    for source in sources:
        if source.exists() and path.exists() and path.samefile(source):
            raise InputError(path, "is a file that a camera was read from", "name another one")
    if not overwrite:
        raise InputError(path, "exists", "name another file, or pass --overwrite")
    if path.is_dir():
        raise InputError(path, "is a folder", "name a file")
