"""From raw samples to samples proportional to light: response, offset frame and flat-field gain.

corrected = (response(raw) - offset) * gain, strip by strip; the offset is the ambient frame (which
holds the dark signal too) or else the dark frame, the gain the inverse of the flat field. A flat
field in floats beside images in integers is finished: linear, and without dark signal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.images.info import ImageInfo

Rows = NDArray[np.float32]


def is_finished_flat(flat: ImageInfo, image: ImageInfo) -> bool:
    """Whether a flat field is linear and free of dark signal, as ``mvps lights flat`` writes it."""
    return flat.dtype.kind == "f" and image.dtype.kind != "f"


def correct(
    raw: NDArray[Any], table: Rows | None, offset: Rows | None, gain: Rows | None, out: Rows
) -> Rows:
    """Corrected rows of one light, in raw units.

    Parameters
    ----------
    raw : (n, W) or (n, W, 3) uint8, uint16 or float32 samples of the file
    table : float32 linear sample of every raw sample, or None where the camera is linear
    offset : linear float32 rows to subtract, shaped as ``raw``, or None
    gain : float32 rows to multiply by, (n, W) or shaped as ``raw``; NaN makes a pixel invalid
    out : (n, W) or (n, W, 3) float32, overwritten and returned

    Raises
    ------
    ValueError
        ``table`` does not cover every value that the dtype of ``raw`` can hold.
    """
    if table is None:
        np.copyto(out, raw, casting="same_kind")
    else:
        if raw.dtype.kind != "u" or len(table) <= np.iinfo(raw.dtype).max:
            raise ValueError(f"a table of {len(table)} values does not cover {raw.dtype} samples")
        # The table covers the dtype, so "clip" never clips; it spares the copy that "raise" makes.
        np.take(table, raw, out=out, mode="clip")
    if offset is not None:
        np.subtract(out, offset, out=out)
    if gain is not None:
        np.multiply(out, gain[..., None] if gain.ndim < out.ndim else gain, out=out)
    return out
