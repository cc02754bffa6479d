"""Real photographs, from files to maps, against published figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scenes import degrees_between

from mvps.capture import Overrides
from mvps.images.maps import read_normals
from mvps.pipeline.options import RunOptions
from mvps.pipeline.plan import make_plan
from mvps.pipeline.run import run_plan
from mvps.stereo import get_backend

pytestmark = pytest.mark.data


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize(
    ("grey", "degrees"),
    # 4.10 is published for least squares; without the clamp of rgb2gray it is 4.175.
    [("matlab", 4.096), ("luminance", 4.175)],
)
def test_the_ball_has_its_published_error(
    tmp_path: Path, test_data: Callable[[str], Path], device: str, grey: str, degrees: float
) -> None:
    ball = test_data("diligent_ball")
    options = RunOptions(grey=grey, device=device, encoding="f32")
    plan = make_plan(ball, tmp_path, Overrides(), options)

    (result,) = run_plan(plan, get_backend(device), lambda pixels: None, debug=True)

    normals, valid = read_normals(tmp_path / "normals.tif")
    truth = np.load(ball / "normal_gt.npy")
    assert result.valid == 15791
    assert degrees_between(normals, truth)[valid].mean() == pytest.approx(degrees, abs=0.002)
    if grey == "matlab":
        benchmark = np.load(ball / "normal_l2_benchmark.npy")
        assert degrees_between(normals, benchmark)[valid].max() < 0.002
