"""What can be put before the rig: a part of the catalogue, a procedural shape, or a mesh file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mvps.errors import InputError
from mvps.synth.materials import Material, preset
from mvps.synth.mesh import Mesh, bounds, weld
from mvps.synth.parts import Part, load_part, part_names
from mvps.synth.shapes import cosine_relief, cylinder, plate, sphere_cap, torus, washer
from mvps.yaml_nodes import did_you_mean

SHAPES: dict[str, Callable[[], Mesh]] = {
    "block": lambda: plate(16.0, 12.0, 5.0, 0.8),
    "cap": lambda: sphere_cap(9.0, 8.0),
    "rod": lambda: cylinder(3.0, 12.0),
    "ring": lambda: torus(6.0, 2.0),
    "washer": lambda: washer(3.5, 8.0, 2.0, 0.3),
    "relief": lambda: cosine_relief(16.0, 16.0, 2.0, 0.4, 8.0),
}
SHAPE_LOOK = "plastic"
FILE_LOOK = Material("plastic", (0.35, 0.36, 0.38), roughness=0.45)


@dataclass(frozen=True, eq=False)
class Subject:
    """A part that was asked for by a word.

    Attributes
    ----------
    part : in its own frame
    kind : "part", "shape" or "file"
    warnings : what checking the mesh of a file found, one line each
    """

    part: Part
    kind: str
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What pictures of it are called after."""
        return self.part.name

    @property
    def size_mm(self) -> tuple[float, ...]:
        """Sides of the box round it."""
        return tuple(float(side) for side in np.ptp(bounds(self.part.mesh), axis=0))

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        mesh = self.part.mesh
        return {
            "name": self.name,
            "kind": self.kind,
            "size_mm": [round(side, 3) for side in self.size_mm],
            "faces": len(mesh.faces),
            "pins": len(self.part.pins),
            "materials": list(mesh.materials),
        }


def find_part(word: str, *, units: str = "auto", material: str = "") -> Subject:
    """The part that a word stands for: of the catalogue, a shape, or a mesh file.

    Parameters
    ----------
    units : of a mesh file
    material : preset for the whole part; its own looks when empty

    Raises
    ------
    InputError
        There is no such part and no such file, or the file's mesh cannot be rendered.
    """
    if units != "auto" and (word in part_names() or word in SHAPES):
        raise InputError("--units", f"{word} is in mm already", "leave them out, or give a file")
    subject = _found(word, units)
    if not material:
        return subject
    look = preset(material)
    looks = dict.fromkeys(subject.part.mesh.materials, look)
    return replace(subject, part=replace(subject.part, looks=looks))


def list_subjects() -> tuple[Subject, ...]:
    """Everything that needs no file."""
    parts = [Subject(load_part(name), "part") for name in part_names()]
    return (*parts, *(_shape(name) for name in SHAPES))


def _found(word: str, units: str) -> Subject:
    if word in part_names():
        return Subject(load_part(word), "part")
    if word in SHAPES:
        return _shape(word)
    path = Path(word)
    if path.suffix or path.exists():
        return _from_file(path, units)
    known = (*part_names(), *SHAPES)
    raise InputError(word, "no such part, shape or mesh file", did_you_mean(word, known))


def _shape(name: str) -> Subject:
    mesh = SHAPES[name]()
    looks = dict.fromkeys(mesh.materials, preset(SHAPE_LOOK))
    return Subject(Part(name=name, mesh=mesh, looks=looks), "shape")


def _from_file(path: Path, units: str) -> Subject:
    from mvps.synth.mesh_files import check_mesh, read_mesh

    mesh = weld(read_mesh(path, units=units))
    warnings = []
    for finding in check_mesh(mesh):
        if finding.level == "error":
            raise InputError(path, finding.message)
        warnings.append(f"{path}: {finding.message}")
    low, high = bounds(mesh)
    middle = np.array([*(low + high)[:2] / 2, low[2]])
    centred = replace(mesh, vertices=mesh.vertices - middle)
    looks = dict.fromkeys(mesh.materials, FILE_LOOK)
    return Subject(Part(path.stem, centred, looks), "file", tuple(warnings))
