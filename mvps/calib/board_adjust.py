"""Bundle adjustment of cameras that look at a board, and the deviations of what it finds.

Levenberg-Marquardt on the reprojection errors, the poses of the board eliminated by their Schur
complement (Triggs et al., Bundle adjustment, 2000). Deviations are those of least squares with the
noise estimated from the residuals and the degrees of freedom left (Zhang, TPAMI 2000).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mvps.calib.board_poses import cross, placed, turned
from mvps.calib.camera import Array
from mvps.calib.distortion import apply_polynomial, polynomial_jacobian

# fmt: off
LENS = (
    "fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6", "s1", "s2", "s3", "s4"
)
# fmt: on
MAX_STEPS = 200
LARGEST_CONDITION = 1e13  # beyond, a deviation has no correct digit left
SMALL_STEP = 1e-6  # standard deviations: a step below it changes nothing that is stated
_EXACT = 1e-16  # px^2 a corner: rounding of coordinates in px goes as far


@dataclass(frozen=True, eq=False)
class Seen:
    """All corners that one camera saw, those of a view one after the other.

    Attributes
    ----------
    points : (n, 3) mm, board frame
    pixels : (n, 2) raw px
    view : (n,) int, index of the board pose
    """

    points: Array
    pixels: Array
    view: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Bundle:
    """What is adjusted: C cameras, V poses of the board.

    Attributes
    ----------
    lenses : (C, 16) float64, fx fy cx cy (px) and 12 distortion coefficients
    mounts : (C, 3, 4) float64, [R t] of each camera from the frame of the first one, mm
    boards : (V, 3, 4) float64, [R t] from the board to the frame of the first camera, mm
    """

    lenses: Array
    mounts: Array
    boards: Array


@dataclass(frozen=True, eq=False)
class Adjusted:
    """Result of :func:`adjust`.

    Attributes
    ----------
    bundle : the minimum
    residuals : for each camera (n, 2) px, seen minus predicted
    noise : px, deviation of one coordinate of one corner, as the residuals tell
    shared : (P, P) covariance of each camera's free lens parameters and, but for the first camera,
        of its mount (rotation vector in rad, translation in mm), camera by camera
    boards : (V, 6, 6) covariance of the board's poses, rotation vector in rad and mm
    condition : of the reduced normal matrix with unit diagonal; infinite above 1e13
    converged : whether the last step was negligible
    """

    bundle: Bundle
    residuals: tuple[Array, ...]
    noise: float
    shared: Array
    boards: Array
    condition: float
    converged: bool


@dataclass(frozen=True, eq=False)
class _Normal:
    """Normal equations: shared block, board blocks, what couples them, and both right sides."""

    shared: Array  # (P, P)
    boards: Array  # (V, 6, 6)
    coupling: Array  # (V, P, 6)
    right_shared: Array  # (P,)
    right_boards: Array  # (V, 6)

    def damped(self, factor: float) -> _Normal:
        shared, boards = self.shared.copy(), self.boards.copy()
        index = np.arange(len(shared))
        shared[index, index] *= 1 + factor
        boards[:, np.arange(6), np.arange(6)] *= 1 + factor
        return replace(self, shared=shared, boards=boards)

    def reduced(self) -> tuple[Array, Array, Array]:
        """Schur complement of the boards (P, P), their inverses, and coupling times those."""
        inverse = np.linalg.inv(self.boards)
        carried = self.coupling @ inverse
        schur: Array = self.shared - np.einsum("vpi,vqi->pq", carried, self.coupling)
        return schur, np.asarray(inverse, dtype=np.float64), carried


def adjust(bundle: Bundle, seen: Sequence[Seen], design: Array) -> Adjusted:
    """Cameras, mounts and board poses that minimise the squared reprojection error.

    Parameters
    ----------
    bundle : start, near the minimum
    seen : for each camera, what it saw
    design : (16, n) columns of the lens parameters that are free, the same for each camera; no
        column leaves the lenses as they are

    Raises
    ------
    numpy.linalg.LinAlgError
        A board pose is not determined by its corners, or lies behind a camera.
    """
    cost, damping, converged = _cost(_residuals(bundle, seen)), 1e-4, False
    if not np.isfinite(cost):
        raise np.linalg.LinAlgError("the start puts a corner behind a camera")
    residuals, normal = _linearised(bundle, seen, design)
    for _ in range(MAX_STEPS):
        step = _step(normal.damped(damping))
        moved = None if step is None else _moved(bundle, design, *step)
        trial = np.inf if moved is None else _cost(_residuals(moved, seen))
        if moved is None or step is None or not trial <= cost:
            damping *= 10
            # No step down is left: the minimum, as far as rounding lets one see.
            if damping > 1e12:
                converged = True
                break
            continue
        length = _length(normal, *step) / max(_noise(trial, seen, normal), 1e-150)
        bundle, damping = moved, max(damping / 10, 1e-12)
        residuals, normal = _linearised(bundle, seen, design)
        cost = trial
        if length < SMALL_STEP or cost < _EXACT * sum(len(part.pixels) for part in seen):
            converged = True
            break
    return _result(bundle, seen, residuals, normal, converged)


def _predicted(lens: Array, points: Array) -> Array:
    """(n, 2) raw px of points (n, 3) mm in the frame of a camera with a lens (16,)."""
    plain = points[:, :2] / points[:, 2:]
    return np.asarray(apply_polynomial(lens[4:], plain) * lens[:2] + lens[2:4], dtype=np.float64)


def _residuals(bundle: Bundle, seen: Sequence[Seen]) -> tuple[Array, ...]:
    out = []
    for lens, mount, part in zip(bundle.lenses, bundle.mounts, seen, strict=True):
        ahead = placed(mount, placed(bundle.boards[part.view], part.points))
        with np.errstate(all="ignore"):
            error = part.pixels - _predicted(lens, ahead)
        error[~(ahead[:, 2] > 0)] = np.inf
        out.append(error)
    return tuple(out)


def _cost(residuals: Sequence[Array]) -> float:
    with np.errstate(all="ignore"):
        total = sum(float((part**2).sum()) for part in residuals)
    return total if np.isfinite(total) else np.inf


def _linearised(
    bundle: Bundle, seen: Sequence[Seen], design: Array
) -> tuple[tuple[Array, ...], _Normal]:
    count = design.shape[1]
    cameras, views = len(seen), len(bundle.boards)
    size = cameras * (count + 6)
    normal = _Normal(
        np.zeros((size, size)),
        np.zeros((views, 6, 6)),
        np.zeros((views, size, 6)),
        np.zeros(size),
        np.zeros((views, 6)),
    )
    residuals = _residuals(bundle, seen)
    for k, part in enumerate(seen):
        own = slice(k * (count + 6), (k + 1) * (count + 6))
        by_camera, by_board = _derivatives(bundle, k, part, design)
        _add(normal, own, part.view, (by_camera, by_board), residuals[k])
    kept = np.ones(size, dtype=bool)
    kept[count : count + 6] = False  # the first camera is the frame
    return residuals, replace(
        normal,
        shared=normal.shared[np.ix_(kept, kept)],
        coupling=normal.coupling[:, kept],
        right_shared=normal.right_shared[kept],
    )


def _add(
    normal: _Normal, own: slice, view: NDArray[np.intp], by: tuple[Array, Array], error: Array
) -> None:
    """Add the corners of one camera to the sums; a board's corners follow one another."""
    by_camera, by_board = by
    flat = by_camera.reshape(-1, by_camera.shape[-1])
    normal.shared[own, own] += flat.T @ flat
    normal.right_shared[own] += flat.T @ error.reshape(-1)
    starts = [0, *(np.flatnonzero(np.diff(view)) + 1), len(view)]
    for first, last in pairwise(starts):
        name = view[first]
        camera = by_camera[first:last].reshape(-1, by_camera.shape[-1])
        board = by_board[first:last].reshape(-1, 6)
        normal.boards[name] += board.T @ board
        normal.coupling[name, own] += camera.T @ board
        normal.right_boards[name] += board.T @ error[first:last].reshape(-1)


