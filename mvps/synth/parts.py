"""The catalogue: six parts of electronics from the KiCad 3D library, posed as a line presents them.

Their files lie in ``examples/parts`` with NOTICE.md, which names authors, licence and sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.native import resource_dir
from mvps.synth.materials import Material, preset
from mvps.synth.mesh import Mesh, bounds, components, join, take_faces, transformed, weld
from mvps.synth.mesh_refine import rounded
from mvps.synth.mesh_stitch import stitch
from mvps.synth.placing import stand
from mvps.synth.vrml import TENTH_INCH_MM, read_vrml
from mvps.yaml_nodes import did_you_mean

FOLDER = "examples/parts"
WELD_MM = 1e-4
SEAM_MM = 0.03  # the sag of the chords in which the library's curves are drawn
ROUND_MM = 0.2
ABOVE_MM = 1e-3  # a face reaches above a level only when it does so by this much
SLENDER = 0.5  # a pin is so much wider than long, at most

UPRIGHT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
TURNED = ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0))  # +y of the file looks to the front
ON_ITS_BACK = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (-1.0, 0.0, 0.0))  # -x of the file looks up

Rows = tuple[tuple[float, float, float], ...]
Look = tuple[str, tuple[float, float, float]]

WHITE: Look = ("plastic", (0.62, 0.60, 0.55))
BLACK: Look = ("plastic", (0.075, 0.075, 0.08))
TIN: Look = ("polished_metal", (0.74, 0.73, 0.70))
SHEET: Look = ("brushed_metal", (0.70, 0.69, 0.66))


@dataclass(frozen=True, eq=False)
class Part:
    """A part, standing on z = 0 and centred in x and y.

    Attributes
    ----------
    name : of the catalogue, or of a file
    mesh : part frame, mm, z up; welded within each body
    looks : material by the names in ``mesh.materials``
    pins : numbers, as :func:`mvps.synth.mesh.components` gives them, of the pieces that are pins
    title : what it is, in words
    """

    name: str
    mesh: Mesh
    looks: Mapping[str, Material]
    pins: tuple[int, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class _Entry:
    """How a file becomes a part.

    ``pins`` names the material of the pins. ``repaint`` gives the faces of one material in one
    plane z another (mm, frame of the file), where the library's colour is a slip.
    """

    title: str
    looks: Mapping[str, Look]
    pins: str
    pose: Rows = UPRIGHT
    repaint: tuple[str, str, float] | None = None


CATALOGUE: Mapping[str, _Entry] = {
    "barrel_jack": _Entry(
        "barrel jack for a power plug", {"PIN-01": SHEET, "CAP-CERAMIC-05": BLACK}, "PIN-01"
    ),
    "dht11": _Entry(
        "sensor of humidity and temperature",
        {
            "PIN-01": TIN,
            "PLASTIC-BLUE-01": ("plastic", (0.045, 0.16, 0.42)),
            "IC-BODY-EPOXY-04": BLACK,
            "MET-SILVER": SHEET,
        },
        "PIN-01",
        ON_ITS_BACK,
    ),
    "fuse_holder": _Entry(
        "holder for a blade fuse", {"IC-BODY-EPOXY-04": BLACK, "PIN-01": TIN}, "PIN-01"
    ),
    "jst_header": _Entry(
        "header of four pins", {"PLASTIC-WHITE-01": WHITE, "PIN-01": TIN}, "PIN-01"
    ),
    "rj45_jack": _Entry(
        "network jack in a metal shield",
        {
            "PIN-01": SHEET,
            "LED-GREEN": ("plastic", (0.07, 0.36, 0.11)),
            "MET-BRONZE": ("polished_metal", (0.80, 0.58, 0.28)),
            "IC-BODY-EPOXY-04": BLACK,
        },
        "PIN-01",
        TURNED,
    ),
    "toroid_choke": _Entry(
        "choke on a ring of ferrite",
        {
            "MET-COPPER": ("polished_metal", (0.72, 0.36, 0.20)),
            "IC-BODY-EPOXY-04": ("ceramic", (0.11, 0.115, 0.12)),
            "PLASTIC-WHITE-01": WHITE,
        },
        "MET-COPPER",
        repaint=("MET-COPPER", "PLASTIC-WHITE-01", 9.644),
    ),
}


def part_names() -> tuple[str, ...]:
    """Names of the parts of the catalogue."""
    return tuple(CATALOGUE)


@cache
def load_part(name: str) -> Part:
    """A part of the catalogue, with its round faces made round; kept, so treat it as read-only.

    Raises
    ------
    InputError
        There is no such part.
    """
    if name not in CATALOGUE:
        raise InputError(name, "no such part", did_you_mean(name, part_names()))
    entry = CATALOGUE[name]
    mesh, _ = read_vrml(resource_dir(FOLDER) / f"{name}.wrl", TENTH_INCH_MM)
    if entry.repaint is not None:
        mesh = _repainted(mesh, *entry.repaint)
    mesh = rounded(stitch(weld(mesh, WELD_MM), SEAM_MM), ROUND_MM)
    mesh, pins = _with_pins(mesh, entry.pins)
    pose = np.eye(4)
    pose[:3, :3] = entry.pose
    looks = {word: preset(look).coloured(colour) for word, (look, colour) in entry.looks.items()}
    return Part(name, _centred(stand(transformed(mesh, pose))), looks, pins, entry.title)


def _repainted(mesh: Mesh, old: str, new: str, level: float) -> Mesh:
    height = mesh.vertices[mesh.faces][:, :, 2]
    at_level = (np.abs(height - level) < 0.01).all(axis=1)
    here = at_level & (mesh.material == mesh.materials.index(old))
    mesh.material[here] = mesh.materials.index(new)
    return mesh


def _with_pins(mesh: Mesh, metal: str) -> tuple[Mesh, tuple[int, ...]]:
    """The mesh with its pins as pieces of their own, and their numbers.

    A pin is a slender piece of metal, or what hangs below the board (z = 0 of the library's files)
    from a piece that is not.
    """
    piece = components(mesh)
    mine = mesh.material == mesh.materials.index(metal)
    whole = [number for number in np.unique(piece[mine]) if _is_slender(mesh, piece == number)]
    slender = np.isin(piece, whole)
    height = mesh.vertices[mesh.faces][:, :, 2]
    below = (height.max(axis=1) <= ABOVE_MM) & (height.min(axis=1) < -ABOVE_MM)
    hanging = mine & below & ~slender
    parted = join([take_faces(mesh, ~hanging), take_faces(mesh, hanging)])
    is_pin = np.concatenate([slender[~hanging], np.ones(np.count_nonzero(hanging), np.bool_)])
    return parted, tuple(int(number) for number in np.unique(components(parted)[is_pin]))


def _is_slender(mesh: Mesh, faces: NDArray[np.bool_]) -> bool:
    points = mesh.vertices[np.unique(mesh.faces[faces])]
    centred = points - points.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    extent = np.sort(np.ptp(centred @ axes.T, axis=0))
    return bool(extent[1] < SLENDER * extent[2])


def _centred(mesh: Mesh) -> Mesh:
    shift = np.eye(4)
    shift[:2, 3] = -bounds(mesh)[:, :2].mean(axis=0)
    return transformed(mesh, shift)
