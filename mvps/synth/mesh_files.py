"""Parts from mesh files: PLY, OBJ, STL and glTF through trimesh, VRML 2 by the reader here.

A file is checked before it is rendered: what cannot be is an error, what will look wrong a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mvps.errors import InputError, MissingExtraError
from mvps.findings import Finding
from mvps.synth.mesh import Mesh, bounds, face_areas, find_edges, join, make_mesh, volume
from mvps.synth.vrml import TENTH_INCH_MM, read_vrml
from mvps.yaml_nodes import did_you_mean

AUTO = "auto"  # millimetres, but metres in glTF, whose standard says so
UNITS = {
    "mm": 1.0,
    "cm": 10.0,
    "m": 1000.0,
    "um": 0.001,
    "inch": 25.4,
    "tenth-inch": TENTH_INCH_MM,
}
GLTF = (".glb", ".gltf")
SUFFIXES = (".ply", ".obj", ".stl", *GLTF, ".wrl", ".vrml")
MAX_BYTES = 512 << 20
MAX_FACES = 4_000_000
ABSURD_MM = 1e7  # ten kilometres: no unit explains it, and float32 no longer resolves it
SMALLEST_MM, LARGEST_MM = 0.5, 1000.0  # a longest side beyond these suggests another unit
FLAT = 1e-9  # a face of less area, as a share of the square of the longest side, has none
TOLERATED = 0.001  # share of faces without area that no one notices


def read_mesh(path: Path, units: str = AUTO) -> Mesh:
    """Mesh of a file in mm. Vertices are not welded.

    Parameters
    ----------
    units : of the file: one of ``UNITS``, or "auto" for mm (metres in glTF)

    Raises
    ------
    InputError
        The file cannot be read as a mesh, is too large, has no faces, or a vertex that is no
        number.
    MissingExtraError
        trimesh is not installed, and the file is not VRML.
    """
    if units not in (AUTO, *UNITS):
        raise InputError(units, "no such unit", did_you_mean(units, (AUTO, *UNITS)))
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError(path, "not a mesh's name", "use " + ", ".join(SUFFIXES))
    if not path.is_file():
        raise InputError(path, "no such file", "check the name")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(path, f"larger than {MAX_BYTES >> 20} MiB", "export it more coarsely")
    scale = UNITS[("m" if suffix in GLTF else "mm") if units == AUTO else units]
    mesh = read_vrml(path)[0] if suffix in (".wrl", ".vrml") else _by_trimesh(path)
    if len(mesh.faces) > MAX_FACES:
        raise InputError(path, f"more than {MAX_FACES} triangles", "export it more coarsely")
    fault = next(_faults(mesh), None)
    if fault is not None:
        raise InputError(path, fault.message)
    return replace(mesh, vertices=mesh.vertices * scale)


def check_mesh(mesh: Mesh) -> tuple[Finding, ...]:
    """What is wrong with a welded mesh: errors make it impossible to render, warnings doubtful.

    Codes: "no-faces", "not-finite", "absurd", "flat" (errors); "small", "large", "non-manifold",
    "open", "inside-out", "degenerate" (warnings). Messages are one line and do not name the file.
    """
    faults = tuple(_faults(mesh))
    return faults or (*_size(mesh), *_topology(mesh))


def _faults(mesh: Mesh) -> Iterator[Finding]:
    if not len(mesh.faces):
        yield Finding("error", "no-faces", "the mesh has no faces; export a surface, not points")
        return
    if not np.isfinite(mesh.vertices[mesh.faces]).all():
        bad = np.count_nonzero(~np.isfinite(mesh.vertices).all(axis=1))
        yield Finding("error", "not-finite", f"{bad} vertices are not numbers; repair the mesh")
    elif np.abs(mesh.vertices[mesh.faces]).max() > ABSURD_MM:
        what = f"a vertex lies more than {ABSURD_MM:.0e} mm from the origin"
        yield Finding("error", "absurd", f"{what}; state the unit, or move the part to the origin")
    elif not face_areas(mesh).any():
        yield Finding("error", "flat", "no face of the mesh has an area; export a surface")


def _size(mesh: Mesh) -> Iterator[Finding]:
    longest = float(np.ptp(bounds(mesh), axis=0).max())
    what = f"the longest side is {longest:.3g} mm"
    if longest < SMALLEST_MM:
        guess = f"in metres it would be {1000 * longest:.3g} mm"
        yield Finding("warning", "small", f"{what}; {guess}: state the unit of the file")
    elif longest > LARGEST_MM:
        guess = f"in micrometres it would be {longest / 1000:.3g} mm"
        yield Finding("warning", "large", f"{what}; {guess}: state the unit of the file")


def _topology(mesh: Mesh) -> Iterator[Finding]:
    count = find_edges(mesh.faces, len(mesh.vertices)).count
    many, lone = (float(np.mean(part)) for part in (count > 2, count == 1))
    if many > 0:
        what = f"non-manifold: {many:.2%} of the edges join more than two faces"
        yield Finding("warning", "non-manifold", f"{what}; defects there may tear the surface")
    if lone > 0:
        what = f"open: {lone:.2%} of the edges bound one face only"
        yield Finding("warning", "open", f"{what}; a camera may see the inside")
    elif volume(mesh) < 0:
        what = "inside out: its faces look inward"
        yield Finding("warning", "inside-out", f"{what}; turn them round in the CAD program")
    side = float(np.ptp(bounds(mesh), axis=0).max())
    thin = float(np.mean(face_areas(mesh) <= FLAT * side**2))
    if thin > TOLERATED:
        yield Finding("warning", "degenerate", f"{thin:.2%} of the faces have no area")


def _by_trimesh(path: Path) -> Mesh:
    try:
        import trimesh
    except ImportError:
        raise MissingExtraError("trimesh", "synth") from None
    try:
        # Textures are of no use here, and their files need not be opened.
        scene = trimesh.load_scene(path, process=False, skip_materials=True)
        pieces = [piece for piece in scene.dump() if hasattr(piece, "faces")]
        return join([_piece(piece) for piece in pieces])
    except ImportError:  # what takes the file for text guesses its encoding with another package
        what = "cannot be read as a mesh (neither text nor the bytes of one)"
        raise InputError(path, what, "export it again") from None
    except Exception as error:  # its readers raise whatever their text makes them stumble on
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(path, f"cannot be read as a mesh ({reason})", "export it again") from None


def _piece(piece: Any) -> Mesh:
    vertices, faces = np.asarray(piece.vertices), np.asarray(piece.faces)
    if len(faces) and not 0 <= faces.min() <= faces.max() < len(vertices):
        raise ValueError("a face names a vertex that is not there")
    return make_mesh(vertices, faces)
