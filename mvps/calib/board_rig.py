"""Where the cameras of a rig stand, from views in which several of them see one board at once.

Each camera is calibrated alone; relative poses are averaged robustly over the shared views; then
cameras, mounts and boards are adjusted together (Triggs et al., Bundle adjustment, 2000).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from mvps.calib.board import Board
from mvps.calib.board_adjust import Adjusted, Bundle, adjust
from mvps.calib.board_poses import IDENTITY, angle, compose, inverse
from mvps.calib.board_solve import (
    Calibration,
    Model,
    View,
    calibrate,
    gathered,
    rms_length,
    split,
    undetermined,
)
from mvps.calib.camera import Array, Camera
from mvps.errors import InputError

MOVED_FACTOR = 6.0  # a shared view that disagrees by so many medians was not taken at one time
MOVED_LEAST = 3.0  # and by so many times the noise of a corner
DISAGREE_FACTOR, DISAGREE_LEAST = 10.0, 1.0  # noise together over that alone, and px
CAMERA_FRAME = "camera"


@dataclass(frozen=True)
class Pair:
    """Two cameras that see boards together.

    Attributes
    ----------
    first, second : names of the cameras
    views : how many they share
    baseline_mm, angle_deg : distance of their centres and angle between them
    rms_px : error of corners in the shared views, all cameras adjusted together
    """

    first: str
    second: str
    views: int
    baseline_mm: float
    angle_deg: float
    rms_px: float


@dataclass(frozen=True, eq=False)
class Rig:
    """Cameras in one frame.

    Attributes
    ----------
    cameras : C calibrations, as adjusted together
    mounts : (C, 3, 4) [R t] from the frame of the first camera to each camera, mm
    mount_covariances : (C, 6, 6) rotation vector in rad and translation in mm; zero for the first
    boards : for each board, by the name of its view, its pose (3, 4) in the first camera's frame
    pairs : every two cameras that share a view
    moved : names of views in which the board was not in one place for all cameras; each camera
        uses its own
    """

    cameras: tuple[Calibration, ...]
    mounts: Array
    mount_covariances: Array
    boards: Mapping[str, Array]
    pairs: tuple[Pair, ...]
    moved: tuple[str, ...]


def calibrate_rig(
    board: Board,
    sets: Mapping[str, Sequence[View]],
    sizes: Mapping[str, tuple[int, int]],
    model: Model | None = None,
) -> Rig:
    """Calibrate cameras and their mounts.

    Parameters
    ----------
    sets : by camera, its views; views of one name were taken at one time
    sizes : by camera, (width, height) px

    Raises
    ------
    InputError
        As :func:`mvps.calib.board_solve.calibrate`; fewer than two cameras; a camera that shares
        no view with the others; views of one name that were not taken at one time; a chessboard,
        whose corners have no names.
    """
    if len(sets) < 2:
        raise InputError("rig", "one camera is not a rig")
    if board.kind == "chess":
        raise InputError(
            "--board",
            "a chessboard looks the same after half a turn, so cameras may disagree on its corners",
            "calibrate a rig with a ChArUco board",
        )
    model = model or Model()
    alone = [calibrate(board, views, sizes[name], model, name=name) for name, views in sets.items()]
    mounts, moved = _mounts(alone)
    keys = [
        [view.name if view.name not in moved else f"{view.name} ({one.name})" for view in one.views]
        for one in alone
    ]
    adjusted, names = _together(alone, mounts, keys)
    _check_agreement(alone, adjusted)
    bundle = adjusted.bundle
    cameras, covariances = _cameras(alone, adjusted, [[names[key] for key in row] for row in keys])
    boards = {name: bundle.boards[place] for name, place in names.items()}
    pairs = _pairs(cameras, bundle.mounts, moved)
    return Rig(cameras, bundle.mounts, covariances, boards, pairs, moved)


def world_cameras(rig: Rig, world: str | None = None) -> tuple[Camera, ...]:
    """Cameras with poses in one world frame, whose ``frame_id`` is of this calibration alone.

    Parameters
    ----------
    world : name of the view whose board is the world; "camera" for the first camera's frame; by
        default the first view that every camera sees, or the first camera where there is none

    Raises
    ------
    InputError
        No such view.
    """
    name = _common_view(rig) if world is None else world
    if name != CAMERA_FRAME and name not in rig.boards:
        raise InputError(
            "--world", f"no view {name!r} with one board for all", "name a view, or 'camera'"
        )
    base = IDENTITY if name == CAMERA_FRAME else rig.boards[name]
    frame = f"{name}-{fingerprint(rig.cameras)}"
    return tuple(
        one.camera(compose(mount, base), frame)
        for one, mount in zip(rig.cameras, rig.mounts, strict=True)
    )


def fingerprint(cameras: Sequence[Calibration]) -> str:
    """12 hexadecimal digits that tell this set of photographs from any other."""
    digest = hashlib.sha256()
    for camera in cameras:
        for view in camera.views:
            digest.update(view.corners.pixels.tobytes())
    return digest.hexdigest()[:12]


def _common_view(rig: Rig) -> str:
    common = [{view.name for view in camera.views} for camera in rig.cameras]
    shared = set.intersection(*common) - set(rig.moved)
    return next((v.name for v in rig.cameras[0].views if v.name in shared), CAMERA_FRAME)


def _mounts(alone: Sequence[Calibration]) -> tuple[Array, tuple[str, ...]]:
    """Start for the mounts, along the pairs that share most views, and the views that disagree."""
    links: dict[tuple[int, int], tuple[Array, list[str]]] = {}
    counts: dict[tuple[int, int], int] = {}
    for a, b in combinations(range(len(alone)), 2):
        shared = _shared(alone[a], alone[b])
        if shared:
            links[a, b] = _agreed(alone[a], alone[b], shared)
            counts[a, b] = len(shared)
    mounts = {0: np.array(IDENTITY)}
    while len(mounts) < len(alone):
        edges = [pair for pair in links if (pair[0] in mounts) != (pair[1] in mounts)]
        if not edges:
            lost = next(one.name for k, one in enumerate(alone) if k not in mounts)
            raise InputError(
                lost,
                "shares no view with the cameras before it",
                "give photographs that were taken at one time the same file name",
            )
        a, b = max(edges, key=lambda pair: counts[pair])
        step = links[a, b][0]
        if a in mounts:
            mounts[b] = compose(step, mounts[a])
        else:
            mounts[a] = compose(inverse(step), mounts[b])
    moved = sorted({name for _, names in links.values() for name in names})
    return np.array([mounts[k] for k in range(len(alone))]), tuple(moved)


def _shared(a: Calibration, b: Calibration) -> list[tuple[int, int]]:
    places = {view.name: k for k, view in enumerate(b.views)}
    return [(k, places[view.name]) for k, view in enumerate(a.views) if view.name in places]


def _agreed(
    a: Calibration, b: Calibration, shared: Sequence[tuple[int, int]]
) -> tuple[Array, list[str]]:
    """Pose from a to b of the view that disagrees least with all, and the views that disagree.

    Disagreement is in px: how far the board moves in b's image, at its distance, when it is
    carried over from a.
    """
    own, other = ([pair[side] for pair in shared] for side in (0, 1))
    steps = compose(b.poses[other], inverse(a.poses[own]))
    corners = b.board.points()[[0, b.board.columns - 2, -1]]
    gaps = np.empty((len(steps), len(shared)))
    for k, (i, j) in enumerate(shared):
        where = b.poses[j][:, :3] @ corners.T + b.poses[j][:, 3:]
        start = a.poses[i][:, :3] @ corners.T + a.poses[i][:, 3:]
        carried = steps[:, :, :3] @ start + steps[:, :, 3:]
        shift = np.linalg.norm(carried - where, axis=1).mean(-1)
        gaps[:, k] = shift * b.lens[0] / np.linalg.norm(where[:, 0])
    best = int(np.median(gaps, axis=1).argmin())
    bound = max(MOVED_FACTOR * float(np.median(gaps[best])), MOVED_LEAST * (a.noise + b.noise))
    away = [b.views[j].name for (_, j), gap in zip(shared, gaps[best], strict=True) if gap > bound]
    return steps[best], away


def _together(
    alone: Sequence[Calibration], mounts: Array, keys: Sequence[Sequence[str]]
) -> tuple[Adjusted, dict[str, int]]:
    """All cameras adjusted together, and the place of each board."""
    poses: dict[str, Array] = {}
    for one, mount, row in zip(alone, mounts, keys, strict=True):
        back = inverse(mount)
        for key, pose in zip(row, one.poses, strict=True):
            poses.setdefault(key, compose(back, pose))
    names = {key: k for k, key in enumerate(poses)}
    seen = [
        gathered(one.board, one.views, [names[key] for key in row])
        for one, row in zip(alone, keys, strict=True)
    ]
    start = Bundle(np.array([one.lens for one in alone]), mounts, np.array(list(poses.values())))
    try:
        adjusted = adjust(start, seen, alone[0].model.design())
    except np.linalg.LinAlgError:
        raise undetermined("rig") from None
    if not np.isfinite(adjusted.condition):
        raise undetermined("rig")
    return adjusted, names


def _check_agreement(alone: Sequence[Calibration], adjusted: Adjusted) -> None:
    """Refuse mounts under which the cameras contradict what each of them saw alone."""
    noise = max(one.noise for one in alone)
    if adjusted.noise > max(DISAGREE_FACTOR * noise, DISAGREE_LEAST):
        what = (
            f"views of one name do not fit one place of the board: off by {adjusted.noise:.3g} px "
            f"together, {noise:.2g} px alone"
        )
        remedy = "give photographs of one time, and only those, the same name in every folder"
        raise InputError("rig", what, remedy)


def _cameras(
    alone: Sequence[Calibration], adjusted: Adjusted, places: Sequence[Sequence[int]]
) -> tuple[tuple[Calibration, ...], Array]:
    """Each camera as adjusted, and the covariances of the mounts."""
    bundle, count = adjusted.bundle, len(alone[0].model.names())
    cameras, mounts = [], np.zeros((len(alone), 6, 6))
    for k, one in enumerate(alone):
        first = k * (count + 6) - (6 if k else 0)  # the first camera has no mount
        lens = slice(first, first + count)
        if k:
            mounts[k] = adjusted.shared[first + count : first + count + 6, first + count :][:, :6]
        cameras.append(
            replace(
                one,
                lens=bundle.lenses[k],
                poses=compose(bundle.mounts[k], bundle.boards[list(places[k])]),
                residuals=split(adjusted.residuals[k], one.views),
                covariance=adjusted.shared[lens, lens],
                noise=adjusted.noise,
                condition=adjusted.condition,
                converged=adjusted.converged,
            )
        )
    return tuple(cameras), mounts


def _pairs(cameras: Sequence[Calibration], mounts: Array, moved: Sequence[str]) -> tuple[Pair, ...]:
    out = []
    for a, b in combinations(range(len(cameras)), 2):
        one, two = cameras[a], cameras[b]
        shared = [(i, j) for i, j in _shared(one, two) if one.views[i].name not in moved]
        if not shared:
            continue
        step = compose(mounts[b], inverse(mounts[a]))
        errors = [part for i, j in shared for part in (one.residuals[i], two.residuals[j])]
        baseline = float(np.linalg.norm(step[:, 3]))
        turn = float(angle(step[:, :3]))
        pair = Pair(
            one.name, two.name, len(shared), baseline, turn, rms_length(np.concatenate(errors))
        )
        out.append(pair)
    return tuple(out)
