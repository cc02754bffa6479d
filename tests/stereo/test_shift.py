"""A part or camera that moved between two lights is found, to a fraction of a pixel."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mvps.capture import Overrides
from mvps.pipeline.lightpatches import read_patches
from mvps.pipeline.options import RunOptions
from mvps.pipeline.plan import make_plan
from mvps.stereo.sanity import Patch
from mvps.stereo.shift import measure_shifts

SAMPLE = Path(__file__).resolve().parents[2] / "examples/sample_capture"
VIEWS = ("top", "left", "right", "front", "back")


def view(name: str) -> tuple[Patch, np.ndarray]:
    plan = make_plan(SAMPLE, SAMPLE / "out", Overrides(), RunOptions())
    (planned,) = (p for p in plan.runnable if p.stack.name.endswith(name))
    (patch,) = read_patches(planned, plan.options)
    return patch, planned.stack.lights.directions


def moved(patch: Patch, lights: list[int], x: float, y: float) -> Patch:
    values = patch.values.copy()
    size = values.shape[:0:-1]
    for k in lights:
        matrix = np.array([[1, 0, x], [0, 1, y]])
        values[k] = cv2.warpAffine(values[k], matrix, size, flags=cv2.INTER_CUBIC)
    return Patch(values, patch.usable)


@pytest.mark.parametrize("name", VIEWS)
def test_a_still_capture_has_no_shift(name: str) -> None:
    patch, L = view(name)

    shifts = measure_shifts([patch], L)

    assert len(shifts) == 8
    assert max(shift.length for shift in shifts) < 0.05


@pytest.mark.parametrize("name", VIEWS)
@pytest.mark.parametrize("by", [(1.0, -2.5), (0.7, 0.0), (18.0, -7.0)])
def test_one_moved_image_is_found_within_a_fifth_of_a_pixel(
    name: str, by: tuple[float, float]
) -> None:
    patch, L = view(name)

    shifts = {s.light: s for s in measure_shifts([moved(patch, [3], *by)], L)}

    assert shifts[3].alarming
    assert shifts[3].since == "the others"
    assert np.hypot(shifts[3].x - by[0], shifts[3].y - by[1]) < 0.2


@pytest.mark.parametrize("name", VIEWS)
def test_a_part_that_moves_once_is_found_where_it_moved(name: str) -> None:
    patch, L = view(name)

    shifts = measure_shifts([moved(patch, [4, 5, 6, 7], 1.0, -2.5)], L)

    first = next(s for s in shifts if s.alarming and s.since == "those before")
    assert first.light == 4
    assert np.hypot(first.x - 1.0, first.y + 2.5) < 0.2


def test_three_lights_cannot_predict_each_other() -> None:
    patch, L = view("top")

    assert measure_shifts([Patch(patch.values[:3], patch.usable)], L[:3]) == ()
