"""Reader of VRML 2 (ISO/IEC 14772-1) as CAD libraries write it: face sets, materials, transforms.

Nodes that draw nothing (viewpoints, lights, information) are passed over; a node that would draw
something else is refused, so that a part never loses a piece silently.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth.mesh import UNKNOWN_SURFACE, Mesh, join, make_mesh, transformed
from mvps.synth.polygons import triangulate
from mvps.synth.vrml_tree import Node, parse_vrml

TENTH_INCH_MM = 2.54  # the unit of KiCad's VRML files
MAX_FACES = 4_000_000
MAX_SHAPES = 50_000
MAX_CORNERS = 4096  # of one polygon: clipping takes its square
GROUPS = ("Group", "Transform", "Anchor", "Collision")
SILENT = (
    "Background",
    "DirectionalLight",
    "Fog",
    "NavigationInfo",
    "PointLight",
    "SpotLight",
    "Viewpoint",
    "WorldInfo",
)


@dataclass(frozen=True)
class VrmlMaterial:
    """A Material node: colours (r, g, b) as the file states them (display values), 0 to 1.

    Attributes
    ----------
    diffuse, specular : colours
    shininess : 0 to 1
    """

    diffuse: tuple[float, float, float] = (0.8, 0.8, 0.8)
    specular: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shininess: float = 0.2


@dataclass
class _Scene:
    path: Path
    meshes: list[Mesh] = field(default_factory=list)
    materials: dict[str, VrmlMaterial] = field(default_factory=dict)
    faces: int = 0
    visits: int = 0

    def error(self, node: Node, what: str, remedy: str = "") -> InputError:
        return InputError(f"{self.path}, line {node.line}", what, remedy)


def read_vrml(path: Path, unit_mm: float = 1.0) -> tuple[Mesh, dict[str, VrmlMaterial]]:
    """Mesh and materials of a VRML 2 file.

    One IndexedFaceSet is one CAD face (``Mesh.surface``) where its creaseAngle says that it is
    smooth. Vertices are not welded. A material bears the name that DEF gave it, else its colour.

    Parameters
    ----------
    unit_mm : length of the file's unit; 2.54 for the files of KiCad

    Raises
    ------
    InputError
        The file cannot be read or is no VRML 2, with the line; it holds a node that would be
        drawn and is not known, or more than four million triangles.
    """
    scene = _Scene(path)
    matrix = np.diag([unit_mm, unit_mm, unit_mm, 1.0])
    for node in parse_vrml(path):
        _visit(scene, node, matrix)
    return join(scene.meshes), scene.materials


def _visit(scene: _Scene, node: Node, matrix: NDArray[np.float64]) -> None:
    scene.visits += 1
    if scene.visits > MAX_SHAPES:
        raise scene.error(node, f"more than {MAX_SHAPES} shapes and groups", "simplify the part")
    if node.kind in GROUPS:
        inner = matrix @ _transform(scene, node) if node.kind == "Transform" else matrix
        for child in _nodes(scene, node, "children"):
            _visit(scene, child, inner)
    elif node.kind == "Shape":
        _shape(scene, node, matrix)
    elif node.kind not in SILENT:
        raise scene.error(
            node, f"the node {node.kind[:40]} is not understood", "export the part as face sets"
        )


def _shape(scene: _Scene, node: Node, matrix: NDArray[np.float64]) -> None:
    name = _material(scene, _node(scene, node, "appearance"))
    geometry = _node(scene, node, "geometry")
    if geometry is None:
        return
    if geometry.kind != "IndexedFaceSet":
        kind = geometry.kind[:40]
        raise scene.error(geometry, f"the geometry {kind} is not understood", "export face sets")
    points = _points(scene, geometry)
    faces = triangulate(points, _polygons(scene, geometry, len(points)))
    if _word(scene, geometry, "ccw", "TRUE") == "FALSE":
        faces = faces[:, ::-1]
    scene.faces += len(faces)
    if scene.faces > MAX_FACES:
        raise scene.error(geometry, f"more than {MAX_FACES} triangles", "export it more coarsely")
    smooth = _numbers(scene, geometry, "creaseAngle", (0.0,))[0] > 0
    surface = 0 if smooth else UNKNOWN_SURFACE
    scene.meshes.append(
        transformed(make_mesh(points, faces, material=name, surface=surface), matrix)
    )


def _points(scene: _Scene, geometry: Node) -> NDArray[np.float64]:
    coordinate = _node(scene, geometry, "coord")
    if coordinate is None:
        return np.empty((0, 3))
    if coordinate.kind != "Coordinate":
        raise scene.error(coordinate, f"{coordinate.kind[:40]} stands where Coordinate is due")
    numbers = _numbers(scene, coordinate, "point", ())
    if len(numbers) % 3:
        what = f"{len(numbers)} numbers of points, not a multiple of three"
        raise scene.error(coordinate, what, "the file may be damaged")
    return np.array(numbers, np.float64).reshape(-1, 3)


def _polygons(scene: _Scene, geometry: Node, count: int) -> list[NDArray[np.int64]]:
    """Indices of the corners of each polygon; a negative index ends one."""
    numbers = np.array(_numbers(scene, geometry, "coordIndex", ()), np.float64)
    wrong = (numbers != np.floor(numbers)) | (numbers >= count) | (numbers < -1)
    if wrong.any():
        what = f"corner {numbers[wrong.argmax()]:g}, but the points are 0 to {count - 1}"
        raise scene.error(geometry, what, "the file may be damaged")
    index = numbers.astype(np.int64)
    stops = np.flatnonzero(index < 0)
    starts = np.concatenate([[0], stops + 1])
    polygons = [index[a:b] for a, b in zip(starts, [*stops, len(index)], strict=True) if b - a >= 3]
    if max(map(len, polygons), default=0) > MAX_CORNERS:
        raise scene.error(geometry, f"a polygon of more than {MAX_CORNERS} corners", "split it")
    return polygons


def _material(scene: _Scene, appearance: Node | None) -> str:
    """Name of the material of an appearance, entered in the scene's list."""
    node = None if appearance is None else _node(scene, appearance, "material")
    if node is None:
        return _enter(scene, "default", VrmlMaterial())
    if node.kind != "Material":
        raise scene.error(node, f"{node.kind[:40]} stands where Material is due")
    plain = VrmlMaterial()
    material = VrmlMaterial(
        _colour(scene, node, "diffuseColor", plain.diffuse),
        _colour(scene, node, "specularColor", plain.specular),
        _numbers(scene, node, "shininess", (plain.shininess,))[0],
    )
    shade = "".join(f"{round(255 * part):02x}" for part in material.diffuse)
    return _enter(scene, node.name or f"colour-{shade}", material)


