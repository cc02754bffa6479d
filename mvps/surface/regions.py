"""Which parts of a surface have a height relative to each other that the normals tell.

Parts that no path of sound pixels joins each have an offset of their own: islands of the mask, and
parts behind a wall, where neighbours differ by more than any slope between theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.surface.bilateral import Bilateral
from mvps.surface.slopes import Flags, Slopes
from mvps.surface.walls import facing

NECK = 2  # px that a wall is widened by on either side: what joins parts must be wider than 4
LEAST_STEP, STEP_SIGMAS = 0.05, 3.0  # px: an excess of a step that is no noise
LEAST_AREA, LEAST_SHARE = 64, 1e-4  # smaller parts than these pixels, or share, are not told of
TOLD = 32  # parts that are listed, the largest ones

Labels = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Regions:
    """Parts of the surface, largest first.

    Attributes
    ----------
    labels : (H, W) int32, 1 for the largest part; 0 where there is no height, or where a piece is
        too small to be told of
    sizes : pixels of each part
    components : number of parts that the mask alone makes, small ones included
    wall : pixels beside a step that the solver found, or too steep to be believed
    """

    labels: Labels
    sizes: tuple[int, ...]
    components: int
    wall: int

    @property
    def unobservable(self) -> bool:
        """Whether there are parts whose heights no normal relates."""
        return len(self.sizes) > 1

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {
            "unobservable": self.unobservable,
            "regions": len(self.sizes),
            "pixels": list(self.sizes[:TOLD]),
            "mask_components": self.components,
            "wall_pixels": self.wall,
        }


def find_regions(slopes: Slopes, solved: Bilateral | None) -> Regions:
    """Parts between the walls that ``solved`` found (and steep pixels), or of the mask alone."""
    mask_labels, components = _label(slopes.valid)
    wall = slopes.steep.copy()
    if solved is not None:
        wall |= _beside_steps(slopes, solved)
    wall_pixels = int(np.count_nonzero(wall))
    if not wall_pixels:
        labels, sizes = _largest(mask_labels, slopes.valid)
        return Regions(labels, sizes, components, 0)
    labels, _ = _label(slopes.valid & ~_widened(wall))
    labels, sizes = _largest(labels, slopes.valid)
    if len(sizes) > 1:
        labels = _grown(labels, slopes.valid, mask_labels)
    else:
        labels, sizes = _largest(mask_labels, slopes.valid)
    return Regions(labels, sizes, components, wall_pixels)


def centre_components(height: NDArray[np.floating[Any]], valid: Flags) -> None:
    """Give every connected part of the mask a mean of zero, in place."""
    labels, count = _label(valid)
    if count <= 1:
        height -= np.mean(height, dtype=np.float64, where=valid) if count else 0
        return
    flat = labels.ravel()
    sizes = np.maximum(np.bincount(flat, minlength=count + 1), 1)
    means = np.bincount(flat, weights=height.ravel(), minlength=count + 1) / sizes
    height -= means[labels]


def _beside_steps(slopes: Slopes, solved: Bilateral) -> Flags:
    limit = max(LEAST_STEP, STEP_SIGMAS * solved.noise)
    wall = np.zeros(solved.height.shape, np.bool_)
    level = facing(slopes)
    right = solved.step_right * np.minimum(level[:, 1:], level[:, :-1]) > limit
    down = solved.step_down * np.minimum(level[1:], level[:-1]) > limit
    wall[:, :-1] |= right
    wall[:, 1:] |= right
    wall[:-1] |= down
    wall[1:] |= down
    return wall


def _widened(wall: Flags) -> Flags:
    import cv2

    square = np.ones((2 * NECK + 1, 2 * NECK + 1), np.uint8)
    return np.asarray(cv2.dilate(wall.view(np.uint8), square), np.uint8).view(np.bool_)


def _label(inside: Flags) -> tuple[Labels, int]:
    import cv2

    count, labels = cv2.connectedComponents(inside.view(np.uint8), connectivity=4)
    return labels, int(count) - 1


def _largest(labels: Labels, valid: Flags) -> tuple[Labels, tuple[int, ...]]:
    """Number the parts by size and forget the small ones."""
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    least = max(LEAST_AREA, LEAST_SHARE * np.count_nonzero(valid))
    order = np.argsort(-sizes, kind="stable")
    kept = order[sizes[order] >= least]
    if not len(kept):
        kept = order[:1]
    numbers = np.zeros(len(sizes), np.int32)
    numbers[kept] = np.arange(1, len(kept) + 1)
    numbers[0] = 0
    return numbers[labels], tuple(int(size) for size in sizes[kept])


def _grown(labels: Labels, valid: Flags, mask_labels: Labels) -> Labels:
    """Pixels of walls get the number of the nearest part, if the mask joins them to it."""
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(
        labels == 0, return_distances=False, return_indices=True
    )
    rows, columns = nearest
    same = valid & (mask_labels == mask_labels[rows, columns])
    return np.where(same, labels[rows, columns], 0).astype(np.int32)
