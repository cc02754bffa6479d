"""Whether the views of a calibration were enough, in words that say what to photograph next."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mvps.calib.board_poses import placed
from mvps.calib.board_solve import Calibration
from mvps.findings import Finding

FEW_VIEWS = 8
TILT_SPREAD = 20.0  # degrees between the two boards that differ most
CELLS = 6  # the image is cut into 6 x 6 cells
COVERED = 0.6  # share of the cells that should hold a corner
CENTRE_SHARE = 0.005  # of the width: deviation of the principal point that is worth a word
FOCAL_SHARE = 0.002  # of the focal length
BAD_VIEW = 3.0  # times the median of the views' errors
OVERFIT = 1.5  # held-out error over the error of the fit
CONDITION = 1e8


def check_calibration(calibration: Calibration) -> tuple[Finding, ...]:
    """Warnings about one camera: codes few-views, mirrored, parallel-views, poor-coverage,
    bad-view, overfit, large-deviation, not-converged and ill-conditioned.
    """
    found = (
        *_views(calibration),
        *_coverage(calibration),
        *_errors(calibration),
        *_deviations(calibration),
    )
    return tuple(Finding("warning", code, f"{calibration.name}: {text}") for code, text in found)


def coverage(calibration: Calibration) -> NDArray[np.int64]:
    """(6, 6) corners that fall in each cell of the image, rows from the top."""
    pixels = np.concatenate([view.corners.pixels for view in calibration.views])
    width, height = calibration.image_size
    counts, _, _ = np.histogram2d(
        pixels[:, 1], pixels[:, 0], bins=CELLS, range=((-0.5, height - 0.5), (-0.5, width - 0.5))
    )
    return np.asarray(counts, dtype=np.int64)


def _views(calibration: Calibration) -> Iterator[tuple[str, str]]:
    count = len(calibration.views)
    if count < FEW_VIEWS:
        yield "few-views", f"only {count} views; take {FEW_VIEWS} or more, 12 to 20 are usual"
    normals = calibration.poses[..., 2]
    places = placed(calibration.poses, calibration.board.middle()[None])
    if ((normals * places).sum(-1) < 0).any():
        yield "mirrored", "the board is seen from behind; use images that are not mirrored"
    spread = float(np.degrees(np.arccos(np.clip(normals @ normals.T, -1, 1).min())))
    if spread < TILT_SPREAD:
        yield (
            "parallel-views",
            f"the boards are nearly parallel (tilts differ by {spread:.0f} degrees at most), so "
            "focal length and distance are hard to tell apart; tilt the board by 20 to 45 degrees "
            "to all sides",
        )


def _coverage(calibration: Calibration) -> Iterator[tuple[str, str]]:
    counts = coverage(calibration)
    share = float((counts > 0).mean())
    sides = {
        "left": counts[:, 0],
        "right": counts[:, -1],
        "upper": counts[0],
        "lower": counts[-1],
    }
    bare = [side for side, cells in sides.items() if not cells.any()]
    if share < COVERED or bare:
        where = f"; none at the {' and '.join(bare)} border" if bare else ""
        yield (
            "poor-coverage",
            f"corners in {share:.0%} of the image only{where}; distortion is a guess elsewhere, so "
            "photograph the board there too",
        )


def _errors(calibration: Calibration) -> Iterator[tuple[str, str]]:
    errors = calibration.view_rms()
    bound = BAD_VIEW * float(np.median(errors))
    for view, error in zip(calibration.views, errors, strict=True):
        if error > bound:
            yield (
                "bad-view",
                f"view {view.name} is off by {error:.2f} px, the others by "
                f"{np.median(errors):.2f}; leave it out if it is blurred or the board was bent",
            )
    fit = calibration.rms()
    if calibration.held_out is not None and calibration.held_out > OVERFIT * fit:
        yield (
            "overfit",
            f"views left out are off by {calibration.held_out:.2f} px, those used by {fit:.2f}; "
            "take more views or free fewer coefficients",
        )


def _deviations(calibration: Calibration) -> Iterator[tuple[str, str]]:
    width = calibration.image_size[0]
    for name, (value, deviation) in calibration.parameters().items():
        if name.startswith("f") and deviation > FOCAL_SHARE * value:
            text = f"focal length {name} is known to {100 * deviation / value:.2g}% only"
            yield "large-deviation", f"{text}; take more views, tilted more and nearer"
        elif name.startswith("c") and deviation > CENTRE_SHARE * width:
            text = f"principal point {name} is known to {deviation:.0f} px only"
            yield "large-deviation", f"{text}; take more tilted views, or --fix-principal-point"
    if not calibration.converged:
        text = "the parameters were still moving when the adjustment stopped"
        yield "not-converged", f"{text}; free fewer --coefficients"
    if calibration.condition > CONDITION:
        yield (
            "ill-conditioned",
            f"parameters trade off against one another (condition {calibration.condition:.1e}), "
            "so each deviation alone says little; free fewer --coefficients",
        )
