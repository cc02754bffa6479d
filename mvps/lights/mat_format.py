"""Light description of near_ps (Queau et al., JMIV 2018): ``light.mat`` with S, Dir, mu and Phi.

S in mm from the camera centre, x right, y down, z away from the camera, as OpenCV.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError, MissingExtraError
from mvps.files import atomic_path
from mvps.lights.losses import held_losses, moved_directions
from mvps.lights.rig import LightRig, flips
from mvps.lights.vectors import directions_from

MAGIC = b"MATLAB"
# Where near_ps starts its depth: the point that directions are seen from.
REFERENCE_DEPTH_MM = 700.0


def looks_like_mat(path: Path) -> bool:
    """Whether a file is one of MATLAB: by its ending or its first bytes."""
    if path.suffix.lower() == ".mat":
        return True
    try:
        if not path.is_file():  # to open a pipe would wait for a writer
            return False
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


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


def mat_losses(rig: LightRig) -> tuple[str, ...]:
    """What ``light.mat`` cannot hold of a rig; InputError where it has no positions."""
    _positions(rig)
    found = held_losses(rig, "names")
    if (rig.axes is None) != (rig.mu is None):
        found += (
            "an axis without mu, or mu without an axis (written as a light that shines evenly)",
        )
    point = (0.0, 0.0, -REFERENCE_DEPTH_MM)
    return (*found, *moved_directions(rig, point, "the camera's centre"))


def write_mat(rig: LightRig, path: Path) -> tuple[Path, ...]:
    """Write S, Dir, mu and Phi in OpenCV's frame; lights without an axis get mu 0 (even).

    Raises
    ------
    InputError
        The rig has no positions, which near_ps cannot do without.
    MissingExtraError
        SciPy is not installed.
    """
    positions = _positions(rig)
    try:
        from scipy.io import savemat
    except ImportError:
        raise MissingExtraError("SciPy, which writes .mat files,", "mat") from None
    K, flip = len(rig), flips("opencv")
    axes = np.tile([0.0, 0.0, -1.0], (K, 1)) if rig.axes is None else rig.axes
    mu = np.zeros(K) if rig.mu is None or rig.axes is None else rig.mu
    values = {
        "S": positions * flip,
        "Dir": axes * flip,
        "mu": mu.reshape(K, 1),
        "Phi": rig.intensities.reshape(K, -1),
    }
    with atomic_path(path) as temporary:
        savemat(temporary, values, appendmat=False)
    return (path,)


def _positions(rig: LightRig) -> NDArray[np.float64]:
    if rig.positions is None:
        what = "light.mat needs positions, and these lights have none"
        raise InputError(rig.source or "lights", what)
    return rig.positions


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
    if not np.isfinite(array).all():
        raise InputError(where, f"{name} holds a value that is not finite")
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
