"""Normal maps in MATLAB files (version 5), as the DiLiGenT benchmark ships its ground truth.

SciPy reads them (extra ``mat``); sizes are judged by the headers before an array is loaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import ImageError, MissingExtraError
from mvps.images.source import check_size, decoding

MAGIC = b"MATLAB 5.0 MAT-file"
HDF5_MAGIC = b"MATLAB 7.3 MAT-file"
TRUTH_VARIABLE = "Normal_gt"
_KINDS = {"double", "single", "uint8", "uint16"}


def read_mat(path: Path, max_pixels: int) -> NDArray[Any]:
    """Variable ``Normal_gt`` of a MATLAB file, or its only array of shape (H, W, 3).

    Returns
    -------
    (H, W, 3) float64, float32, uint8 or uint16, as stored

    Raises
    ------
    ImageError
        Damaged, without such a variable or with several, or larger than ``max_pixels``.
    MissingExtraError
        SciPy is not installed.
    """
    try:
        from scipy.io import loadmat, whosmat
    except ImportError:
        raise MissingExtraError("SciPy, which reads .mat files,", "mat") from None
    with path.open("rb") as file:
        if file.read(len(HDF5_MAGIC)) == HDF5_MAGIC:
            raise ImageError(path, "is a MATLAB file of version 7.3", "save it with -v7")
    with decoding(path):
        maps = {
            name: shape
            for name, shape, kind in whosmat(path)
            if len(shape) == 3 and shape[2] == 3 and kind in _KINDS
        }
        name = _choose(path, list(maps))
        height, width, _ = maps[name]
        check_size(path, width, height, max_pixels)
        return np.ascontiguousarray(loadmat(path, variable_names=[name])[name])


def _choose(path: Path, names: list[str]) -> str:
    if TRUTH_VARIABLE in names:
        return TRUTH_VARIABLE
    if len(names) == 1:
        return names[0]
    found = ", ".join(names) or "none"
    raise ImageError(
        path,
        f"has no variable {TRUTH_VARIABLE} and not exactly one array H x W x 3 (found: {found})",
        f"name the map {TRUTH_VARIABLE}",
    )
