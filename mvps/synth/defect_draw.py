"""Defects drawn at random: size and shape first, then a place of the part that takes them.

The same part, kind, ranges and state of the generator give the same defect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth.defect_chips import draw_chip
from mvps.synth.defect_matter import contrast, matter_footprint
from mvps.synth.defect_paths import draw_crack, draw_fibre, draw_scratch
from mvps.synth.defect_pins import draw_bent_pin, draw_lost_pin
from mvps.synth.defect_ranges import RANGES, STEEPEST, Range, draw_depth, draw_from, ranges_of
from mvps.synth.defect_rays import Rays
from mvps.synth.defect_shapes import relief_of
from mvps.synth.defect_surface import (
    Footprint,
    chart_at,
    heights_over,
    patch_under,
)
from mvps.synth.defect_types import Defect, triple
from mvps.synth.defects import check_size
from mvps.synth.mesh import Mesh, bounds, face_areas, face_normals, take_faces

if TYPE_CHECKING:
    from mvps.synth.parts import Part

Array = NDArray[np.float64]

__all__ = ["RANGES", "STEEPEST", "draw_defect", "footprint_of"]

WHERE = ("any", "top", "side")
SIZES = 12  # sizes that are tried
PLACES = 40  # places that are tried for each
LOST_PIN = 0.35  # chance that a missing piece is a whole pin, where there are pins
TOP_COSINE = 0.9  # a surface that looks up
SIDE_COSINE = 0.12  # a side wall
WALL_SHARE = 0.6  # of the thickness of a wall, the deepest that a defect may go
FLATTEST = 0.75  # cosine between a chart's normal and its steepest face
LEAST_STAIN = 0.25  # contrast of a stain with whatever it lies on


@dataclass(frozen=True)
class _Site:
    """A part, prepared for trying places."""

    mesh: Mesh
    rays: Rays
    where: str
    chance: Array  # (F,) of each face
    normals: Array
    colour: Array  # (F, 3) linear


def draw_defect(
    part: Part,
    kind: str,
    rng: np.random.Generator,
    ranges: Mapping[str, Range] | None = None,
    where: str = "any",
    *,
    label: int = 1,
) -> Defect:
    """Defect of a kind at a place of the part that a camera of the rig can see.

    Parameters
    ----------
    part : of the catalogue, or any with ``name``, ``mesh`` (welded, z up), ``looks`` and ``pins``
    ranges : (smallest, largest) by the words of ``RANGES[kind]``, in place of the usual ones
    where : "top" for surfaces that look up, "side" for side walls, "any"
    label : number of the defect

    Raises
    ------
    InputError
        The kind, place or range is unknown, the smallest size is larger than the part, or no
        place takes the defect after a few hundred tries.
    """
    spans = ranges_of(kind, ranges)
    if where not in WHERE:
        raise InputError("where", f"unknown place {where!r}", "use " + ", ".join(WHERE))
    if "size_mm" in spans:
        check_size(part.mesh, kind, spans["size_mm"][0])
    if kind == "bent_pin":
        found = draw_bent_pin(part, rng, spans, where)
    elif kind == "missing_piece":
        found = _draw_missing(part, rng, spans, where)
    else:
        found = _draw_on_surface(part, kind, rng, spans, where)
    if found is None:
        low, high = spans.get("size_mm", (0.0, 0.0))
        what = f"found no place for a {kind}" + (f" of {low:g} to {high:g} mm" if high else "")
        remedy = "give smaller sizes" + ("" if where == "any" else " or another place")
        raise InputError(part.name, f"{what} ({where})", remedy)
    return replace(found, label=label)


def _draw_missing(
    part: Part, rng: np.random.Generator, spans: Mapping[str, Range], where: str
) -> Defect | None:
    if part.pins and rng.uniform() < LOST_PIN:
        lost = draw_lost_pin(part, rng, where)
        if lost is not None:
            return lost
    return draw_chip(part.mesh, rng, spans, where)


def _draw_on_surface(
    part: Part, kind: str, rng: np.random.Generator, spans: Mapping[str, Range], where: str
) -> Defect | None:
    site = _site(part, where)
    longest = float(np.ptp(bounds(part.mesh), axis=0).max())
    if not site.chance.any():
        return None
    for _ in range(SIZES):
        shape = _draw_shape(kind, rng, spans)
        if shape.size_mm > longest:
            continue
        footprint = footprint_of(shape)
        for _ in range(PLACES):
            placed = _draw_place(site, shape, rng)
            if _fits(site, placed, footprint):
                return placed
    return None


def footprint_of(defect: Defect) -> Footprint:
    """Where a defect of the surface lies in its chart."""
    if defect.kind in {"contamination", "discoloration"}:
        return matter_footprint(defect)
    return relief_of(defect).footprint


def _site(part: Part, where: str) -> _Site:
    normals = face_normals(part.mesh)
    up = normals[:, 2]
    allowed = {"top": up > TOP_COSINE, "side": np.abs(up) < SIDE_COSINE}.get(where, up > -0.2)
    chance = face_areas(part.mesh) * allowed
    total = chance.sum()
    chance = chance / total if total else chance
    colours = np.array([part.looks[name].colour for name in part.mesh.materials])
    colour = colours[part.mesh.material]
    return _Site(part.mesh, Rays(part.mesh), where, chance, normals, colour)


def _draw_shape(kind: str, rng: np.random.Generator, spans: Mapping[str, Range]) -> Defect:
    """A defect of drawn size and shape at the origin, facing up."""
    size = draw_from(rng, spans["size_mm"])
    words: dict[str, Any] = {"seed": int(rng.integers(1 << 31))}
    depth = 0.0
    if kind in {"scratch", "crack"}:
        width = draw_from(rng, spans["width_mm"])
        depth = draw_depth(rng, kind, spans["depth_mm"], width)
        words["width_mm"] = width
        words |= draw_scratch(rng, size) if kind == "scratch" else draw_crack(rng, size, width)
    elif kind == "contamination":
        return _draw_matter(rng, spans, size, words)
    elif kind == "discoloration":
        words |= {"aspect": round(float(rng.uniform(0.55, 1.0)), 3)}
        words |= {"softness": round(float(rng.uniform(0.25, 0.6)), 3), "colour": _stain_colour(rng)}
    else:
        depth = draw_depth(rng, kind, spans["depth_mm"], size)
        if kind != "pit":
            words["aspect"] = round(float(rng.uniform(0.65, 1.0)), 3)
    return Defect(kind, 1, (0, 0, 0), (0, 0, 1), (1, 0, 0), size, depth, words)


def _draw_matter(
    rng: np.random.Generator, spans: Mapping[str, Range], size: float, words: dict[str, Any]
) -> Defect:
    form = str(rng.choice(["drop", "crumb", "fibre"]))
    words["form"] = form
    if form == "fibre":
        size = draw_from(rng, spans["fibre_mm"])
        depth = draw_from(rng, spans["thickness_mm"])
        words |= draw_fibre(rng, size)
    else:
        depth = draw_depth(rng, "contamination", spans["depth_mm"], size)
    words["colour"] = _matter_colour(rng, form)
    return Defect("contamination", 1, (0, 0, 0), (0, 0, 1), (1, 0, 0), size, depth, words)


def _draw_place(site: _Site, shape: Defect, rng: np.random.Generator) -> Defect:
    face = int(rng.choice(len(site.chance), p=site.chance))
    weight = rng.dirichlet(np.ones(3))
    point = weight @ site.mesh.vertices[site.mesh.faces[face]]
    normal = site.normals[face]
    way = rng.normal(size=3)
    way -= normal * (way @ normal)
    way /= np.linalg.norm(way)
    return replace(shape, position=triple(point), normal=triple(normal), direction=triple(way))


def _fits(site: _Site, defect: Defect, footprint: Footprint) -> bool:
    """Whether a smooth, thick enough, visible patch lies under the whole footprint.

    A stain is visible where its colour is another than that of the patch.
    """
    chart = chart_at(defect.position, defect.normal, defect.direction)
    flat = chart.flat(site.mesh.vertices[site.mesh.faces])
    near = footprint.near(flat) & (np.abs(flat[..., 2]).min(axis=1) < 4 * defect.size_mm)
    local = take_faces(site.mesh, near)
    try:
        patch = patch_under(local, chart, footprint)
    except InputError:
        return False
    probes = _probes(footprint)
    flat = flat[near]
    patch &= face_normals(local) @ chart.axes[2] > FLATTEST
    if defect.kind == "discoloration":
        stain = np.asarray(defect.parameters["colour"])
        if (contrast(site.colour[near][patch], stain) < LEAST_STAIN).any():
            return False
    level = _highest(heights_over(flat[patch], probes))
    if np.isinf(level).any():
        return False
    cut = 0.0 if defect.kind in {"contamination", "discoloration", "bump"} else defect.depth_mm
    if not _has_room(flat[~patch], probes, level, cut, defect.size_mm):
        return False
    ends = probes[np.linspace(0, len(probes) - 1, 5).astype(int)]
    lifted = level[np.linspace(0, len(probes) - 1, 5).astype(int)] + 1e-3
    points = chart.lift(np.column_stack([ends, lifted]))
    return all(site.rays.in_sight(point, chart.axes[2], site.where) for point in points)


def _probes(footprint: Footprint) -> Array:
    """Points (S, 2) of a footprint: its chain and rings around it."""
    step = max(1, len(footprint.chain) // 40)
    chain = np.concatenate([footprint.chain[::step], footprint.chain[-1:]])
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1) * footprint.reach
    rings = [chain[:, None] + share * ring for share in (0.55, 1.08)]
    around = np.concatenate(rings, axis=1).reshape(-1, 2)
    return np.concatenate([chain, around])


def _highest(over: Array) -> Array:
    return np.asarray(np.where(np.isnan(over), -np.inf, over).max(axis=1, initial=-np.inf))


def _has_room(flat: Array, probes: Array, level: Array, cut: float, clear: float) -> bool:
    """Whether no other face lies closely below what is cut, or close above the patch."""
    over = heights_over(flat, probes)
    below = np.where(over < level[:, None] - 1e-4, over, -np.inf).max(axis=1, initial=-np.inf)
    above = np.where(over > level[:, None] + 1e-4, over, np.inf).min(axis=1, initial=np.inf)
    return bool((level - below).min() * WALL_SHARE > cut and (above - level).min() > clear)


def _stain_colour(rng: np.random.Generator) -> list[float]:
    """Linear colour of a stain: scorched, oily, rusty or bleached."""
    colours = [(0.05, 0.03, 0.015), (0.16, 0.11, 0.02), (0.28, 0.09, 0.03), (0.55, 0.55, 0.5)]
    return _near(rng, colours)


def _matter_colour(rng: np.random.Generator, form: str) -> list[float]:
    """Linear colour of a drop of flux, oil or glue; of swarf or grit; of lint."""
    colours = {
        "drop": [(0.20, 0.09, 0.015), (0.42, 0.33, 0.16), (0.05, 0.04, 0.03)],
        "crumb": [(0.32, 0.27, 0.21), (0.12, 0.1, 0.09), (0.5, 0.48, 0.44)],
        "fibre": [(0.62, 0.6, 0.56), (0.08, 0.1, 0.3), (0.35, 0.05, 0.05), (0.06, 0.06, 0.06)],
    }
    return _near(rng, colours[form])


def _near(rng: np.random.Generator, colours: list[tuple[float, float, float]]) -> list[float]:
    chosen = np.array(colours[int(rng.integers(len(colours)))])
    spread = chosen * rng.uniform(0.8, 1.2, 3)
    return [round(float(value), 4) for value in np.clip(spread, 0, 0.95)]
