"""Images, masks and warps for the tests of the warping kernels, with every kind of pixel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mvps.calib import Camera, published_cameras, read_camera
from mvps.calib import remap_reference as reference
from mvps.calib.resample import Source
from mvps.calib.transforms import crop_camera, resize_camera
from mvps.calib.warp import Warp, undistortion, view_warp

TYPES = ("uint8", "uint16", "float32")
# A position that is off by 1e-9 px can lose or gain a pixel at the border of what is valid.
DOUBTFUL = 1e-6


@dataclass(frozen=True)
class Case:
    """A warp, the rows of a source and what of them counts."""

    warp: Warp
    image: np.ndarray
    mask: np.ndarray

    def source(self, *, masked: bool, rows: slice = slice(None)) -> Source:
        first = rows.start or 0
        return Source(self.image[rows], self.mask[rows] if masked else None, first)

    def outputs(self) -> tuple[np.ndarray, np.ndarray]:
        """Poisoned: NaN as a float, and no value that valid may take."""
        width, height = self.warp.size
        out = np.empty((height, width, *self.image.shape[2:]), self.image.dtype)
        out.view(np.uint8).reshape(-1)[:] = 0xFF
        return out, np.full((height, width), 0xEE, np.uint8)


def small_camera(name: str = "cam1", size: tuple[int, int] = (257, 187)) -> Camera:
    """A published camera reduced to few pixels, distortion and all."""
    camera = read_camera(published_cameras()[name])
    return resize_camera(camera, size, allow_aspect=True)


def rational_camera(size: tuple[int, int] = (131, 97)) -> Camera:
    """Every one of the twelve coefficients is at work."""
    distortion = [-0.21, 0.05, 2e-3, -1e-3, 0.01, 0.03, -0.01, 2e-3, 1e-3, -2e-3, 5e-4, 1e-3]
    matrix = [[95.0, 0.4, 63.0], [0.0, 97.0, 51.0], [0.0, 0.0, 1.0]]
    turn = np.array([[1.0, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    return Camera(np.array(matrix), np.array(distortion), size, turn, np.array([1.0, 2.0, 90.0]))


def warps() -> dict[str, Warp]:
    """A warp of every branch: plain, with another matrix, with all terms, with a perspective."""
    rational = rational_camera()
    beside = replace(rational, translation=np.array([-9.0, 4.0, 80.0]))
    closer = small_camera().matrix * [[1.3], [0.9], [1.0]]
    return {
        "plain": undistortion(small_camera()),
        "matrix": undistortion(small_camera("cam2"), closer, (300, 171)),
        "rational": undistortion(rational),
        "view": view_warp(beside, rational, common_frame=True),
        "crop": undistortion(crop_camera(small_camera("cam4"), 20, 31, 1, 67), None, (33, 67)),
        "one row": undistortion(crop_camera(small_camera("cam4"), 20, 31, 77, 1), None, (77, 5)),
    }


def make_case(name: str, dtype: str, channels: int, seed: int = 0) -> Case:
    """Noise, so that a wrong neighbour shows; a fifth of the pixels do not count."""
    warp = warps()[name]
    rng = np.random.default_rng([seed, channels, len(name)])
    width, height = warp.source_size
    shape = (height, width) if channels == 1 else (height, width, channels)
    image = rng.uniform(0, 1, shape) * (1 if dtype == "float32" else np.iinfo(dtype).max)
    image = image.astype(dtype) if dtype == "float32" else np.rint(image).astype(dtype)
    return Case(warp, image, (rng.random((height, width)) < 0.8).astype(np.uint8))


def unit_case(name: str, seed: int = 0) -> Case:
    """A map of unit normals, zero where it does not count."""
    case = make_case(name, "float32", 3, seed)
    normals = case.image + np.float32([-0.5, -0.5, 0.3])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    return replace(case, image=(normals * case.mask[..., None]).astype(np.float32))


def assert_image(
    case: Case, out: Any, valid: Any, *, masked: bool, nearest: bool = False, rows=slice(None)
) -> None:
    """What the float64 definition gives: integers rounded from a value next to its own."""
    where = reference.positions(case.warp, 0, case.warp.size[1])
    source = case.source(masked=masked, rows=rows)
    options = {"mask": source.mask, "first_row": source.first_row, "nearest": nearest}
    values, ok = reference.sample(source.planes(), where, **options)
    sure = certain(where, source)
    assert set(np.unique(valid)) <= {0, 1}
    np.testing.assert_array_equal(valid[sure] > 0, ok[sure])
    assert not out[valid == 0].any()
    both = sure & ok & (valid > 0)
    error = np.abs(out.reshape(values.shape).astype(np.float64) - values)[both]
    whole = out.dtype.kind != "f"
    scale = max(1.0, float(case.image.max()))
    assert error.size == 0 or error.max() <= (0.5 if whole and not nearest else 0) + 2e-6 * scale


def certain(where: np.ndarray, source: Source) -> np.ndarray:
    """Pixels whose validity and nearest neighbour do not depend on the last digits."""
    with np.errstate(invalid="ignore"):
        halves = np.abs(where * 2 - np.rint(where * 2)).min(axis=-1)
        corner = np.abs(where - np.rint(where)).prod(axis=-1)  # weight of the furthest neighbour
        exact = (where == np.rint(where)).all(axis=-1)
        return exact | ~((halves < DOUBTFUL) | (corner < 2 * reference.NEGLIGIBLE))
