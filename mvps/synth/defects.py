"""Defects of parts: the kinds there are, a part that is given one, and where a camera sees it.

Fine or large, they move vertices, take or add faces, or colour them: nothing is faked in shading
normals. The mask of a defect follows from which triangle a ray hits first.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth.defect_matter import contaminate, discolour
from mvps.synth.defect_pieces import bend_pin, break_chip, lose_piece
from mvps.synth.defect_shapes import relief_of
from mvps.synth.defect_surface import (
    Chart,
    chart_at,
    displace,
    patch_normals,
    patch_under,
    refine_patch,
)
from mvps.synth.defect_types import GEOMETRIC, KINDS, Damaged, Defect, Looks
from mvps.synth.mesh import Mesh, bounds, corner_normals

if TYPE_CHECKING:
    from mvps.synth.renderer import Renderer
    from mvps.synth.views import View

__all__ = [
    "GEOMETRIC",
    "KINDS",
    "Damaged",
    "Defect",
    "apply_defect",
    "check_size",
    "defect_mask",
]


def apply_defect(mesh: Mesh, looks: Looks, defect: Defect) -> Damaged:
    """Give a part a defect.

    Parameters
    ----------
    mesh : welded, in the frame of the part (that of ``defect.position``)
    looks : material by name; every material of the mesh must have one
    defect : as `draw_defect` or `Defect.from_dict` gives it

    Returns
    -------
    Damaged
        The mesh, refined where it needs to be, with the label of the defect on the faces that
        show it: on geometric ones those that turn by more than 1 degree or move by more than 3%
        of the depth, on a stain those of another shade, on matter all that was added.

    Raises
    ------
    InputError
        The defect is larger than the part, off its surface, or its record lacks a word.
    """
    check_size(mesh, defect.kind, defect.size_mm)
    try:
        return _apply(replace(mesh, normals=corner_normals(mesh)), looks, defect)
    except (KeyError, TypeError, ValueError) as error:
        what = f"its record does not describe a {defect.kind} ({error})"
        raise InputError(defect.kind, what) from error


def check_size(mesh: Mesh, kind: str, size_mm: float) -> None:
    """InputError when a defect is longer than the longest side of the part."""
    sides = np.ptp(bounds(mesh), axis=0)
    if size_mm > sides.max():
        x, y, z = sides
        what = f"{size_mm:g} mm is larger than the part ({x:.3g} x {y:.3g} x {z:.3g} mm)"
        raise InputError(kind, what, "ask for a smaller one")


def defect_mask(
    renderer_good: Renderer | None, renderer_bad: Renderer, view: View
) -> NDArray[np.bool_]:
    """Pixels in which a camera sees the defects, from the triangle that a ray hits first.

    Parameters
    ----------
    renderer_good : scene with ``Damaged.removed`` in the pose of the damaged part; None where
        that is None
    renderer_bad : scene with ``Damaged.mesh``
    view : of one camera

    Returns
    -------
    (H, W) bool
        True where the damaged part shows a face of a defect, or where the sound part showed a
        face that is gone or has moved away. All False where every one of them is hidden.
    """
    mask: NDArray[np.bool_] = renderer_bad.truth(view).label > 0
    if renderer_good is not None:
        mask = mask | (renderer_good.truth(view).label > 0)
    return mask


def _apply(mesh: Mesh, looks: Looks, defect: Defect) -> Damaged:
    if defect.kind == "bent_pin":
        return bend_pin(mesh, looks, defect)
    if defect.kind == "missing_piece" and defect.parameters["form"] == "piece":
        return lose_piece(mesh, looks, defect)
    chart = chart_at(defect.position, defect.normal, defect.direction)
    if defect.kind == "missing_piece":
        return break_chip(mesh, looks, defect, chart)
    if defect.kind == "contamination":
        return contaminate(mesh, looks, defect, chart)
    if defect.kind == "discoloration":
        return discolour(mesh, looks, defect, chart)
    return Damaged(_with_relief(mesh, defect, chart), looks)


def _with_relief(mesh: Mesh, defect: Defect, chart: Chart) -> Mesh:
    relief = relief_of(defect)
    finer = refine_patch(mesh, chart, relief.footprint)
    patch = patch_under(finer, chart, relief.footprint)
    normals = patch_normals(finer, patch)
    ids = np.unique(finer.faces[patch])
    shift = np.zeros_like(finer.vertices)
    height = relief.height(chart.flat(finer.vertices[ids])[:, :2])
    shift[ids] = height[:, None] * normals[ids]
    return displace(finer, patch, shift, defect.label, defect.depth_mm)
