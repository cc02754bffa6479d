"""Captures for the kernel tests, with every kind of pixel that a kernel must tell apart."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from mvps.lights import LightRig
from mvps.stereo.problem import Problem, prepare
from mvps.stereo.reference import ReferenceBackend
from mvps.stereo.solution import Solution, StripOut

GUARD = 64  # bytes before and after every output
GUARD_BYTE = 0xA5
POISON_BYTE = 0xFF  # NaN as float32, and no value that valid (0, 1) or used (0..128) may take
WHITE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
# Measured: 3e-7 with every light, 7e-5 where limits leave three lights that nearly share a plane.
TOLERANCE = 2e-6
TOLERANCE_WITHIN_LIMITS = 1e-4
MODES = ("grey", "rgb", "matlab", "channels")


@dataclass(frozen=True)
class Case:
    """One strip of K lights and N pixels: samples are (K, N[, 3]), the mask is (N,)."""

    rig: LightRig
    problem: Problem
    samples: np.ndarray
    mask: np.ndarray

    def part(self, start: int, stop: int) -> Case:
        """Some of the pixels, as views."""
        return replace(self, samples=self.samples[:, start:stop], mask=self.mask[start:stop])

    @property
    def tolerance(self) -> float:
        """Largest difference from float64 that float32 arithmetic explains."""
        return TOLERANCE_WITHIN_LIMITS if self.problem.has_limits else TOLERANCE

    @property
    def columns(self) -> int:
        return 3 if self.problem.mode == "channels" else 1


def make_case(
    dtype: str, mode: str, *, limits: bool = False, lights: int = 12, pixels: int = 1000
) -> Case:
    """A Lambertian strip with noise, shadows, highlights, black pixels and absurd floats.

    The mode ``rgb`` is the luminance of three channels, ``matlab`` the same with its clamp at 1.
    """
    rng = np.random.default_rng([lights, pixels, MODES.index(mode), limits])
    channels = 1 if mode == "grey" else 3
    rig = _rig(rng, lights, channels)
    white = WHITE[dtype]
    shading = _normals(rng, pixels) @ rig.directions.T
    albedo = rng.uniform(0.2, 0.9, (pixels, channels))
    intensity = rig.intensities.reshape(lights, 1, -1)
    light = np.maximum(shading, 0.0).T[:, :, None] * albedo * intensity
    light += rng.normal(0.0, 0.004, light.shape)
    light[rng.random((lights, pixels)) < 0.05] = 0.0  # cast shadows
    light[rng.random(light.shape) < 0.01] = 1.0  # highlights, each in one channel
    light[:, :: pixels // 7 + 1] = 0.0  # black everywhere: no direction
    light[2:, 3 :: pixels // 5 + 1] = 0.0  # two lights alone: too few within limits
    light[3:, 5 :: pixels // 9 + 1] = 0.0  # three in one plane: no direction within limits
    samples = np.clip(light, 0.0, 1.0) * white
    samples = samples.astype(dtype) if dtype == "float32" else np.rint(samples).astype(dtype)
    mask = (rng.random(pixels) < 0.9).astype(np.uint8)
    if dtype == "float32":
        odd = np.array([11, 17, 23, 29]) % pixels
        samples[[2, 0, 1, 2], odd] = np.reshape([np.nan, np.inf, -np.inf, 3e38], (4, 1))
        mask[odd] = 1
    problem = prepare(
        rig,
        channels=channels,
        dtype=np.dtype(dtype),
        white=white,
        grey="luminance" if mode == "rgb" or channels == 1 else mode,
        low=0.05 * white if limits else None,
        high=0.85 * white if limits else None,
    )
    shape = (lights, pixels) if channels == 1 else (lights, pixels, channels)
    return Case(rig, problem, np.ascontiguousarray(samples).reshape(shape), mask)


def outputs(case: Case, *, full: bool) -> StripOut:
    """Poisoned outputs for a case, each between two guards of its own."""
    count = case.samples.shape[1]
    albedo = (count, 3) if case.columns == 3 else (count,)
    return StripOut(
        normals=_guarded((count, 3), np.float32),
        albedo=_guarded(albedo, np.float32),
        valid=_guarded((count,), np.uint8),
        residual=_guarded((count,), np.float32) if full else None,
        used=_guarded((count,), np.uint8) if full else None,
    )


def guards_untouched(out: StripOut) -> bool:
    """Whether every byte around every output is what it was."""
    return all(
        (np.concatenate((block[:GUARD], block[-GUARD:])) == GUARD_BYTE).all()
        for block in (_block(array) for array in arrays(out).values())
    )


def arrays(out: StripOut | Solution) -> dict[str, Any]:
    """The outputs that are there, by name."""
    pairs = ((field.name, getattr(out, field.name)) for field in fields(out))
    return {name: array for name, array in pairs if array is not None}


def _rig(rng: np.random.Generator, lights: int, channels: int) -> LightRig:
    """Lights on three rings, 20 to 55 degrees from the axis, with unequal intensities.

    Of many lights the first three lie in the plane z = x + y: only the last pivot of L'L shows it.
    """
    azimuth = 2.0 * np.pi * (np.arange(lights) + rng.uniform(0.0, 0.3, lights)) / lights
    polar = np.radians(np.resize([20.0, 40.0, 55.0], lights))
    directions = np.stack(
        [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], axis=1
    )
    if lights > 5:
        directions[:3] = [[1, 0, 1], [0, 1, 1], [1, 1, 2]] / np.sqrt([[2], [2], [6]])
    shape = (lights,) if channels == 1 else (lights, 3)
    return LightRig(directions, rng.uniform(0.7, 1.0, shape))


def _normals(rng: np.random.Generator, count: int) -> np.ndarray:
    normals = rng.normal((0.0, 0.0, 1.0), 0.4, (count, 3))
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _guarded(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    block = np.full(size + 2 * GUARD, GUARD_BYTE, np.uint8)
    block[GUARD : GUARD + size] = POISON_BYTE
    return block[GUARD : GUARD + size].view(dtype).reshape(shape)


def _block(array: np.ndarray) -> np.ndarray:
    """The block that a guarded array is cut from."""
    while array.base is not None:
        array = array.base
    return array


def solve_reference(case: Case, *, full: bool, mask: np.ndarray | None) -> StripOut:
    """What the float64 definition gives for a case."""
    out = outputs(case, full=full)
    ReferenceBackend().solve_strip(case.problem, case.samples, mask, out)
    return out


def assert_same(out: StripOut, expected: StripOut, tolerance: float = TOLERANCE) -> None:
    """The same pixels are valid and carry the same numbers; all others are zero everywhere."""
    assert np.array_equal(out.valid, expected.valid)
    for name, array in arrays(out).items():
        exact = array.dtype == np.uint8
        wanted = getattr(expected, name)
        atol = 0.0 if exact else tolerance
        np.testing.assert_allclose(array, wanted, rtol=0.0, atol=atol, err_msg=name)
        assert not array[out.valid == 0].any(), name
