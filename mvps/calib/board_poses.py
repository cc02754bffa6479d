"""Poses as (3, 4) matrices [R t], many at a time: X' = R X + t, mm (Rodrigues' formula)."""

from __future__ import annotations

import numpy as np

from mvps.calib.camera import Array

IDENTITY = np.eye(3, 4)
IDENTITY.setflags(write=False)


def rotation(vector: Array) -> Array:
    """(..., 3, 3) rotation by rotation vectors (..., 3) in rad."""
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    by = cross(vector)
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    return np.asarray(np.eye(3) + first * by + second * (by @ by), dtype=np.float64)


def cross(vectors: Array) -> Array:
    """(..., 3, 3) matrices of the cross product with vectors (..., 3)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*vectors.shape, 3)


def placed(pose: Array, points: Array) -> Array:
    """(n, 3) points moved by one pose (3, 4), or each by its own (n, 3, 4)."""
    moved = (pose[..., :3] @ points[..., None])[..., 0] + pose[..., 3]
    return np.asarray(moved, dtype=np.float64)


def turned(poses: Array, steps: Array) -> Array:
    """Poses (n, 3, 4) after small steps (n, 6): turned about their origin, then shifted."""
    out = np.empty_like(poses)
    out[..., :3] = rotation(steps[..., :3]) @ poses[..., :3]
    out[..., 3] = poses[..., 3] + steps[..., 3:]
    return out


def compose(second: Array, first: Array) -> Array:
    """(..., 3, 4) pose that moves by ``first``, then by ``second``."""
    out = second[..., :3] @ first
    out[..., 3] += second[..., 3]
    return np.asarray(out, dtype=np.float64)


def inverse(pose: Array) -> Array:
    """(..., 3, 4) pose that moves back."""
    back = np.swapaxes(pose[..., :3], -1, -2)
    return np.concatenate([back, -(back @ pose[..., 3:])], -1)


def angle(rotations: Array) -> Array:
    """(...) angle of rotations (..., 3, 3), degrees, exact also where it is small."""
    skew = rotations - np.swapaxes(rotations, -1, -2)
    sine = np.linalg.norm(skew, axis=(-2, -1)) / np.sqrt(8)
    cosine = (np.trace(rotations, axis1=-2, axis2=-1) - 1) / 2
    return np.asarray(np.degrees(np.arctan2(sine, cosine)), dtype=np.float64)


def nearest_rotation(matrix: Array) -> Array:
    """(3, 3) rotation nearest to one that has drifted off by rounding."""
    u, _, vt = np.linalg.svd(matrix)
    return np.asarray(u @ vt, dtype=np.float64)
