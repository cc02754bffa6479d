"""Strips under near lamps for the kernel tests, with every kind of pixel to tell apart."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from cases import outputs
from near_scenes import camera, lamps, sight, sphere_scene

from mvps.stereo.near import ReferenceNear
from mvps.stereo.near_problem import NearProblem, NearStrip, prepare_near
from mvps.stereo.near_view import NearView
from mvps.stereo.noise import Noise
from mvps.stereo.solution import StripOut
from mvps.stereo.solvers import Solver

SIZE = (75, 40)  # no multiple of any vector
WHITE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
SIGHTS = ("pinhole", "distorted", "parallel")


@dataclass(frozen=True)
class NearCase:
    """Samples (K, N[, 3]) of whole rows from ``y0`` on, and what the kernels are asked."""

    problem: NearProblem
    view: NearView
    y0: int
    samples: np.ndarray
    mask: np.ndarray
    depth: np.ndarray
    columns = 1  # albedo values of a pixel

    def reference(self, out: StripOut, *, given: bool) -> StripOut:
        """Fill ``out`` with what the definition says."""
        ReferenceNear().solve_rows(self.problem, self.view, self.strip(given=given), out)
        return out

    def strip(self, *, given: bool) -> NearStrip:
        """What a solver reads."""
        return NearStrip(self.y0, self.samples, self.mask, self.depth if given else None)


def make_case(
    dtype: str = "uint8", look: str = "pinhole", *, solver: str = "ls", mu: float | None = 1.7,
    channels: int = 1, lights: int = 8, limits: bool = False,
) -> NearCase:  # fmt: skip
    """A ball with noise, cast shadows, highlights, black and absurd samples, and holes."""
    rng = np.random.default_rng([lights, len(dtype), SIGHTS.index(look), channels])
    view = sight(SIZE, perspective=look != "parallel")
    if look == "distorted":
        view = replace(view, camera=camera(SIZE, distortion=-0.4))
    scene = sphere_scene(view, lamps(lights, mu=mu), radius=12.0, cap=50.0)
    light = scene.images(0.8, noise=0.004).reshape(lights, -1, 1)
    light = np.repeat(light, channels, axis=2) * rng.uniform(0.7, 1, (1, 1, channels))
    count = light.shape[1]
    light[rng.random((lights, count)) < 0.03] = 0.0  # cast shadows
    light[rng.random(light.shape) < 0.01] = 1.0  # highlights
    light[:, 5::97] = 0.0
    light[2:, 7::89] = 0.0  # two lamps alone: too few without shadows
    samples = np.clip(light, 0, 1) * WHITE[dtype]
    samples = samples.astype(dtype) if dtype == "float32" else np.rint(samples).astype(dtype)
    if dtype == "float32":
        samples[[2, 0, 1, 2], [1301, 1302, 1303, 1304], 0] = [np.nan, np.inf, -np.inf, 3e38]
    problem = prepare_near(
        scene.rig, view, channels=channels, dtype=dtype, white=WHITE[dtype],
        low=0.01 * WHITE[dtype] if limits else None, solver=Solver(solver),
    )  # fmt: skip
    noise = Noise(2e-5, 1e-5, "stated")
    problem = replace(problem, distant=replace(problem.distant, noise=noise))
    y0, width = 3, SIZE[0]
    depth = np.where(np.isfinite(scene.depth), scene.depth, 300.0).ravel()
    depth[::61] = np.nan
    mask = (rng.random(count) < 0.9).astype(np.uint8)
    kept = slice(y0 * width, None)
    samples = samples[:, kept] if channels > 1 else samples[:, kept, 0]
    return NearCase(problem, view, y0, np.ascontiguousarray(samples), mask[kept], depth[kept])


def poisoned(case: NearCase, *, examined: bool = False) -> StripOut:
    """Results between guards in which nothing holds what a solver may leave."""
    out = outputs(case, full=True)
    if case.problem.gated:
        out = replace(out, fallback=outputs(case, full=True).valid)
    if not examined:
        return out
    more, rest = outputs(case, full=True), outputs(case, full=True)
    return replace(
        out, condition=more.residual, deviation=rest.residual, saturated=more.used,
        shadowed=rest.used,
    )  # fmt: skip
