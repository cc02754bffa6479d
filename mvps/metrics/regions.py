"""Anomaly maps beside their masks: what is refused, which pixels are defective, their regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError

CONNECTIVITY = 8
MASK_RULE = "mask > 0"


@dataclass(frozen=True)
class Defects:
    """Defective pixels of one map.

    Parameters
    ----------
    at : (n,) int64, their places in the flattened map
    region_pixels : (n,) int64, pixels of the region that each belongs to
    regions : number of regions
    """

    at: NDArray[np.int64]
    region_pixels: NDArray[np.int64]
    regions: int


NONE = Defects(np.empty(0, np.int64), np.empty(0, np.int64), 0)


def check_map(scores: NDArray[Any], where: str) -> None:
    """Refuse what is no anomaly map: not (H, W), no real numbers, empty, or with NaN.

    Infinities are scores like others, beyond all finite ones.

    Raises
    ------
    InputError
        As said.
    """
    if scores.ndim != 2 or scores.size == 0:
        raise InputError(where, f"an anomaly map has the shape (H, W), this one {scores.shape}")
    if scores.dtype.kind not in "fiu":
        raise InputError(where, f"scores are real numbers, these are {scores.dtype}")
    refuse_nan(scores, where)


def refuse_nan(scores: NDArray[Any], where: str) -> None:
    """Raise InputError where one of the scores is NaN."""
    if np.isnan(scores.min()):
        count = int(np.isnan(scores).sum())
        raise InputError(
            where,
            f"{count} of {scores.size} scores are NaN, which has no place in an order",
            "mend the detector, or leave this item out",
        )


def find_defects(mask: NDArray[Any] | None, size: tuple[int, ...], where: str) -> Defects:
    """Defective pixels (mask > 0) and their 8-connected regions.

    Parameters
    ----------
    mask : (H, W) of any real type or bool; None for a normal image
    size : (H, W) of the map
    where : name for errors

    Raises
    ------
    InputError
        The mask has another size than the map, or is no array of numbers.
    """
    if mask is None:
        return NONE
    if mask.shape != size:
        have, want = ("x".join(map(str, shape)) for shape in (mask.shape, size))
        raise InputError(
            where,
            f"the mask is {have}, the map {want} (height x width)",
            "resize the map to the mask, or the mask by nearest neighbour",
        )
    if mask.dtype.kind not in "bfiu":
        raise InputError(where, f"a mask holds numbers, this one {mask.dtype}")
    defective = mask if mask.dtype == np.bool_ else mask > 0
    at = np.flatnonzero(defective)
    if at.size == 0:
        return NONE
    import cv2

    count, labels = cv2.connectedComponents(
        np.ascontiguousarray(defective).view(np.uint8), connectivity=CONNECTIVITY
    )
    of_pixel = labels.reshape(-1)[at]
    return Defects(at, np.bincount(of_pixel, minlength=count)[of_pixel], count - 1)
