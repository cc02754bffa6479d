"""What stands before the camera: a part in its pose, its looks, and the ground plate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth.materials import Material
from mvps.synth.mesh import Mesh

GROUND = "ground"  # what materials of the plate are called
SPANS = 40.0  # sides of the plate in diagonals of the part, when no size is stated


@dataclass(frozen=True, eq=False)
class Scene:
    """A part and the plate it stands on; world frame, mm, z up, the plate is the plane z = 0.

    Attributes
    ----------
    part : mesh in the world, labels of defects included
    looks : material by the names in ``part.materials``
    ground : material of the plate, or None for no plate
    ground_size_mm : side of the square plate round the origin; None for 40 diagonals of the part

    Raises
    ------
    InputError
        A mesh without faces, a material without looks, or a size that is not positive.
    """

    part: Mesh
    looks: Mapping[str, Material]
    ground: Material | None = None
    ground_size_mm: float | None = None

    def __post_init__(self) -> None:
        if not len(self.part.faces):
            raise InputError("scene", "the part has no faces")
        used = {self.part.materials[i] for i in np.unique(self.part.material)}
        if missing := sorted(used - set(self.looks)):
            raise InputError("scene", f"no looks for the material {missing[0]!r}")
        if self.ground_size_mm is not None and not self.ground_size_mm > 0:
            raise InputError("ground plate", f"a side of {self.ground_size_mm:g} mm")

    def materials(self) -> tuple[Material, ...]:
        """Looks in the order of ``part.materials``, the plate's last where there is one."""
        plain = Material("lambertian", (0.5, 0.5, 0.5), roughness=1.0, specular=0.0)
        own = tuple(self.looks.get(name, plain) for name in self.part.materials)
        return own if self.ground is None else (*own, self.ground)

    def plate(self) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
        """Vertices (4, 3) and faces (2, 3) of the plate; none without one."""
        if self.ground is None:
            return np.zeros((0, 3)), np.zeros((0, 3), np.int32)
        low, high = self.part.vertices.min(axis=0), self.part.vertices.max(axis=0)
        reach = float(np.abs([low[:2], high[:2]]).max())
        side = self.ground_size_mm or max(SPANS * float(np.linalg.norm(high - low)), 4 * reach)
        corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]]) * side / 2
        return corners, np.array([[0, 1, 2], [0, 2, 3]], np.int32)