def _derivatives(bundle: Bundle, k: int, part: Seen, design: Array) -> tuple[Array, Array]:
    """Of predicted px by lens and mount (n, 2, free + 6), and by the board's pose (n, 2, 6)."""
    lens, mount = bundle.lenses[k], bundle.mounts[k]
    boards = bundle.boards[part.view]
    arms = placed(boards, part.points) - boards[..., 3]
    ahead = placed(mount, arms + boards[..., 3])
    x, y, depth = ahead.T
    plain = np.stack([x / depth, y / depth], -1)
    onto = np.zeros((len(ahead), 2, 3))
    onto[:, 0, 0] = onto[:, 1, 1] = 1 / depth
    onto[:, :, 2] = -plain / depth[:, None]
    by_point = lens[:2, None] * (polynomial_jacobian(lens[4:], plain) @ onto)
    by_lens = _by_lens(lens, plain) @ design
    by_mount = np.concatenate([by_point @ -cross(ahead - mount[:, 3]), by_point], -1)
    by_rig = by_point @ mount[:, :3]
    by_board = np.concatenate([by_rig @ -cross(arms), by_rig], -1)
    return np.concatenate([by_lens, by_mount], -1), by_board


def _by_lens(lens: Array, plain: Array) -> Array:
    """(n, 2, 16) derivatives of predicted px by fx fy cx cy and the 12 coefficients."""
    x, y = plain.T
    u = x * x + y * y
    k1, k2, k3, k4, k5, k6 = lens[[4, 5, 8, 9, 10, 11]]
    below = 1 / (1 + u * (k4 + u * (k5 + u * k6)))
    ratio = (1 + u * (k1 + u * (k2 + u * k3))) * below
    out = np.zeros((len(plain), 2, 16))
    out[:, [0, 1], [0, 1]] = apply_polynomial(lens[4:], plain)
    out[:, [0, 1], [2, 3]] = 1
    for power, (above_slot, below_slot) in enumerate(((4, 9), (5, 10), (8, 11)), start=1):
        radial = plain * (u**power * below)[:, None]
        out[:, :, above_slot] = radial
        out[:, :, below_slot] = -radial * ratio[:, None]
    out[:, :, 6] = np.stack([2 * x * y, u + 2 * y * y], -1)
    out[:, :, 7] = np.stack([u + 2 * x * x, 2 * x * y], -1)
    out[:, 0, 12], out[:, 0, 13] = u, u * u
    out[:, 1, 14], out[:, 1, 15] = u, u * u
    out[:, :, 4:] *= lens[:2, None]
    return out


