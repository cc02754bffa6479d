"""The chrome balls of PSBox: directions against those that their author published.

PSBox, Copyright (c) 2014 Ying Xiong, MIT licence. Its method is orthographic: the median of all
pixels of at least 250 of 255, a circle by hand, n from the circle, l = 2 n_z n - z; coordinates
count from 1 at the bottom left. The published numbers are met to 1e-14 by `published_method`, so
that the expected directions are known wherever the photographs are.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mvps.lights.sphere import ProbeOptions, load_balls
from mvps.lights.sphere_ellipse import Ellipse, circle
from mvps.lights.sphere_rig import Probe, mirror_probe

pytestmark = pytest.mark.data

HEIGHTS = {1: 1000, 2: 950}
# The first, sixth and last light of LightProbe-1 and LightProbe-2, as published.
PUBLISHED = {
    1: {
        0: (-0.3543100589289266, 0.0699719179401377, 0.9325064679891282),
        5: (-0.2156814992720255, -0.1880193910084978, 0.9581911080137222),
        11: (-0.1315662894756958, -0.1934094741033434, 0.9722566979973271),
    },
    2: {
        0: (-0.3409936325768702, 0.0750832751263502, 0.9370623481595721),
        5: (-0.2197746241350046, -0.1663891891812150, 0.9612563405824355),
        11: (-0.1396504619647032, -0.1670140374399795, 0.9760143747768482),
    },
}


@pytest.fixture(scope="module")
def folder(test_data: Callable[[str], Path]) -> Path:
    return test_data("psbox_mit")


@pytest.fixture(scope="module")
def expected(folder: Path) -> np.ndarray:
    return np.stack([published_method(folder, probe) for probe in (1, 2)])


def published_method(folder: Path, probe: int) -> np.ndarray:
    """(12, 3) directions by the method of PSBox, written anew, without a line of mvps."""
    import cv2

    xc, yc, r = np.loadtxt(folder / f"LightProbe-{probe}" / "circle_data.txt")
    found = []
    for k in range(12):
        image = cv2.imread(str(folder / f"LightProbe-{probe}" / f"Image_{k + 1:02d}.JPG"))
        grey = np.rint(image @ [0.1140, 0.5870, 0.2989])[::-1]
        rows, columns = np.nonzero(grey >= 250)
        n = np.array([np.median(columns) + 1 - xc, np.median(rows) + 1 - yc, 0]) / r
        n[2] = np.sqrt(1 - n @ n)
        found.append(2 * n[2] * n - [0, 0, 1])
    return np.array(found)


def hand_circle(folder: Path, probe: int) -> Ellipse:
    """The shipped circle with pixel centres at integers from the top left."""
    xc, yc, r = np.loadtxt(folder / f"LightProbe-{probe}" / "circle_data.txt")
    return circle(xc - 1, HEIGHTS[probe] - yc, r)


def measured(folder: Path, given: list[Ellipse]) -> Probe:
    options = ProbeOptions()
    folders = [folder / "LightProbe-1", folder / "LightProbe-2"]
    return mirror_probe(load_balls(folders, given, options), options)


@pytest.fixture(scope="module")
def by_hand(folder: Path) -> Probe:
    return measured(folder, [hand_circle(folder, 1), hand_circle(folder, 2)])


def errors(probe: Probe, expected: np.ndarray) -> np.ndarray:
    """(2, 12) degrees."""
    found = np.stack([seen.directions for seen in probe.balls])
    return np.degrees(2 * np.arcsin(np.linalg.norm(found - expected, axis=-1) / 2))


def test_the_published_directions_are_those_of_the_published_method(expected: np.ndarray) -> None:
    for probe, rows in PUBLISHED.items():
        for k, direction in rows.items():
            assert expected[probe - 1, k] == pytest.approx(direction, abs=1e-13)


def test_the_probes_themselves_differ_by_a_degree(expected: np.ndarray) -> None:
    apart = np.degrees(2 * np.arcsin(np.linalg.norm(expected[0] - expected[1], axis=-1) / 2))

    assert apart.mean() == pytest.approx(0.95, abs=0.05)


def test_given_circles_lead_to_the_expected_directions(
    by_hand: Probe, expected: np.ndarray
) -> None:
    """Measured: mean 0.099 and 0.102, largest 0.189 and 0.193 degrees."""
    error = errors(by_hand, expected)

    assert error.max() < 0.5
    assert (error.mean(axis=1) < 0.15).all()


def test_outlines_found_without_help_do_too(folder: Path, expected: np.ndarray) -> None:
    """Measured: mean 0.152 and 0.129, largest 0.247 and 0.237 degrees; circles within 1.3 px."""
    probe = measured(folder, [])
    error = errors(probe, expected)

    assert error.max() < 0.5
    assert error.mean() < 0.15
    for i, seen in enumerate(probe.balls, start=1):
        drawn = hand_circle(folder, i)
        assert np.linalg.norm(seen.ball.outline.ellipse.centre - drawn.centre) < 1
        assert seen.ball.outline.ellipse.radius == pytest.approx(drawn.radius, abs=1.3)


def test_the_stars_of_scratched_balls_are_met_by_their_median(by_hand: Probe) -> None:
    methods = {spot.method for seen in by_hand.balls for spot in seen.highlights if spot}
    assert methods == {"median"}
    assert by_hand.rig is not None
    assert by_hand.rig.condition() == pytest.approx(4.3, abs=0.1)
    assert [f.code for f in by_hand.findings] == ["PARALLEL"]