def _enter(scene: _Scene, wanted: str, material: VrmlMaterial) -> str:
    name, number = wanted, 1
    while scene.materials.setdefault(name, material) != material:
        number += 1
        name = f"{wanted}-{number}"
    return name


def _transform(scene: _Scene, node: Node) -> NDArray[np.float64]:
    """Matrix (4, 4) of a Transform: T C R SR S -SR -C, ISO/IEC 14772-1, 6.52."""
    centre = np.array(_numbers(scene, node, "center", (0, 0, 0), 3))
    turn = _rotation(_numbers(scene, node, "rotation", (0, 0, 1, 0), 4))
    frame = _rotation(_numbers(scene, node, "scaleOrientation", (0, 0, 1, 0), 4))
    scale = np.array(_numbers(scene, node, "scale", (1, 1, 1), 3))
    if not scale.all():
        raise scene.error(node, "a scale of zero", "give the part a size")
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ frame @ np.diag(scale) @ frame.T
    shift = np.array(_numbers(scene, node, "translation", (0, 0, 0), 3))
    matrix[:3, 3] = shift + centre - matrix[:3, :3] @ centre
    return matrix


def _rotation(axis_angle: tuple[float, ...]) -> NDArray[np.float64]:
    """Rotation matrix about an axis x, y, z by an angle in rad (Rodrigues)."""
    axis = np.array(axis_angle[:3])
    length = np.linalg.norm(axis)
    if length == 0:
        return np.eye(3)
    x, y, z = axis / length
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = axis_angle[3]
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross)


def _colour(
    scene: _Scene, node: Node, name: str, default: tuple[float, float, float]
) -> tuple[float, float, float]:
    red, green, blue = _numbers(scene, node, name, default, 3)
    if min(red, green, blue) < 0 or max(red, green, blue) > 1:
        raise scene.error(node, f"{name} {red:g} {green:g} {blue:g} is not within 0 to 1")
    return red, green, blue


def _numbers(
    scene: _Scene, node: Node, name: str, default: tuple[float, ...], size: int | None = None
) -> tuple[float, ...]:
    """Numbers of a field: as many as ``size`` says, or as its default, or any for none."""
    values = node.fields.get(name)
    if values is None:
        return default
    wanted = len(default) or None if size is None else size
    numbers = tuple(value for value in values if isinstance(value, float))
    if len(numbers) < len(values) or (wanted is not None and len(numbers) != wanted):
        due = "numbers" if wanted is None else f"{wanted} number{'s' * (wanted > 1)}"
        raise scene.error(node, f"the field {name} is due {due}", "the file may be damaged")
    return numbers


def _nodes(scene: _Scene, node: Node, name: str) -> list[Node]:
    values = node.fields.get(name, [])
    nodes = [value for value in values if isinstance(value, Node)]
    if len(nodes) < len(values):
        raise scene.error(node, f"the field {name} is due nodes", "the file may be damaged")
    return nodes


def _node(scene: _Scene, node: Node, name: str) -> Node | None:
    nodes = _nodes(scene, node, name)
    if len(nodes) > 1:
        raise scene.error(node, f"the field {name} is due one node", "the file may be damaged")
    return nodes[0] if nodes else None


def _word(scene: _Scene, node: Node, name: str, default: str) -> str:
    values = node.fields.get(name, [default])
    if len(values) != 1 or values[0] not in ("TRUE", "FALSE"):
        raise scene.error(node, f"the field {name} is due TRUE or FALSE", "the file may be damaged")
    return str(values[0])
