"""Normal maps with a known bend: slopes over a field, and the normals that go with them."""

from __future__ import annotations

import numpy as np

LONG_SIDE = 2.0  # of the coordinates u and v, whose origin is the centre of the map


def field(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """u to the right and v up, in halves of the long side from the centre: each (H, W)."""
    y, x = np.mgrid[:height, :width]
    half = max(height, width) / LONG_SIDE
    return (x - (width - 1) / 2) / half, -(y - (height - 1) / 2) / half


def normals_of(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Unit normals (H, W, 3) float32 of a surface with slopes p = dz/dx and q = dz/dy."""
    p, q = np.broadcast_arrays(p, q)
    normals = np.stack([-p, -q, np.ones_like(p)], axis=-1).astype(np.float64)
    return (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32)


def linear(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of a field of 11 degrees that tilts by 3."""
    u, v = field(height, width)
    return 0.05 + 0.1 * u - 0.03 * v, -0.02 + 0.02 * u + 0.08 * v


def quadratic(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The linear field with a quadratic part; no surface has these slopes, as no rig promises."""
    u, v = field(height, width)
    p, q = linear(height, width)
    return p + 0.04 * u**2, q - 0.05 * u * v


def dome(height: int, width: int, radius: float, steepest: float = 0.5) -> tuple[np.ndarray, ...]:
    """Slopes of a round dome in the middle, level at its top and its rim."""
    y, x = np.mgrid[:height, :width]
    dx, dy = x - (width - 1) / 2, -(y - (height - 1) / 2)
    r = np.hypot(dx, dy)
    fall = np.where(r < radius, -steepest * np.sin(np.pi * r / radius), 0) / np.maximum(r, 1e-9)
    return fall * dx, fall * dy


def waves(height: int, width: int, pitch: int = 12) -> tuple[np.ndarray, ...]:
    """Slopes of waves of 17 degrees over all of a part."""
    y, x = np.mgrid[:height, :width]
    wave = 2 * np.pi / pitch
    return 0.3 * np.sin(wave * x), 0.3 * np.cos(wave * y)


def letters(height: int, width: int, count: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Slopes of bumps of 11 pixels and 31 degrees, scattered over a part."""
    rng = np.random.default_rng(seed)
    slopes = np.zeros((2, height, width))
    one = np.stack(dome(11, 11, 5.5, 0.6))
    for _ in range(count):
        y, x = rng.integers(0, height - 11), rng.integers(0, width - 11)
        slopes[:, y : y + 11, x : x + 11] = one
    return tuple(slopes)


def seen_by_near_lights(normals: np.ndarray, width_mm: float = 50.0) -> np.ndarray:
    """What least squares makes of a flat part when its near lights are taken for distant ones.

    Eight lamps 150 mm beside and 200 mm above the middle of a field of 50 mm, whose light falls off
    with the square of the distance; the directions are those at the middle.
    """
    height, width = normals.shape[:2]
    u, v = field(height, width)
    part = np.stack([u, v, np.zeros_like(u)], axis=-1) * width_mm / LONG_SIDE
    turn = np.arange(8) * np.pi / 4
    lamps = np.stack([150 * np.cos(turn), 150 * np.sin(turn), np.full(8, 200.0)], axis=1)
    rays = lamps[:, None, None, :] - part
    far = np.linalg.norm(rays, axis=-1, keepdims=True)
    seen = np.maximum(np.einsum("khwc,hwc->khw", rays / far**3, normals), 0)
    directions = lamps / np.linalg.norm(lamps, axis=1, keepdims=True)
    scaled = np.einsum("ck,khw->hwc", np.linalg.pinv(directions), seen)
    return (scaled / np.linalg.norm(scaled, axis=-1, keepdims=True)).astype(np.float32)