def _step(normal: _Normal) -> tuple[Array, Array] | None:
    """Shared (P,) and board (V, 6) steps, or None where the equations are singular."""
    try:
        schur, inverse, carried = normal.reduced()
        right = normal.right_shared - np.einsum("vpi,vi->p", carried, normal.right_boards)
        scale = _scale(schur)
        shared = scale * np.linalg.solve(schur * scale * scale[:, None], scale * right)
    except np.linalg.LinAlgError:
        return None
    left = normal.right_boards - np.einsum("vpi,p->vi", normal.coupling, shared)
    return shared, np.einsum("vij,vj->vi", inverse, left)


def _scale(matrix: Array) -> Array:
    diagonal = np.diagonal(matrix)
    return np.asarray(1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), dtype=np.float64)


def _length(normal: _Normal, shared: Array, boards: Array) -> float:
    """Length of a step in the metric of the normal equations, px."""
    square = float(shared @ normal.shared @ shared)
    square += float(np.einsum("vi,vij,vj->", boards, normal.boards, boards))
    square += 2 * float(np.einsum("p,vpi,vi->", shared, normal.coupling, boards))
    return math.sqrt(max(square, 0.0))


def _moved(bundle: Bundle, design: Array, shared: Array, boards: Array) -> Bundle:
    count = design.shape[1]
    # The first camera's mount is the frame: six zeros stand for it.
    whole = np.insert(shared, [count] * 6, 0.0).reshape(len(bundle.lenses), count + 6)
    return Bundle(
        bundle.lenses + whole[:, :count] @ design.T,
        turned(bundle.mounts, whole[:, count:]),
        turned(bundle.boards, boards),
    )


def _noise(cost: float, seen: Sequence[Seen], normal: _Normal) -> float:
    freedom = 2 * sum(len(part.pixels) for part in seen) - len(normal.shared)
    freedom -= 6 * len(normal.boards)
    return float(np.sqrt(cost / freedom)) if freedom > 0 else np.inf


def _result(
    bundle: Bundle,
    seen: Sequence[Seen],
    residuals: tuple[Array, ...],
    normal: _Normal,
    converged: bool,
) -> Adjusted:
    noise = _noise(_cost(residuals), seen, normal)
    schur, inverse, carried = normal.reduced()
    scale = _scale(schur)
    condition, shared = _inverse(schur * scale * scale[:, None])
    shared = shared * scale * scale[:, None]
    with np.errstate(invalid="ignore"):
        boards = inverse + np.einsum("vpi,pq,vqj->vij", carried, shared, carried)
    return Adjusted(
        bundle, residuals, noise, noise**2 * shared, noise**2 * boards, condition, converged
    )


def _inverse(matrix: Array) -> tuple[float, Array]:
    """Condition number and inverse of a symmetric matrix, infinite where it is as good as none."""
    if not len(matrix):
        return 1.0, matrix
    values, vectors = np.linalg.eigh(matrix)
    if values[0] * LARGEST_CONDITION <= values[-1]:
        return math.inf, np.full_like(matrix, np.inf)
    # By eigenvectors, since rounding cannot make these variances negative.
    inverse = (vectors / values) @ vectors.T
    return float(values[-1] / values[0]), np.asarray(inverse, dtype=np.float64)
