"""Rays of pixels: any camera with its distortion, rows by rows, at chosen places in every pixel.

Lines of sight are exact at the corners of pixels (:func:`mvps.calib.geometry.unproject`) and
bilinear in between: exact without distortion, within 1e-4 px with the published cameras'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.calib import Camera
from mvps.calib.geometry import pose, unproject
from mvps.synth.renderer_ops import Ops, Value, fraction, hash3, normalise, unit

TILE = 1 << 20  # pixels that are rendered at once; bounds memory, changes no byte
PURPOSES = 64  # of random numbers of a sample
R2 = (0.7548776662466927, 0.5698402909980532)  # steps of the other samples
GOLDEN = 0.6180339887498949  # the second coordinate of a lattice of samples advances by it


@dataclass(frozen=True)
class Tile:
    """Rows ``y0`` to ``y1`` of an image of ``width``: its pixels' slopes and numbers.

    ``slopes``: ((rows + 1) * (width + 1) * 2) x/z and y/z at the corners of pixels, NaN where
    there is no line of sight; ``x`` and ``row`` of each pixel within the tile; ``pixel`` its number
    in the image.
    """

    y0: int
    y1: int
    width: int
    slopes: Value
    x: Value
    row: Value
    pixel: Value

    @property
    def shape(self) -> tuple[int, int]:
        return self.y1 - self.y0, self.width


@dataclass(frozen=True)
class Eye:
    """Centre of a camera in the world and its axes: rows of the rotation, world to camera."""

    centre: Value
    axes: tuple[Value, Value, Value]


def make_eye(ops: Ops, camera: Camera) -> Eye:
    """Eye of a camera; InputError without a pose."""
    rotation, _ = pose(camera)
    vectors = [
        ops.vector(*(ops.number(float(value)) for value in vector))
        for vector in (camera.centre(), *rotation)
    ]
    return Eye(vectors[0], (vectors[1], vectors[2], vectors[3]))


def tiles(ops: Ops, camera: Camera) -> Iterator[Tile]:
    """The image of a camera in strips of about ``TILE`` pixels."""
    width, height = camera.image_size
    rows = max(1, TILE // width)
    for y0 in range(0, height, rows):
        yield _tile(ops, camera, y0, min(y0 + rows, height))


def _tile(ops: Ops, camera: Camera, y0: int, y1: int) -> Tile:
    width = camera.image_size[0]
    corners = np.stack(
        np.meshgrid(np.arange(width + 1) - 0.5, np.arange(y0, y1 + 1) - 0.5), axis=-1
    )
    number = ops.count((y1 - y0) * width)
    row = number // ops.index(width)
    return Tile(
        y0=y0,
        y1=y1,
        width=width,
        slopes=ops.table(slopes(camera, corners)),
        x=number - row * ops.index(width),
        row=row,
        pixel=number + ops.index(y0 * width),
    )


def slopes(camera: Camera, pixels: NDArray[np.float64]) -> NDArray[Any]:
    """x/z and y/z (..., 2) of what raw pixels (..., 2) see; NaN where they see nothing."""
    rays, _ = unproject(camera, pixels)
    return np.asarray(rays[..., :2] / rays[..., 2:])


def look(ops: Ops, eye: Eye, tile: Tile, fx: Value, fy: Value) -> tuple[Value, Value]:
    """Unit rays (3, n) through the places (fx, fy) of the pixels, 0 to 1; whether there is one."""
    stride = ops.index(tile.width + 1)
    first = tile.row * stride + tile.x
    across = []
    for axis in (0, 1):
        corner = [
            ops.gather(tile.slopes, (first + step) * ops.index(2) + ops.index(axis))
            for step in (ops.index(0), ops.index(1), stride, stride + ops.index(1))
        ]
        upper = corner[0] + fx * (corner[1] - corner[0])
        lower = corner[2] + fx * (corner[3] - corner[2])
        across.append(upper + fy * (lower - upper))
    seen = (across[0] == across[0]) & (across[1] == across[1])  # NaN is not equal to itself
    ax, ay, az = eye.axes
    ray = ax * ops.select(seen, across[0], 0.0) + ay * ops.select(seen, across[1], 0.0) + az
    return normalise(ops, ray), seen


def place(ops: Ops, tile: Tile, seed: int, sample: Value, samples: Value) -> tuple[Value, Value]:
    """Place of a sample in its pixel: a lattice over the pixel, shifted at random in each."""
    shift = hash3(ops, tile.pixel, tile.pixel * ops.index(0) + ops.index(seed), tile.pixel)
    step = ops.as_number(sample)
    fx = fraction(ops, (step + 0.5) / ops.as_number(samples) + unit(ops, shift[0]))
    return fx, fraction(ops, step * GOLDEN + unit(ops, shift[1]))


def chance(ops: Ops, tile: Tile, seed: int, sample: Value, use: int) -> tuple[Value, Value]:
    """Two numbers in 0 to 1 a pixel and sample; ``use`` tells one purpose from another.

    The samples of a pixel fill the unit square evenly (R2 sequence: Roberts, 2018), from a random
    start in each pixel.
    """
    zero = tile.pixel * ops.index(0)
    start = hash3(ops, tile.pixel, zero + ops.index(seed * PURPOSES + use), tile.pixel)
    step = ops.as_number(sample)
    a, b = (fraction(ops, step * r + unit(ops, x)) for r, x in zip(R2, start, strict=False))
    return a, b
