"""Calibration of one camera from exact and noisy corners: truth, deviations, warnings, refusals."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from rendered_boards import Lens, board_poses, distances, lens, seen_views

from mvps.calib import board_adjust
from mvps.calib.board import Corners, make_board
from mvps.calib.board_adjust import Bundle, Seen
from mvps.calib.board_checks import check_calibration
from mvps.calib.board_poses import rotation, turned
from mvps.calib.board_solve import Model, View, calibrate
from mvps.errors import InputError

BOARD = make_board("charuco", 9, 7, 10.0)
NOISE = 0.1  # px


def truth(camera: Lens, model: Model) -> np.ndarray:
    """True values of the free parameters, in the order of ``model.names()``."""
    K, d = camera.matrix, camera.distortion
    names = dict(zip(("k1", "k2", "p1", "p2", "k3"), d, strict=True))
    names |= {"f": K[0, 0], "fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2]}
    return np.array([names.get(name, 0.0) for name in model.names()])


def table(calibration: object) -> np.ndarray:
    """(n, 2) values and deviations."""
    return np.array(list(calibration.parameters().values()))  # type: ignore[attr-defined]


@pytest.mark.parametrize("degrees", [12, 60])
@pytest.mark.parametrize("coefficients", [2, 4, 5])
def test_exact_corners_give_the_exact_camera(degrees: float, coefficients: int) -> None:
    terms = (-0.12, 0.05, 0.001, -0.0005, 0.02)[:coefficients]
    camera = lens(degrees, coefficients=terms)
    poses = board_poses(BOARD, camera)
    found = calibrate(BOARD, seen_views(BOARD, camera, poses), camera.size, Model(coefficients))
    wanted = truth(camera, found.model)
    assert np.abs(table(found)[:4, 0] / wanted[:4] - 1).max() < 1e-6
    assert np.abs(table(found)[4:6, 0] - wanted[4:6]).max() < 1e-4
    assert np.abs(np.array(found.distances())[:, 0] / distances(BOARD, poses) - 1).max() < 1e-6
    assert found.rms() < 1e-5 and found.held_out is not None and found.held_out < 1e-5


def test_all_twelve_coefficients_can_be_freed_and_none() -> None:
    camera = lens(75, size=(1600, 1200))
    views = seen_views(BOARD, camera, board_poses(BOARD, camera, count=24, fill=0.95))
    with_none = calibrate(BOARD, views, camera.size, Model(0))
    with_two = calibrate(BOARD, views, camera.size, Model(2))
    assert not with_none.lens[4:].any()
    assert with_none.rms() > 100 * with_two.rms()
    rng = np.random.default_rng(1)
    noisy = seen_views(BOARD, camera, board_poses(BOARD, camera, count=24, fill=0.95), 0.1, rng)
    assert len(calibrate(BOARD, noisy, camera.size, Model(5)).parameters()) == 9
    with pytest.raises(InputError, match="--coefficients: 3 is not one of 0, 2, 4, 5, 8, 12"):
        Model(3)


def test_what_is_fixed_stays() -> None:
    camera = lens(40, centre=(0.0, 0.0))
    views = seen_views(BOARD, camera, board_poses(BOARD, camera), NOISE, np.random.default_rng(2))
    found = calibrate(BOARD, views, camera.size, Model(2, True, True))
    assert list(found.parameters()) == ["f", "k1", "k2"]
    assert found.lens[0] == found.lens[1]
    assert found.lens[2:4].tolist() == [479.5, 359.5]
    assert abs(found.lens[0] / camera.matrix[0, 0] - 1) < 3 * 0.0005


def test_the_minimum_and_the_deviations_are_opencvs() -> None:
    """OpenCV 5.0 and mvps agree on this; in OpenCV the deviations have been wrong before."""
    camera = lens(60)
    views = seen_views(BOARD, camera, board_poses(BOARD, camera), NOISE, np.random.default_rng(3))
    found = calibrate(BOARD, views, camera.size, Model(5), hold_out=False)
    points = BOARD.points().astype(np.float32)
    rms, K, d, _, _, deviations, _, errors = cv2.calibrateCameraExtended(
        [points[view.corners.ids] for view in views],
        [view.corners.pixels.astype(np.float32) for view in views],
        camera.size, None, None,
        criteria=(cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 500, 1e-15),
    )  # fmt: skip
    assert found.rms() == pytest.approx(rms, rel=1e-4)
    assert found.view_rms() == pytest.approx(errors.ravel(), rel=1e-2)
    opencv = np.array([K[0, 0], K[1, 1], K[0, 2], K[1, 2], *d.ravel()[:5]])
    ours = table(found)
    assert (np.abs(ours[:, 0] - opencv) < 0.02 * ours[:, 1]).all()
    np.testing.assert_allclose(ours[:, 1], deviations.ravel()[:9], rtol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("degrees", [60, 12])
def test_deviations_cover_the_truth_at_their_stated_rate(degrees: float) -> None:
    """100 trials, 12 views, 0.1 px: 68.3% within one deviation and 95.4% within two.

    Bounds are three binomial deviations for each of 21 quantities: 9 parameters and the distance in
    each of 12 views.
    """
    camera = lens(degrees)
    poses = board_poses(BOARD, camera)
    model = Model(5)
    rng = np.random.default_rng(11)
    clean = seen_views(BOARD, camera, poses)
    wanted = np.concatenate([truth(camera, model), distances(BOARD, poses)])
    scores = np.empty((100, len(wanted)))
    for row in scores:
        views = [
            View(
                v.name,
                Corners(
                    v.corners.ids, v.corners.pixels + rng.normal(0, NOISE, v.corners.pixels.shape)
                ),
            )
            for v in clean
        ]
        found = calibrate(BOARD, views, camera.size, model, hold_out=False)
        figures = np.concatenate([table(found), np.array(found.distances())])
        row[:] = (figures[:, 0] - wanted) / figures[:, 1]
    for times, rate in ((1, 0.6827), (2, 0.9545)):
        covered = (np.abs(scores) < times).mean(0)
        bound = 3 * np.sqrt(rate * (1 - rate) / len(scores))
        assert (np.abs(covered - rate) < bound).all(), covered
        # Over all quantities together, which are correlated, the rate must be nearer.
        assert abs(covered.mean() - rate) < bound / 2


def test_derivatives_are_those_of_the_prediction() -> None:
    """Against central differences: lens, mount and board of the second of two cameras."""
    rng = np.random.default_rng(4)
    row = [900, 910, 480, 350, -0.1, 0.05, 1e-3, 2e-3, 0.01, 0.02, -0.01, 3e-3, 1e-3, 2e-3, -1e-3]
    lenses = np.array([[*row, 3e-3]] * 2)
    mounts = turned(np.array([np.eye(3, 4)] * 2), np.array([[0.0] * 6, [0.1, 0.3, 0.2, 10, 2, 5]]))
    steps = rng.normal(0, 1, (3, 6)) * [0.4, 0.4, 0.4, 9, 9, 9] + [0, 0, 0, 0, 0, 120]
    boards = turned(np.array([np.eye(3, 4)] * 3), steps)
    points = np.tile(BOARD.points(), (3, 1))
    seen = [Seen(points, np.zeros((len(points), 2)), np.repeat(np.arange(3), 48))] * 2

    def predicted(step: np.ndarray) -> np.ndarray:
        moves = np.zeros((2, 6))
        moves[1] = step[16:22]
        moved = Bundle(lenses + step[:16], turned(mounts, moves), turned(boards, step[None, 22:]))
        return -board_adjust._residuals(moved, seen)[1]

    by_camera, by_board = board_adjust._derivatives(
        Bundle(lenses, mounts, boards), 1, seen[1], np.eye(16)
    )
    derivatives = np.concatenate([by_camera, by_board], -1)
    for k in range(28):
        step = np.zeros(28)
        step[k] = 1e-4 if k < 4 else 1e-6
        difference = (predicted(step) - predicted(-step)) / (2 * step[k])
        scale = np.abs(derivatives[..., k]).max()
        np.testing.assert_allclose(derivatives[..., k], difference, rtol=0, atol=1e-6 * scale)


def test_views_left_out_are_predicted_nearly_as_well_as_those_used() -> None:
    camera = lens(60)
    views = seen_views(BOARD, camera, board_poses(BOARD, camera), NOISE, np.random.default_rng(12))
    found = calibrate(BOARD, views, camera.size, Model(5))
    assert found.held_out is not None and found.rms() < found.held_out < 1.05 * found.rms()
    assert found.noise == pytest.approx(NOISE, rel=0.05)
    assert calibrate(BOARD, views[:3], camera.size, Model(2)).held_out is None


@pytest.mark.parametrize(
    ("tilt", "count", "percent"),
    [
        (5, 12, 0.29), (10, 12, 0.097), (20, 12, 0.044), (30, 12, 0.031), (40, 12, 0.026),
        (30, 4, 0.060), (30, 6, 0.042), (30, 24, 0.023), (30, 48, 0.016),
    ],
)  # fmt: skip
def test_tilt_and_number_of_views_make_the_focal_length_known(
    tilt: float, count: int, percent: float
) -> None:
    """Stated deviations of fx in percent at 25 degrees, 1920x1440, 0.1 px, 11x8 squares."""
    board = make_board("charuco", 11, 8, 10.0)
    camera = lens(25, size=(1920, 1440))
    poses = board_poses(board, camera, count=count, fill=0.7, tilts=(tilt, tilt))
    views = seen_views(board, camera, poses, NOISE, np.random.default_rng(13))
    found = calibrate(board, views, camera.size, Model(5), hold_out=False)
    value, deviation = found.parameters()["fx"]
    assert 100 * deviation / value == pytest.approx(percent, rel=0.1)


def test_a_single_view_or_two_are_refused() -> None:
    camera = lens(40)
    views = seen_views(BOARD, camera, board_poses(BOARD, camera))
    for count in (0, 1, 2):
        with pytest.raises(InputError, match=rf"in {count} views?, 3 are needed; photograph"):
            calibrate(BOARD, views[:count], camera.size)


def test_boards_that_are_all_parallel_do_not_determine_a_camera() -> None:
    camera = lens(40)
    poses = [(np.eye(3), np.array([-45.0 + k, -35.0, 150.0 + 10 * k])) for k in range(8)]
    views = seen_views(BOARD, camera, poses, 1e-6, np.random.default_rng(5))
    with pytest.raises(InputError, match="do not determine the camera; photograph the board tilt"):
        calibrate(BOARD, views, camera.size)


def test_corners_that_are_no_board_end_in_a_warning_or_one_line() -> None:
    """Random px, corners in the wrong order, a mirrored board: never a traceback."""
    rng = np.random.default_rng(14)
    camera = lens(40)
    good = seen_views(BOARD, camera, board_poses(BOARD, camera), NOISE, rng)
    bad = {
        "random": lambda pixels: rng.uniform(0, 700, pixels.shape),
        "shuffled": rng.permutation,
        "mirrored": lambda pixels: pixels * [-1, 1] + [960, 0],
        "one point": lambda pixels: np.full_like(pixels, 300.0),
    }
    for name, spoil in bad.items():
        views = [
            replace(view, corners=replace(view.corners, pixels=spoil(view.corners.pixels)))
            for view in good
        ]
        try:
            found = check_calibration(calibrate(BOARD, views, camera.size, Model(5)))
        except InputError as error:
            assert "do not determine the camera" in str(error)
        else:
            assert found, name


def codes(camera: Lens, views: tuple[View, ...], coefficients: int = 2) -> set[str]:
    found = check_calibration(calibrate(BOARD, views, camera.size, Model(coefficients)))
    assert all(finding.level == "warning" for finding in found)
    return {finding.code for finding in found}


def test_good_views_draw_no_warning() -> None:
    camera = lens(40)
    rng = np.random.default_rng(6)
    assert codes(camera, seen_views(BOARD, camera, board_poses(BOARD, camera), NOISE, rng)) == set()


def test_poor_views_are_named() -> None:
    camera = lens(40)
    poses = board_poses(BOARD, camera)
    views = seen_views(BOARD, camera, poses, NOISE, np.random.default_rng(7))
    assert codes(camera, views[:5]) >= {"few-views"}
    flat = [(rotation(np.array([0.02 * k, 0.1 - 0.02 * k, 0])), poses[k][1]) for k in range(12)]
    near = seen_views(BOARD, camera, flat, NOISE, np.random.default_rng(8))
    assert codes(camera, near) >= {"parallel-views", "large-deviation"}
    small = [(R, t + (R @ BOARD.middle() + t) * [2.0, 2.0, 3.0]) for R, t in poses]
    assert "poor-coverage" in codes(camera, seen_views(BOARD, camera, small))
    blurred = replace(
        views[4],
        corners=replace(
            views[4].corners,
            pixels=views[4].corners.pixels
            + np.random.default_rng(9).normal(0, 1, views[4].corners.pixels.shape),
        ),
    )
    assert "bad-view" in codes(camera, (*views[:4], blurred, *views[5:]))


def test_too_many_coefficients_for_few_views_are_noticed() -> None:
    camera = lens(25)
    views = seen_views(BOARD, camera, board_poses(BOARD, camera), NOISE, np.random.default_rng(10))
    try:
        found = codes(camera, views[:4], coefficients=8)
    except InputError as error:
        assert "--coefficients" in str(error)
    else:
        assert found & {"ill-conditioned", "overfit", "large-deviation"}
