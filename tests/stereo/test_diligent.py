"""96 real photographs of a ball against their ground truth and the benchmark's own result."""

from __future__ import annotations

import numpy as np
import pytest
from rendered import degrees_between

from mvps.lights import LightRig
from mvps.stereo import solve

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def ball(test_data):
    import cv2

    folder = test_data("diligent_ball")
    names = (folder / "filenames.txt").read_text().split()
    bgr = [cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED) for name in names]
    rig = LightRig(
        np.loadtxt(folder / "light_directions.txt"), np.loadtxt(folder / "light_intensities.txt")
    )
    return {
        "images": np.stack(bgr)[..., ::-1],
        "lights": rig,
        "mask": cv2.imread(str(folder / "mask.png"), cv2.IMREAD_GRAYSCALE) > 0,
        "truth": np.load(folder / "normal_gt.npy"),
        "benchmark": np.load(folder / "normal_l2_benchmark.npy"),
    }


def solved(ball, **options):
    return solve(ball["images"], ball["lights"], mask=ball["mask"], **options)


def mean_error(ball, found) -> float:
    mask = ball["mask"]
    return float(degrees_between(found.normals[mask], ball["truth"][mask]).mean())


@pytest.mark.parametrize("device", ["reference", "cpu", "numpy"])
def test_the_mean_error_is_that_of_the_benchmark(ball, device):
    found = solved(ball, grey="matlab", device=device)
    assert found.valid.sum() == 15791
    assert mean_error(ball, found) == pytest.approx(4.096, abs=0.002)


@pytest.mark.parametrize("device", ["reference", "cpu", "numpy"])
def test_every_pixel_is_that_of_the_benchmark(ball, device):
    mask = ball["mask"]
    found = solved(ball, grey="matlab", device=device)
    # 0.00067 is what scaling the rounded directions of the file to unit length makes of 3e-6.
    assert degrees_between(found.normals[mask], ball["benchmark"][mask]).max() < 0.0008


@pytest.mark.parametrize("device", ["reference", "cpu"])
def test_without_the_clamp_highlights_cost_a_little(ball, device):
    assert mean_error(ball, solved(ball, device=device)) == pytest.approx(4.175, abs=0.002)


def test_leaving_out_shadows_and_highlights_helps(ball):
    # MATLAB's clamp does by hand what an upper limit does by rule.
    plain = mean_error(ball, solved(ball))
    found = solved(ball, low=0.01 * 65535, high=0.5 * 65535, quality=True)
    assert found.used[found.valid].min() >= 3
    assert mean_error(ball, found) < plain - 1
