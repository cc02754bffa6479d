"""Rays against triangles: what they hit first, and whether anything stands between two points.

Mitsuba's Embree scenes do the work, in packets under LLVM and one ray after the other without.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.synth.renderer_ops import Ops, Value, make_ops

FAR = 1e30  # mm; longer than any ray


@dataclass(frozen=True)
class Hit:
    """First hits of n rays: whether any, the face, and barycentric weights of corners 1 and 2."""

    valid: Value
    face: Value
    u: Value
    v: Value


class Tracer:
    """A triangle mesh that rays are shot at.

    Parameters
    ----------
    mi : Mitsuba with its variant set
    vertices : (V, 3) mm, world
    faces : (F, 3)
    """

    ops: Ops

    def __init__(self, mi: Any, vertices: NDArray[Any], faces: NDArray[Any]) -> None:
        self.ops = make_ops(mi)
        # Taken now: the module's names change with the variant that is set.
        self._ray, self._point, self._vector, self._index = (
            mi.Ray3f,
            mi.Point3f,
            mi.Vector3f,
            mi.UInt32,
        )
        mesh = mi.Mesh("scene", len(vertices), len(faces))
        parameters = mi.traverse(mesh)
        parameters["vertex_positions"] = np.ascontiguousarray(vertices, np.float32).ravel()
        parameters["faces"] = np.ascontiguousarray(faces, np.uint32).ravel()
        parameters.update()
        # Without the robust flag, a few rays in a million slip through the edge of two triangles.
        scene = {"type": "scene", "mesh": mesh, "embree_use_robust_intersections": True}
        self._scene = mi.load_dict(scene)

    def first(self, origin: Value, direction: Value, active: Value) -> Hit:
        """What rays (3, n) from ``origin`` along ``direction`` (unit) hit first."""
        ray = self._ray(self._point(origin), self._vector(direction))
        found = self._scene.ray_intersect_preliminary(ray, coherent=True, active=active)
        valid = found.is_valid() & active
        face = self.ops.select(valid, found.prim_index, self._index(0))
        return Hit(valid, face, found.prim_uv[0], found.prim_uv[1])

    def blocked(self, origin: Value, direction: Value, length: Value, active: Value) -> Value:
        """Whether anything stands within ``length`` mm along rays; False where not active."""
        ray = self._ray(self._point(origin), self._vector(direction))
        ray.maxt = length
        return self._scene.ray_test(ray, True, active) & active


class ScalarTracer(Tracer):
    """The same, one ray at a time: for machines without a libLLVM that works."""

    def first(self, origin: Value, direction: Value, active: Value) -> Hit:
        n = active.shape[0]
        valid, face = np.zeros(n, bool), np.zeros(n, np.uint32)
        weights = np.zeros((2, n), np.float32)
        make, trace = self._ray, self._scene.ray_intersect_preliminary
        origins, directions = _rows(origin, n), _rows(direction, n)
        for i in np.flatnonzero(active).tolist():
            found = trace(make(origins[i], directions[i]))
            if found.is_valid():
                valid[i], face[i] = True, found.prim_index
                weights[:, i] = found.prim_uv[0], found.prim_uv[1]
        return Hit(valid, face, weights[0], weights[1])

    def blocked(self, origin: Value, direction: Value, length: Value, active: Value) -> Value:
        n = active.shape[0]
        out = np.zeros(n, bool)
        make, test = self._ray, self._scene.ray_test
        origins, directions = _rows(origin, n), _rows(direction, n)
        lengths = np.broadcast_to(length, n).tolist()
        for i in np.flatnonzero(active).tolist():
            ray = make(origins[i], directions[i])
            ray.maxt = lengths[i]
            out[i] = test(ray)
        return out


def make_tracer(mi: Any, vertices: NDArray[Any], faces: NDArray[Any]) -> Tracer:
    """Tracer for the variant that is set."""
    scalar = mi.variant().startswith("scalar")
    return (ScalarTracer if scalar else Tracer)(mi, vertices, faces)


def _rows(vectors: Any, n: int) -> list[list[float]]:
    return np.broadcast_to(vectors, (3, n)).T.tolist()  # type: ignore[no-any-return]
