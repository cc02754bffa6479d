"""Lambertian captures for the solver tests: a known surface under known lights, digitised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mvps.lights import LightRig
from mvps.stereo import Problem, StripOut, prepare

WHITE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
MODES = ("grey", "luminance", "matlab", "channels")


@dataclass(frozen=True)
class Capture:
    """Samples (K, N[, 3]) of a surface with known normals (N, 3), and the lights."""

    rig: LightRig
    samples: np.ndarray
    normals: np.ndarray
    albedo: np.ndarray  # (N, C)

    def problem(self, mode: str = "grey", **limits: float) -> Problem:
        """The problem for one of ``MODES``; limits in shares of full scale."""
        white = WHITE[self.samples.dtype.name]
        return prepare(
            self.rig,
            channels=1 if self.samples.ndim == 2 else 3,
            dtype=self.samples.dtype,
            white=white,
            grey="luminance" if mode == "grey" else mode,
            **{name: share * white for name, share in limits.items()},
        )


def make_rig(lights: int, channels: int, rng: np.random.Generator) -> LightRig:
    """Directions within 60 degrees of the axis, spread evenly in any order; unequal intensities."""
    turn = np.arange(lights) * 2.399963  # the golden angle: every few lights surround the axis
    height = np.linspace(0.92, 0.5, lights) if lights > 3 else np.full(lights, 0.6)
    radius = np.sqrt(1 - height**2)
    directions = np.stack([radius * np.cos(turn), radius * np.sin(turn), height], axis=1)
    shape = (lights,) if channels == 1 else (lights, 3)
    return LightRig(directions, rng.uniform(0.7, 1.3, shape))


def render(
    dtype: str = "uint8", channels: int = 1, lights: int = 8, pixels: int = 2011, seed: int = 0
) -> Capture:
    """A bumpy surface with attached shadows, noise of 0.2% and the quantisation of ``dtype``."""
    rng = np.random.default_rng([seed, lights, pixels, channels])
    rig = make_rig(lights, channels, rng)
    normals = rng.normal((0, 0, 1), 0.35, (pixels, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    albedo = rng.uniform(0.15, 0.75, (pixels, channels))
    shading = np.maximum(rig.directions @ normals.T, 0)
    light = shading[:, :, None] * albedo * rig.intensities.reshape(lights, 1, -1)
    light += rng.normal(0, 0.002, light.shape)
    raw = np.clip(light, 0, 1) * WHITE[dtype]
    samples = (raw if dtype == "float32" else np.rint(raw)).astype(dtype)
    return Capture(rig, samples[:, :, 0] if channels == 1 else samples, normals, albedo)


def poisoned(pixels: int, problem: Problem, quality: bool) -> StripOut:
    """Results in which no element holds anything that a solver may leave there."""
    out = StripOut.empty(pixels, problem, quality=quality)
    for name in ("normals", "albedo", "residual"):
        if (array := getattr(out, name)) is not None:
            array.fill(np.nan)
    for array in (out.valid, out.used):
        if array is not None:
            array.fill(0xEE)
    return out


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle between vectors (..., 3), exact near zero where an arc cosine is not."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    sine = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.degrees(np.arctan2(sine, (a * b).sum(axis=-1)))
