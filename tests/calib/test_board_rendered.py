"""Calibration from rendered ChArUco photographs: 12 views, fields of view of 60 and 12 degrees."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from rendered_boards import Lens, Pose, board_poses, distances, lens, rendered

from mvps.calib.board import find_corners, make_board
from mvps.calib.board_solve import Calibration, Model, View, calibrate

BOARD = make_board("charuco", 15, 11, 8.0)
SIZE = (1920, 1440)
NOISE, TRIALS = 0.1, 20  # px

pytestmark = pytest.mark.slow


@cache
def scene(degrees: float) -> tuple[Lens, tuple[Pose, ...], tuple[View, ...]]:
    """Camera, poses, and what was found in 8-bit photographs without noise."""
    camera = lens(degrees, SIZE)
    poses = tuple(board_poses(BOARD, camera))
    views = []
    for k, pose in enumerate(poses):
        corners = find_corners(BOARD, np.rint(rendered(BOARD, camera, pose)).astype(np.uint8))
        assert corners is not None
        views.append(View(f"v{k}", corners))
    return camera, poses, tuple(views)


@cache
def noisy(degrees: float) -> tuple[Calibration, ...]:
    """Calibrations after 0.1 px of noise on every coordinate of every corner found."""
    camera, _, views = scene(degrees)
    rng = np.random.default_rng(21)
    trials = []
    for _ in range(TRIALS):
        moved = [
            replace(
                view,
                corners=replace(
                    view.corners,
                    pixels=view.corners.pixels + rng.normal(0, NOISE, view.corners.pixels.shape),
                ),
            )
            for view in views
        ]
        trials.append(calibrate(BOARD, moved, camera.size, Model(5), hold_out=False))
    return tuple(trials)


def focal_errors(camera: Lens, found: Calibration) -> np.ndarray:
    """Relative errors of fx and fy."""
    return found.lens[:2] / np.diagonal(camera.matrix)[:2] - 1


def focal_deviation(found: Calibration) -> float:
    """Relative standard deviation of fx."""
    value, deviation = found.parameters()["fx"]
    return deviation / value


def distance_errors(degrees: float, found: Calibration) -> np.ndarray:
    """Relative errors of the distance in each view."""
    _, poses, _ = scene(degrees)
    return np.array(found.distances())[:, 0] / distances(BOARD, poses) - 1


@pytest.mark.parametrize(("degrees", "bound"), [(60, 2e-5), (12, 1e-4)])
def test_photographs_without_noise_give_the_focal_length(degrees: float, bound: float) -> None:
    """Measured: 0.0003% at 60 degrees and 0.0045% at 12; 0.02% is asked for at 60."""
    camera, _, views = scene(degrees)
    found = calibrate(BOARD, views, camera.size, Model(5))
    assert np.abs(focal_errors(camera, found)).max() < bound
    assert found.rms() < 0.01
    assert np.abs(distance_errors(degrees, found)).max() < bound


def test_with_noise_at_60_degrees_the_focal_length_is_right_to_a_fiftieth_of_a_percent() -> None:
    """Measured: RMS of 0.0066% over 20 trials, 0.014% at most; stated deviation 0.0078%."""
    camera, _, _ = scene(60)
    errors = np.array([focal_errors(camera, found) for found in noisy(60)])
    assert np.sqrt((errors**2).mean()) < 1e-4
    assert np.abs(errors).max() < 2e-4


@pytest.mark.parametrize("degrees", [60, 12])
def test_the_focal_lengths_deviation_is_stated_honestly(degrees: float) -> None:
    """Errors over stated deviations have a mean square of 1 within three of its own deviations."""
    camera, _, _ = scene(degrees)
    scores = np.array(
        [focal_errors(camera, found)[0] / focal_deviation(found) for found in noisy(degrees)]
    )
    assert abs((scores**2).mean() - 1) < 3 * np.sqrt(2 / TRIALS)
    assert np.abs(scores).max() < 4


@pytest.mark.parametrize("degrees", [60, 12])
def test_the_distance_is_right_within_the_focal_error_times_the_distance(degrees: float) -> None:
    """Measured, RMS over trials and views: 0.0072% for a focal error of 0.0066% at 60 degrees,
    0.038% for 0.036% at 12; the pose of each view adds the difference.
    """
    camera, _, _ = scene(degrees)
    focal = np.array([focal_errors(camera, found) for found in noisy(degrees)])
    errors = np.array([distance_errors(degrees, found) for found in noisy(degrees)])
    assert np.sqrt((errors**2).mean()) < 1.15 * np.sqrt((focal**2).mean())
    stated = np.array([focal_deviation(found) for found in noisy(degrees)])
    assert (np.abs(errors).max(1) < 3 * stated).all()
