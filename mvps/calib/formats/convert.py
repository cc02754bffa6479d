"""Calibration files of any format to files of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mvps.calib.camera import DIRECTIONS, Camera
from mvps.calib.formats import colmap
from mvps.calib.formats.detect import detect_format, select, unique_names, write_cameras
from mvps.calib.formats.refit import Refit, needs_refit, refit_distortion
from mvps.calib.formats.registry import FORMATS
from mvps.errors import InputError
from mvps.yaml_nodes import did_you_mean


@dataclass(frozen=True)
class Conversion:
    """What a conversion read, wrote and lost.

    Attributes
    ----------
    format : name of the format written
    cameras : names of the cameras, in order
    written : files, in the order in which they were written
    lost : what the format could not hold, one phrase a loss
    refits : cameras whose distortion was fitted anew
    warnings : what had to be assumed
    """

    format: str
    cameras: tuple[str, ...]
    written: tuple[Path, ...]
    lost: tuple[str, ...]
    refits: tuple[Refit, ...]
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "format": self.format,
            "cameras": list(self.cameras),
            "written": [str(path) for path in self.written],
            "lost": list(self.lost),
            "refits": [asdict(refit) for refit in self.refits],
            "warnings": list(self.warnings),
        }


def convert(
    inputs: Sequence[str | Path],
    target: str | Path,
    format: str,
    *,
    name: str | None = None,
    direction: str | None = None,
    refit: bool = False,
    allow_loss: bool = False,
    overwrite: bool = False,
) -> Conversion:
    """Read every camera of ``inputs`` and write them to ``target``.

    Parameters
    ----------
    inputs : calibration files, each of any format
    target, format, allow_loss, overwrite : as :func:`write_cameras`
    name : the one camera to convert; None converts all
    direction : what the polynomials map, whatever the files say; None believes them
    refit : fit distortion anew where the format holds fewer coefficients or only OpenCV's direction

    Raises
    ------
    InputError
        A file cannot be read, something would be lost, or a file exists.
    """
    if format not in FORMATS:
        raise InputError(format, "unknown calibration format", did_you_mean(format, FORMATS))
    if direction is not None and direction not in DIRECTIONS:
        what = f"unknown direction {direction!r}"
        raise InputError("--distortion-direction", what, did_you_mean(direction, DIRECTIONS))
    paths = [Path(path) for path in inputs]
    cameras, warnings = _read(paths, format, direction)
    if name is not None:
        cameras = select(cameras, name, ", ".join(map(str, paths)))
    cameras = unique_names(cameras)
    holds = FORMATS[format].holds
    refits: list[Refit] = []
    if refit:
        fitted = []
        for camera in cameras:
            changed, cost = camera, None
            if needs_refit(camera, holds):
                changed, cost = refit_distortion(camera, holds.coefficients)
            fitted.append(changed)
            refits += [cost] if cost else []
        cameras = tuple(fitted)
    lost = FORMATS[format].losses(cameras)
    written = write_cameras(
        cameras, target, format, allow_loss=allow_loss, overwrite=overwrite, keep=_inputs(paths)
    )
    names = tuple(camera.name for camera in cameras)
    return Conversion(format, names, written, lost, tuple(refits), warnings)


def _inputs(paths: Sequence[Path]) -> list[Path]:
    """Every file that reading ``paths`` looks at: COLMAP's images stand beside its cameras."""
    folders = [path if path.is_dir() else path.parent for path in paths]
    return [*paths, *(folder / colmap.IMAGES for folder in folders)]


def _read(
    paths: Sequence[Path], format: str, direction: str | None
) -> tuple[tuple[Camera, ...], tuple[str, ...]]:
    cameras: list[Camera] = []
    assumed: list[str] = []
    for path in paths:
        entry = detect_format(path)
        found = entry.read(path)
        if direction is not None:
            found = tuple(replace(camera, distortion_direction=direction) for camera in found)
        elif entry.name == "rig" != format and found[0].distortion.any():
            assumed.append(str(path))
        cameras += found
    if not assumed:
        return tuple(cameras), ()
    warning = (
        f"{', '.join(assumed)}: which way the distortion maps is not documented; taken as OpenCV's "
        "(undistorted to distorted); state it with --distortion-direction"
    )
    return tuple(cameras), (warning,)
