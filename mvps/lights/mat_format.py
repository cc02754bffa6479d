"""Light description of near_ps (Queau et al., JMIV 2018): ``light.mat`` with S, Dir, mu and Phi.

S in mm from the camera centre, x right, y down, z away from the camera, as OpenCV.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError, MissingExtraError
from mvps.lights.json_formats import directions_from
from mvps.lights.rig import LightRig, flips

REFERENCE_DEPTH_MM = (
    700.0  # where near_ps starts its depth; the point that directions are seen from
)


def read_mat(path: Path, *, convention: str | None = None) -> LightRig:
    """Near lights from a MATLAB file up to version 7.

    S (K, 3) is required; Dir (K, 3), mu (K, 1) and Phi (K, 1) or (K, 3) are optional. The
    directions are those seen from the point 700 mm in front of the camera on its axis.

    Raises
    ------
    MissingExtraError
        SciPy is not installed.
    InputError
        The file is not a MATLAB file of this kind, or a variable has another shape.
    """
    data = _load(path)
    where = str(path)
    if "S" not in data:
        raise InputError(path, "holds no variable S (light positions, K x 3, mm)")
    positions = _matrix(data["S"], where, "S")
    K = len(positions)
    if positions.shape != (K, 3):
        raise InputError(path, f"S has shape {positions.shape}, expected (K, 3)")
    intensities = _optional(data, "Phi", K, where)
    mu = _optional(data, "mu", K, where)
    axes = _optional(data, "Dir", K, where)
    stated = convention or "opencv"
    flip = flips(stated, where)
    depth = REFERENCE_DEPTH_MM if stated == "opencv" else -REFERENCE_DEPTH_MM
    return LightRig(
        directions_from(positions, where, (0.0, 0.0, depth)) * flip,
        np.ones(K) if intensities is None else intensities,
        positions=positions * flip,
        axes=None if axes is None else axes * flip,
        mu=mu,
        source=where,
        notes=(
            f"{path}: near lights; directions are those seen from {REFERENCE_DEPTH_MM:.0f} mm "
            "in front of the camera",
        ),
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        from scipy.io import loadmat
    except ImportError:
        raise MissingExtraError("SciPy, which reads .mat files,", "mat") from None
    if not path.is_file():
        raise InputError(path, "no such file", "check the name")
    try:
        return dict(loadmat(path, variable_names=["S", "Dir", "mu", "Phi"]))
    except NotImplementedError:
        raise InputError(path, "a MATLAB 7.3 file", "save it with -v7") from None
    except Exception as error:  # SciPy raises whatever its parser trips over
        raise InputError(path, f"not a MATLAB file that can be read ({error})") from None


def _matrix(value: Any, where: str, name: str) -> NDArray[np.float64]:
    array = np.asarray(value)
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise InputError(where, f"{name} is not a real matrix")
    return array.astype(np.float64)


def _optional(data: dict[str, Any], name: str, K: int, where: str) -> NDArray[np.float64] | None:
    if name not in data or not np.size(data[name]):
        return None
    array = _matrix(data[name], where, name)
    if array.shape == (1, K):
        array = array.T
    if array.shape == (K, 1) and name != "Dir":
        return array[:, 0]
    if array.shape != (K, 3) or name == "mu":
        raise InputError(where, f"{name} has shape {array.shape} for {K} lights")
    return array
