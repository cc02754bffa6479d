"""Grain: noise in space, the same on every machine, without seams or projections.

A surface that is cut out of a block of noise has grain everywhere at the same scale, round edges
and holes included; a picture wrapped round it would show seams (Perlin, SIGGRAPH 1985). The block
is a lattice of random numbers, repeated every 64 cells and smooth in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mvps.synth.renderer_ops import Ops, Value

CELLS = 64  # of the lattice, a side
OCTAVES = ((1.0, 0.8, 0.0), (2.63, 0.6, 17.31))  # frequency, share, shift in cells
# Turns the lattice, so that no plane of a part lies in one of its planes (rows are orthonormal).
TURN = (
    (0.727606875, 0.485071250, 0.485071250),
    (-0.682318250, 0.584844215, 0.438633161),
    (-0.070922779, -0.650125470, 0.756509638),
)
DEVIATION = 0.64  # of the sum of octaves of a lattice whose numbers have deviation 1


@cache
def lattice() -> NDArray[np.float32]:
    """(64 * 64 * 64,) random numbers of mean 0 and deviation 1, in -1.73 to 1.73."""
    rng = np.random.Generator(np.random.PCG64(20))
    spread = np.sqrt(12.0) * (rng.random(CELLS**3) - 0.5)
    return np.asarray(spread, np.float32)


def noise(ops: Ops, table: Value, points: Value) -> tuple[Value, Value]:
    """Noise at points and its derivative by them.

    Parameters
    ----------
    table : the lattice as the library of ``ops`` holds it
    points : (3, n), in grains

    Returns
    -------
    value : (n,) of mean 0 and deviation about 1
    gradient : (3, n) a grain
    """
    value: Value = 0.0
    gradient: Value = 0.0
    turned = _turn(ops, TURN, points)
    for frequency, share, shift in OCTAVES:
        v, g = _smooth(ops, table, turned * frequency + shift)
        value = value + v * (share / DEVIATION)
        gradient = gradient + g * (share * frequency / DEVIATION)
    return value, _turn(ops, tuple(zip(*TURN, strict=True)), gradient)


def _turn(ops: Ops, rows: Sequence[Sequence[float]], vectors: Value) -> Value:
    return ops.vector(
        *(vectors[0] * row[0] + vectors[1] * row[1] + vectors[2] * row[2] for row in rows)
    )


def _smooth(ops: Ops, table: Value, points: Value) -> tuple[Value, Value]:
    whole = ops.floor(points)
    f = points - whole
    w = f * f * (3.0 - 2.0 * f)
    slope = 6.0 * f * (1.0 - f)
    low, high = zip(*(_cells(ops, whole[axis]) for axis in range(3)), strict=True)
    c = {}
    for corner in range(8):
        ix, iy, iz = ((low, high)[corner >> axis & 1][axis] for axis in range(3))
        place = (iz * ops.index(CELLS) + iy) * ops.index(CELLS) + ix
        c[corner] = ops.gather(table, place)
    x00, x10, x01, x11 = (c[k] + w[0] * (c[k + 1] - c[k]) for k in (0, 2, 4, 6))
    y0, y1 = x00 + w[1] * (x10 - x00), x01 + w[1] * (x11 - x01)
    value = y0 + w[2] * (y1 - y0)
    d00, d10, d01, d11 = (c[k + 1] - c[k] for k in (0, 2, 4, 6))
    dx0, dx1 = d00 + w[1] * (d10 - d00), d01 + w[1] * (d11 - d01)
    dy = (x10 - x00) + w[2] * ((x11 - x01) - (x10 - x00))
    gradient = ops.vector(
        slope[0] * (dx0 + w[2] * (dx1 - dx0)), slope[1] * dy, slope[2] * (y1 - y0)
    )
    return value, gradient


def _cells(ops: Ops, whole: Value) -> tuple[Value, Value]:
    cell = ops.as_index(whole)
    mask = ops.index(CELLS - 1)
    return cell & mask, (cell + ops.index(1)) & mask
