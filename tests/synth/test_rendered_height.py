"""From rendered photographs to a height, against the height that was rendered."""

from __future__ import annotations

import numpy as np
import pytest
from synth_scenes import matt_scene, needs_mitsuba, relief

from mvps.stereo import solve
from mvps.surface import integrate, perspective_slopes
from mvps.synth.mesh import Mesh
from mvps.synth.renderer import Renderer
from mvps.synth.sensor import Sensor, expose, exposure_for
from mvps.synth.shapes import sphere_cap
from mvps.synth.views import five_views, ring

LIMIT = 0.002  # root mean square error over the range of the height: the requirement


@pytest.fixture(scope="module", autouse=True)
def _renders() -> None:
    needs_mitsuba()


@pytest.mark.parametrize("shape", ["waves", "cap"])
def test_the_height_of_a_smooth_surface_comes_back_but_for_one_offset(shape: str) -> None:
    part: Mesh = relief() if shape == "waves" else sphere_cap(12.0, 5.0)
    renderer = Renderer(matt_scene(part))
    view = five_views(10.0, (256, 256), lights=ring(6, 30.0), centre_height_mm=1.0)[0]
    truth = renderer.truth(view)
    stack = renderer.light_images(view)
    sensor = Sensor(bits=16, exposure=exposure_for(stack, 0.9, 100.0))
    solution = solve(np.stack([expose(image, sensor) for image in stack]), view.lights)
    inside = solution.valid & truth.part & ~truth.shadow.any(axis=0)
    slopes = perspective_slopes(solution.normals, view.camera, inside)
    surface = integrate(slopes, "sparse")
    known = inside & np.isfinite(surface.height) & np.isfinite(truth.depth)
    assert known.sum() > 0.3 * truth.part.sum() > 5000
    # A perspective height is -focal ln(Z / Z0): what is free is one factor of the depth.
    relative = np.exp(-surface.height[known].astype(np.float64) / slopes.focal)
    depth = truth.depth[known].astype(np.float64)
    found = relative * (depth @ relative) / (relative @ relative)
    error = np.sqrt(np.mean((found - depth) ** 2))
    assert error < LIMIT * np.ptp(depth), error / np.ptp(depth)
