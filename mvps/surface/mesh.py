"""A height as a triangle mesh, thinned by quadric errors (Garland and Heckbert, SIGGRAPH 1997)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError, MissingExtraError
from mvps.files import atomic_path
from mvps.surface.relief import Relief

SUFFIXES = (".ply", ".obj", ".glb")
DEFAULT_FACES = 200_000
DETAIL = 8  # triangles before thinning for each one that is left, at most
METRES = 0.001  # a glTF file is in metres, whatever unit its maker thinks in


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles of a surface.

    Attributes
    ----------
    vertices : (N, 3) float32, x right, y up, z towards the camera, in the unit of the height
    faces : (M, 3) int32, counter-clockwise as the camera sees them
    step : every how many pixels a vertex was taken before thinning
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    step: int


def check_mesh(path: Path, faces: int = DEFAULT_FACES) -> None:
    """Refuse what makes no mesh, and a missing package, before anything is computed.

    Raises
    ------
    InputError
        The ending is none of .ply, .obj and .glb, the folder is missing, or fewer than four faces
        are asked for.
    MissingExtraError
        trimesh or fast-simplification is not installed.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(path, "not a mesh's name", "end it in " + ", ".join(SUFFIXES))
    if not path.absolute().parent.is_dir():
        raise InputError(path, "its folder does not exist", "make the folder first")
    _check_faces(faces)
    _packages()


def surface_mesh(
    relief: Relief, regions: NDArray[np.int32] | None = None, *, faces: int = DEFAULT_FACES
) -> Mesh:
    """Mesh of a height, without the walls between regions whose heights are not related.

    A map with more than eight times as many triangles as wanted is first taken at every n-th
    pixel, which bounds memory; the rest is thinned where the surface is flattest.

    Parameters
    ----------
    regions : (H, W) numbers of the regions; triangles across two of them are left out
    faces : number of triangles at most

    Raises
    ------
    InputError
        Fewer than four faces are asked for, or no four neighbouring pixels have a height.
    """
    _check_faces(faces)
    known = np.isfinite(relief.height)
    step = max(1, int(np.ceil(np.sqrt(2 * np.count_nonzero(known) / (DETAIL * faces)))))
    vertices, triangles = _grid_mesh(relief, regions, step)
    if not len(triangles):
        raise InputError("--mesh", "no four neighbouring pixels have a height", "check the mask")
    if len(triangles) > faces:
        _, simplification = _packages()
        vertices, triangles = simplification.simplify(vertices, triangles, target_count=faces)
    return Mesh(np.asarray(vertices, np.float32), np.asarray(triangles, np.int32), step)


def write_mesh(path: Path, mesh: Mesh, unit: str) -> str:
    """Write PLY (binary), OBJ or GLB, by the ending; PLY and OBJ in ``unit``, GLB in metres where
    the unit is mm, as glTF demands. Returns the unit of the file.

    Raises
    ------
    InputError, MissingExtraError
        As :func:`check_mesh`.
    """
    check_mesh(path)
    trimesh, _ = _packages()
    kind = path.suffix.lower().removeprefix(".")
    metric = kind == "glb" and unit == "mm"
    vertices = mesh.vertices * np.float32(METRES) if metric else mesh.vertices
    body = trimesh.Trimesh(vertices=vertices, faces=mesh.faces, process=False)
    data = body.export(file_type=kind)
    with atomic_path(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)
    return "m" if metric else unit


def _grid_mesh(
    relief: Relief, regions: NDArray[np.int32] | None, step: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Two triangles for every four neighbouring pixels of one region."""
    height = relief.height[::step, ::step]
    part = np.isfinite(height).astype(np.int32)
    if regions is not None:
        part *= regions[::step, ::step] + 1
    corners = part[:-1, :-1], part[:-1, 1:], part[1:, :-1], part[1:, 1:]
    whole = corners[0] > 0
    for other in corners[1:]:
        whole &= other == corners[0]
    index = np.arange(height.size, dtype=np.int32).reshape(height.shape)
    a, b, c, d = (
        index[rows, columns][whole]
        for rows in (slice(None, -1), slice(1, None))
        for columns in (slice(None, -1), slice(1, None))
    )
    faces = np.concatenate([np.stack([a, c, b], axis=1), np.stack([b, c, d], axis=1)])
    used = np.zeros(height.size, np.bool_)
    used[faces] = True
    number = np.cumsum(used, dtype=np.int32) - np.int32(1)
    x, y = relief.position(step)
    vertices = np.stack([plane.ravel()[used] for plane in (x, y, height)], axis=1)
    return np.ascontiguousarray(vertices, np.float32), number[faces]


def _check_faces(faces: int) -> None:
    if faces < 4:
        raise InputError("--faces", f"{faces} triangles make no surface", "ask for 4 or more")


def _packages() -> tuple[Any, Any]:
    try:
        import fast_simplification
        import trimesh
    except ImportError:
        raise MissingExtraError("trimesh or fast-simplification", "surface") from None
    return trimesh, fast_simplification
