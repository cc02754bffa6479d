"""Defects of parts: the kinds there are, a part that is given one, and where a camera sees it.

Fine or large, they move vertices, take or add faces, or colour them: nothing is faked in shading
normals. The mask of a defect follows from which triangles the samples of a pixel hit first.
"""

from __future__ import annotations

from collections.abc import Iterable
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

# A pixel belongs to the mask from this share of its area on: one sample of the usual 16. Chosen by
# benchmarks/synth_masks.py, whose table is in docs/synth.md.
LEAST_COVERED = 0.06

__all__ = [
    "GEOMETRIC",
    "KINDS",
    "LEAST_COVERED",
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


def defect_mask(renderers: Iterable[Renderer], view: View, samples: int = 16) -> NDArray[np.bool_]:
    """Pixels in which a picture shows the defects, from the triangles that its samples hit first.

    Parameters
    ----------
    renderers : scene with ``Damaged.mesh`` and, in the same pose, scenes with ``Damaged.removed``
        where that is not None
    view : of one camera
    samples : a pixel, of the picture

    Returns
    -------
    (H, W) bool
        True where the damaged part shows a face of a defect, or the sound part showed a face that
        is gone or has moved away, over 6% of the pixel or more: one of 16 samples. All False where
        every one of them is hidden.
    """
    covered = [renderer.coverage(view, samples) >= LEAST_COVERED for renderer in renderers]
    mask: NDArray[np.bool_] = np.logical_or.reduce(covered)
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
