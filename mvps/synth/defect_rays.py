"""Rays against the triangles of a part, for placing defects: what is free, what is covered.

The test is that of Moeller and Trumbore, "Fast, minimum storage ray-triangle intersection" (1997).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvps.synth.mesh import Mesh

Array = NDArray[np.float64]

# From a point of the part towards the cameras of the rig: from above, and from four sides.
TOWARDS_TOP = np.array([[0.0, 0.0, 1.0]])
TOWARDS_SIDES = np.array([[1, 0, 1], [-1, 0, 1], [0, 1, 1], [0, -1, 1]]) / np.sqrt(2)
LEAST_FACING = 0.25  # cosine at which a camera still sees a surface


class Rays:
    """The triangles of a mesh, ready for rays."""

    def __init__(self, mesh: Mesh) -> None:
        corner = mesh.vertices[mesh.faces]
        self._a = corner[:, 0]
        self._p = corner[:, 1] - corner[:, 0]
        self._q = corner[:, 2] - corner[:, 0]

    def free(self, origin: Array, direction: Array, skip: NDArray[np.bool_] | None = None) -> float:
        """Free way in mm from a point along a unit direction; infinite where nothing stands.

        Parameters
        ----------
        skip : mask (F,) of faces that are looked through
        """
        h = np.cross(direction, self._q)
        area = np.einsum("ij,ij->i", self._p, h)
        with np.errstate(divide="ignore", invalid="ignore"):
            s = origin - self._a
            u = np.einsum("ij,ij->i", s, h) / area
            k = np.cross(s, self._p)
            v = (k @ direction) / area
            t = np.einsum("ij,ij->i", self._q, k) / area
            hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t > 1e-6)
        if skip is not None:
            hit &= ~skip
        return float(t[hit].min(initial=np.inf))

    def in_sight(self, point: Array, normal: Array, where: str) -> bool:
        """Whether a camera above ("top"), at a side ("side") or any of them sees a point."""
        ways = {"top": TOWARDS_TOP, "side": TOWARDS_SIDES}.get(
            where, np.concatenate([TOWARDS_TOP, TOWARDS_SIDES])
        )
        return any(np.isinf(self.free(point, way)) for way in ways if way @ normal > LEAST_FACING)
