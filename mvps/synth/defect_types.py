"""A defect as a record: what it is, where it sits and how large it is; and a part that has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.synth.materials import Material
from mvps.synth.mesh import Mesh

GEOMETRIC = (
    "scratch",
    "dent",
    "pit",
    "bump",
    "bent_pin",
    "missing_piece",
    "crack",
    "contamination",
)
KINDS = (*GEOMETRIC, "discoloration")

Triple = tuple[float, float, float]
Looks = Mapping[str, Material]


@dataclass(frozen=True)
class Defect:
    """One defect of a part, enough to make it again.

    Attributes
    ----------
    kind : one of ``KINDS``
    label : number of the defect in the labels of the mesh, from 1
    position : point of the sound surface, mm, frame of the part
    normal : unit, out of the surface there; of a bent pin, the way it leans
    direction : unit, across the normal: the way a scratch runs; of a pin, towards its free end
    size_mm : longest extent along the surface; of a bent pin, the length that is bent
    depth_mm : deepest or highest point off the sound surface; of a bent pin, what its tip moves
    parameters : what else shapes it, plain JSON types, lengths in mm
    """

    kind: str
    label: int
    position: Triple
    normal: Triple
    direction: Triple
    size_mm: float
    depth_mm: float
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError("defect", f"unknown kind {self.kind!r}", "use " + ", ".join(KINDS))
        if not 1 <= self.label < 2**15:
            raise InputError(self.kind, f"label {self.label} is not in 1 to {2**15 - 1}")
        if not self.size_mm > 0 or not self.depth_mm >= 0:
            raise InputError(self.kind, "the size must be above 0 and the depth not below it")

    @property
    def geometric(self) -> bool:
        """Whether the defect changes the surface; the truth's normals and heights then hold it."""
        return self.kind in GEOMETRIC

    @property
    def shading_only(self) -> bool:
        """Whether only the normals used for shading change; no kind here does that."""
        return False

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; `from_dict` takes them back."""
        return {
            "kind": self.kind,
            "label": self.label,
            "position": list(self.position),
            "normal": list(self.normal),
            "direction": list(self.direction),
            "size_mm": self.size_mm,
            "depth_mm": self.depth_mm,
            "geometric": self.geometric,
            "shading_only": self.shading_only,
            "parameters": dict(self.parameters),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Defect:
        """Defect of a record; InputError where a word is missing or no number stands."""
        try:
            return cls(
                str(record["kind"]),
                int(record["label"]),
                _triple(record["position"]),
                _triple(record["normal"]),
                _triple(record["direction"]),
                float(record["size_mm"]),
                float(record["depth_mm"]),
                dict(record["parameters"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("defect record", f"does not describe a defect ({error})") from error


@dataclass(frozen=True, eq=False)
class Damaged:
    """A part with a defect.

    Attributes
    ----------
    mesh : the damaged part; faces of the defect carry its label
    looks : materials, those that the defect brings included
    removed : the sound part with the faces labelled that are gone or have moved away, to be posed
        and rendered for the mask of `defect_mask`; None where the damaged part alone tells it
    """

    mesh: Mesh
    looks: Looks
    removed: Mesh | None = None


def triple(vector: NDArray[np.float64]) -> Triple:
    """Three numbers of a record, to a thousandth of a micrometre."""
    x, y, z = (round(float(value), 6) for value in vector)
    return x, y, z


def _triple(values: Any) -> Triple:
    x, y, z = (float(value) for value in values)
    return x, y, z
