"""The normal map that a height is made of: a file, or what `mvps normals` wrote into a folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.calib import Camera, read_camera
from mvps.calib.transforms import pinhole
from mvps.errors import InputError
from mvps.files import RECORD, read_text
from mvps.images import ImageRef, read_image
from mvps.images.maps import read_normals, read_statement


@dataclass(frozen=True, eq=False)
class NormalMap:
    """Normals with what is known of them.

    Attributes
    ----------
    path : of the map
    normals : (H, W, 3) float32 unit vectors, house frame, zero where not valid
    valid : (H, W) bool, inside the mask
    frame : "camera", or "board" where the normals were turned
    undistorted : whether the map's pixels have no lens distortion
    """

    path: Path
    normals: NDArray[np.float32]
    valid: NDArray[np.bool_]
    frame: str
    undistorted: bool


def load_map(path: Path, mask: Path | None = None) -> NormalMap:
    """Read a normal map, and a mask beside which nothing counts.

    Parameters
    ----------
    path : a normal map, or a folder with a stack.json of `mvps normals`
    mask : image, non-zero where a height is wanted

    Raises
    ------
    InputError
        No map, no valid pixel, or a mask of another size.
    """
    file, convention, said = _find(path)
    normals, valid = read_normals(file, convention=convention)
    said = said | read_statement(file)
    if not valid.any():
        raise InputError(file, "holds no valid normal", "every pixel is zero or not finite")
    if mask is not None:
        valid &= _read_mask(mask, (valid.shape[1], valid.shape[0]))
        if not valid.any():
            raise InputError(mask, "leaves no valid normal", "check that it is not empty")
    frame, undistorted = str(said.get("frame", "camera")), bool(said.get("undistorted", False))
    return NormalMap(file, normals, valid, frame, undistorted)


def load_camera(path: Path, found: NormalMap, name: str | None = None) -> Camera:
    """Camera of a map's pixels; that of a map in undistorted pixels has no distortion.

    Raises
    ------
    InputError
        No camera, or normals that are not in its frame.
    """
    if found.frame != "camera":
        what = f"its normals are in the frame of the {found.frame}, not of the camera"
        raise InputError(found.path, what, "solve with --frame camera, or leave out --camera")
    camera = read_camera(path, name)
    return pinhole(camera) if found.undistorted else camera


def _find(path: Path) -> tuple[Path, str | None, dict[str, Any]]:
    """File, convention where the file cannot say it, and the record's words on frame and grid."""
    if not path.is_dir():
        return path, None, {}
    record = path / RECORD
    if not record.is_file():
        what = f"holds no {RECORD}"
        raise InputError(path, what, "name a normal map, or a folder that mvps normals wrote")
    try:
        said = json.loads(read_text(record))
        files = [name for name in said["outputs"]["files"] if Path(name).stem == "normals"]
        found = path / Path(files[0]).name
        convention = said.get("convention") if found.suffix == ".npy" else None
    except (ValueError, KeyError, TypeError, IndexError):
        raise InputError(record, "is not a record of mvps normals") from None
    return found, convention, {key: said[key] for key in ("frame", "undistorted") if key in said}


def _read_mask(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    pixels = read_image(ImageRef(path))
    inside: NDArray[np.bool_] = pixels > 0
    if inside.ndim == 3:
        inside = np.any(inside, axis=2)
    if inside.shape[::-1] != size:
        mine = f"{inside.shape[1]} x {inside.shape[0]}"
        what = f"is of {mine} pixels, the normal map of {size[0]} x {size[1]}"
        raise InputError(path, what, "use the mask of these normals")
    return inside
