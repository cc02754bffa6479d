"""Cameras that see one board at one time, from exact and noisy corners."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rendered_boards import Pose, board_poses, lens, seen_views

from mvps.calib.board import make_board
from mvps.calib.board_adjust import Bundle, adjust
from mvps.calib.board_poses import IDENTITY, angle, compose, inverse, turned
from mvps.calib.board_rig import calibrate_rig, world_cameras
from mvps.calib.board_solve import Model, View, gathered
from mvps.calib.transforms import relative_pose
from mvps.errors import InputError

BOARD = make_board("charuco", 9, 7, 10.0)
CAMERA = lens(40)
POSES = board_poses(BOARD, CAMERA, fill=0.7)
MODEL = Model(2)
NOISE = 0.1  # px


def around(*turns: tuple[float, float, float]) -> np.ndarray:
    """Mounts of cameras on a sphere about the boards, all looking at its centre."""
    centre = np.array([0, 0, np.mean([(R @ BOARD.middle() + t)[2] for R, t in POSES])])
    mounts = turned(
        np.array([IDENTITY] * (len(turns) + 1)),
        np.array([[0.0] * 6, *[(*t, 0, 0, 0) for t in turns]]),
    )
    mounts[:, :, 3] = centre - mounts[:, :, :3] @ centre
    return mounts


MOUNTS = around((0.0, 0.4, 0.0), (0.3, -0.2, 0.1))


def rig_views(
    mounts: np.ndarray, noise: float = 0.0, rng: np.random.Generator | None = None
) -> dict[str, tuple[View, ...]]:
    """Views of each camera; the k-th has missed the k-th, as happens."""
    sets = {}
    for k, mount in enumerate(mounts):
        poses = [_split(compose(mount, np.column_stack(pose))) for pose in POSES]
        views = seen_views(BOARD, CAMERA, poses, noise, rng)
        sets[f"cam{k}"] = tuple(view for i, view in enumerate(views) if i != k)
    return sets


def _split(pose: np.ndarray) -> Pose:
    return pose[:, :3], pose[:, 3]


def sizes(sets: dict[str, tuple[View, ...]]) -> dict[str, tuple[int, int]]:
    return dict.fromkeys(sets, CAMERA.size)


def test_exact_corners_give_the_exact_mounts() -> None:
    sets = rig_views(MOUNTS)
    rig = calibrate_rig(BOARD, sets, sizes(sets), MODEL)
    off = compose(rig.mounts, inverse(MOUNTS))
    assert angle(off[:, :, :3]).max() < 1e-5
    assert np.abs(off[:, :, 3]).max() < 1e-4
    assert rig.moved == ()
    # Three cameras miss one view each, and every two of them share the other ten of twelve.
    assert [(pair.first, pair.second, pair.views) for pair in rig.pairs] == [
        ("cam0", "cam1", 10), ("cam0", "cam2", 10), ("cam1", "cam2", 10)
    ]  # fmt: skip
    assert max(pair.rms_px for pair in rig.pairs) < 1e-5
    step = compose(MOUNTS[2], inverse(MOUNTS[1]))
    assert rig.pairs[2].baseline_mm == pytest.approx(np.linalg.norm(step[:, 3]), rel=1e-6)
    assert rig.pairs[2].angle_deg == pytest.approx(angle(step[:, :3]), rel=1e-6)


def test_cameras_share_one_frame_that_is_theirs_alone() -> None:
    sets = rig_views(MOUNTS)
    rig = calibrate_rig(BOARD, sets, sizes(sets), MODEL)
    cameras = world_cameras(rig)
    (frame,) = {camera.frame_id for camera in cameras}
    assert frame.startswith("v3-")  # v0 to v2 are missed by one camera each
    R, t = relative_pose(cameras[0], cameras[1])
    np.testing.assert_allclose(np.column_stack([R, t]), MOUNTS[1], atol=1e-4)
    in_first = world_cameras(rig, "camera")
    np.testing.assert_allclose(in_first[0].rotation, np.eye(3), atol=1e-12)
    assert in_first[0].frame_id.startswith("camera-") and in_first[0].frame_id != frame
    np.testing.assert_allclose(
        np.column_stack([cameras[0].rotation, cameras[0].translation]),
        np.column_stack(POSES[3]), atol=1e-4,
    )  # fmt: skip
    with pytest.raises(InputError, match="no view 'v77'"):
        world_cameras(rig, "v77")
    noisy = rig_views(MOUNTS, NOISE, np.random.default_rng(1))
    other = world_cameras(calibrate_rig(BOARD, noisy, sizes(noisy), MODEL))
    assert other[0].frame_id != frame


def test_a_board_that_moved_between_two_photographs_is_noticed_and_not_used() -> None:
    sets = rig_views(MOUNTS, NOISE, np.random.default_rng(2))
    before, after = sets["cam1"][4], sets["cam1"][5]
    sets["cam1"] = (*sets["cam1"][:4], replace(before, corners=after.corners), *sets["cam1"][5:])
    rig = calibrate_rig(BOARD, sets, sizes(sets), MODEL)
    assert rig.moved == (before.name,)
    assert rig.cameras[0].noise == pytest.approx(NOISE, rel=0.1)
    off = compose(rig.mounts, inverse(MOUNTS))
    assert angle(off[:, :, :3]).max() < 0.1


def test_cameras_may_be_linked_through_others() -> None:
    """cam0 and cam2 share nothing; cam1 sees what each of them sees."""
    sets = rig_views(MOUNTS)
    sets["cam0"] = tuple(view for view in sets["cam0"] if int(view.name[1:]) < 6)
    sets["cam2"] = tuple(view for view in sets["cam2"] if int(view.name[1:]) >= 6)
    rig = calibrate_rig(BOARD, sets, sizes(sets), MODEL)
    assert {(pair.first, pair.second) for pair in rig.pairs} == {("cam0", "cam1"), ("cam1", "cam2")}
    off = compose(rig.mounts, inverse(MOUNTS))
    assert angle(off[:, :, :3]).max() < 1e-4
    assert world_cameras(rig)[0].frame_id.startswith("camera-")


def test_what_is_no_rig_is_refused() -> None:
    sets = rig_views(MOUNTS)
    with pytest.raises(InputError, match="one camera is not a rig"):
        calibrate_rig(BOARD, {"cam0": sets["cam0"]}, sizes(sets), MODEL)
    apart = sets | {"cam1": tuple(replace(view, name=f"w{view.name}") for view in sets["cam1"])}
    with pytest.raises(InputError, match=r"cam1: shares no view with .* same file name"):
        calibrate_rig(BOARD, apart, sizes(sets), MODEL)
    chess = make_board("chess", 8, 6, 10.0)
    with pytest.raises(InputError, match=r"half a turn.*ChArUco"):
        calibrate_rig(chess, sets, sizes(sets), MODEL)


@pytest.mark.slow
def test_deviations_of_a_mount_cover_the_truth_at_their_stated_rate() -> None:
    """100 trials of two cameras, 0.1 px; bounds are three binomial deviations."""
    mounts = MOUNTS[:2]
    rng = np.random.default_rng(3)
    clean = list(rig_views(mounts).values())
    places = [[int(view.name[1:]) for view in views] for views in clean]
    exact = [gathered(BOARD, views, at) for views, at in zip(clean, places, strict=True)]
    row = np.zeros(16)
    row[:6] = *CAMERA.matrix[[0, 1, 0, 1], [0, 1, 2, 2]], *CAMERA.distortion[:2]
    start = Bundle(np.array([row, row]), mounts, np.array([np.column_stack(p) for p in POSES]))
    scores = np.empty((100, 6))
    for score in scores:
        seen = [
            replace(part, pixels=part.pixels + rng.normal(0, NOISE, part.pixels.shape))
            for part in exact
        ]
        found = adjust(start, seen, MODEL.design())
        off = compose(found.bundle.mounts[1], inverse(mounts[1]))
        turn = np.array([off[2, 1] - off[1, 2], off[0, 2] - off[2, 0], off[1, 0] - off[0, 1]]) / 2
        shift = found.bundle.mounts[1][:, 3] - mounts[1][:, 3]
        deviations = np.sqrt(np.diagonal(found.shared)[12:18])  # after two lenses of six
        score[:] = np.concatenate([turn, shift]) / deviations
    for times, rate in ((1, 0.6827), (2, 0.9545)):
        bound = 3 * np.sqrt(rate * (1 - rate) / len(scores))
        assert (np.abs((np.abs(scores) < times).mean(0) - rate) < bound).all()
