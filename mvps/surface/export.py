"""Heights, curvatures and pictures as files, each complete or absent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mvps
from mvps.files import atomic_path
from mvps.images.maps import open_plane_writer
from mvps.images.png_writer import PngWriter
from mvps.images.preview import PREVIEW_LIMIT
from mvps.surface.curvature import Curvature
from mvps.surface.relief import Relief
from mvps.surface.slopes import Plane, Slopes

LEVELS = 65534  # of a 16-bit picture between its lowest and highest pixel; 0 is kept for none
LIGHT = (-0.5, 0.5, 0.70710678)  # from the upper left, as maps are shaded
AMBIENT = 0.45


def write_plane(path: Path, plane: Plane, content: str, statement: dict[str, Any]) -> None:
    """Float TIFF (H, W) whose description is a line of JSON; NaN stays where there is nothing."""
    text = json.dumps({"mvps": mvps.__version__, "content": content, **statement})
    height, width = plane.shape
    with atomic_path(path) as temporary:
        writer = open_plane_writer(temporary, width, height, 1, np.float32, text)
        _fill(writer, np.ascontiguousarray(plane, np.float32))


def write_height(path: Path, relief: Relief) -> None:
    """Height as a float32 TIFF in its unit."""
    write_plane(path, relief.height, "height", relief.as_dict())


def write_height_png(path: Path, relief: Relief) -> dict[str, float]:
    """Height as a 16-bit PNG: height = offset + step (v - 1), and v = 0 where there is none.

    Returns
    -------
    ``offset`` and ``step`` in the unit of the height; the file says them too
    """
    low = float(np.nanmin(relief.height))
    step = (float(np.nanmax(relief.height)) - low) / LEVELS or 1.0
    with np.errstate(invalid="ignore"):
        levels = np.rint((relief.height - np.float32(low)) / np.float32(step)) + 1
    levels = np.nan_to_num(np.clip(levels, 1, LEVELS + 1), nan=0.0).astype(np.uint16)
    scale = {"offset": low, "step": step}
    members = {"mvps": mvps.__version__, "content": "height", "unit": relief.unit, **scale}
    _write_png(path, levels, json.dumps(members))
    return scale


def write_curvature(folder: Path, maps: Curvature, unit: str) -> tuple[str, ...]:
    """Three float TIFFs; returns their names."""
    units = {"mean_curvature": f"1/{unit}", "gaussian_curvature": f"1/{unit}^2", "shape_index": ""}
    planes = (maps.mean, maps.gaussian, maps.shape_index)
    for (name, said), plane in zip(units.items(), planes, strict=True):
        write_plane(folder / f"{name}.tif", plane, name, {"unit": said})
    return tuple(f"{name}.tif" for name in units)


def write_pictures(
    folder: Path, pictures: dict[str, NDArray[np.uint8]], statement: dict[str, Any]
) -> tuple[str, ...]:
    """8-bit PNGs named after the keys; returns their names."""
    for name, levels in pictures.items():
        members = {"mvps": mvps.__version__, "content": name, **statement}
        _write_png(folder / f"{name}.png", levels, json.dumps(members))
    return tuple(f"{name}.png" for name in pictures)


def write_regions(path: Path, labels: NDArray[np.int32]) -> None:
    """Numbers of the regions as a 16-bit PNG, 1 for the largest, 0 for none."""
    levels = np.minimum(labels, LEVELS + 1).astype(np.uint16)
    _write_png(path, levels, json.dumps({"mvps": mvps.__version__, "content": "regions"}))


def write_preview(path: Path, relief: Relief, slopes: Slopes) -> None:
    """Height in colours, shaded by its slopes, at most 1024 px on the long side.

    The colours are viridis from the 1st to the 99th percentile; no height is white.
    """
    import cv2

    step = -(-max(relief.height.shape) // PREVIEW_LIMIT)
    height = relief.height[::step, ::step]
    known = np.isfinite(height)
    low, high = np.percentile(height[known], (1, 99)) if known.any() else (0.0, 1.0)
    share = np.clip((height - low) / max(high - low, 1e-30), 0, 1)
    levels = np.nan_to_num(share * 255).astype(np.uint8)
    colours = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[..., ::-1].astype(np.float32)
    p, q = slopes.p[::step, ::step], slopes.q[::step, ::step]
    facing = 1 / np.sqrt(1 + p * p + q * q)
    shade = np.clip((LIGHT[2] - LIGHT[0] * p - LIGHT[1] * q) * facing / LIGHT[2], 0, 1.3)
    picture = colours * (AMBIENT + (1 - AMBIENT) * shade)[..., None]
    picture[~known] = 255
    _write_png(path, np.clip(picture, 0, 255).astype(np.uint8), "")


def _write_png(path: Path, levels: NDArray[Any], text: str) -> None:
    height, width = levels.shape[:2]
    channels = 3 if levels.ndim == 3 else 1
    with atomic_path(path) as temporary:
        _fill(PngWriter(temporary, width, height, channels, levels.dtype, description=text), levels)


def _fill(writer: Any, rows: NDArray[Any]) -> None:
    try:
        writer.write_rows(rows)
        writer.finish()
    except BaseException:
        writer.abort()
        raise
