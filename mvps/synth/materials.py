"""What surfaces are made of: colour, gloss and grain, with presets for the parts of a line.

Reflectance is a Lambertian base under a GGX lobe (Walter et al., EGSR 2007; Burley, 2012), built so
that a light of intensity 1 gives radiance albedo * cos: the house's law of light, I = rho (l.n).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from mvps.errors import InputError

KINDS = ("lambertian", "plastic", "metal", "ceramic", "rubber")
ROUGHEST, SMOOTHEST = (
    1.0,
    0.18,
)  # limits of roughness; a sharper lobe is a light on a sensor's pixel

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Grain:
    """Texture of a surface: noise in the part's own space, without seams.

    Attributes
    ----------
    amplitude : standard deviation of albedo and roughness, as a share of them
    size_mm : side of a grain
    stretch : how much longer grains are along x of the part than across (brushed metal: 12)
    relief : standard deviation of the slopes of normals that grains add, radians
    """

    amplitude: float = 0.0
    size_mm: float = 0.05
    stretch: float = 1.0
    relief: float = 0.0

    def __post_init__(self) -> None:
        fine = 0 <= self.amplitude <= 0.3 and 0 <= self.relief <= 0.3
        if not (fine and self.size_mm > 0 and self.stretch >= 1):
            what = "amplitude and relief lie in 0 to 0.3, size_mm above 0, stretch from 1"
            raise InputError("grain", what)


@dataclass(frozen=True)
class Material:
    """Looks of a surface.

    Attributes
    ----------
    kind : one of ``KINDS``; "lambertian" ignores gloss
    colour : linear R, G, B in 0 to 1: the albedo, or what a metal reflects straight on
    roughness : 0.18 to 1, its square is alpha of GGX
    metallic : 0 or 1; a metal has no diffuse base
    specular : strength of the gloss of what is no metal; 0.5 is an index of refraction of 1.5
    anisotropy : 0 to 0.9, how much broader the lobe is across the grain than along it
    haze : 0 to 1, the share of the gloss that goes into a lobe of roughness 0.7
    grain : texture
    """

    kind: str
    colour: Colour
    roughness: float = 0.5
    metallic: float = 0.0
    specular: float = 0.5
    anisotropy: float = 0.0
    haze: float = 0.0
    grain: Grain = Grain()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError("material", f"unknown kind {self.kind!r}", "use " + ", ".join(KINDS))
        if len(self.colour) != 3 or not all(0 <= value <= 1 for value in self.colour):
            raise InputError("material", f"colour {self.colour} is not three numbers in 0 to 1")
        if not SMOOTHEST <= self.roughness <= ROUGHEST:
            what = f"roughness {self.roughness:g} is not in {SMOOTHEST:g} to {ROUGHEST:g}"
            raise InputError("material", what)
        shares = (self.metallic, self.specular, self.haze)
        if not all(0 <= share <= 1 for share in shares) or not 0 <= self.anisotropy <= 0.9:
            what = "metallic, specular and haze lie in 0 to 1, anisotropy in 0 to 0.9"
            raise InputError("material", what)

    def coloured(self, colour: Colour) -> Material:
        """The same surface in another colour."""
        return replace(self, colour=colour)

    @property
    def gloss(self) -> float:
        """Reflectance of the gloss straight on, of what is no metal."""
        return 0.0 if self.kind == "lambertian" else 0.08 * self.specular


PRESETS: Mapping[str, Material] = MappingProxyType(
    {
        "lambertian": Material("lambertian", (0.6, 0.6, 0.6), roughness=1.0, specular=0.0),
        "plastic": Material(
            "plastic",
            (0.10, 0.10, 0.105),
            roughness=0.45,
            haze=0.35,
            grain=Grain(amplitude=0.06, size_mm=0.05, relief=0.012),
        ),
        "brushed_metal": Material(
            "metal",
            (0.72, 0.71, 0.69),
            roughness=0.5,
            metallic=1.0,
            anisotropy=0.6,
            haze=0.5,
            grain=Grain(amplitude=0.08, size_mm=0.035, stretch=14.0, relief=0.012),
        ),
        "polished_metal": Material(
            "metal",
            (0.80, 0.78, 0.74),
            roughness=0.32,
            metallic=1.0,
            haze=0.55,
            grain=Grain(amplitude=0.04, size_mm=0.04, stretch=3.0, relief=0.004),
        ),
        "ceramic": Material(
            "ceramic",
            (0.78, 0.76, 0.71),
            roughness=0.35,
            haze=0.3,
            grain=Grain(amplitude=0.025, size_mm=0.04, relief=0.006),
        ),
        "rubber": Material(
            "rubber",
            (0.055, 0.055, 0.058),
            roughness=0.75,
            specular=0.3,
            grain=Grain(amplitude=0.12, size_mm=0.07, relief=0.02),
        ),
        "ground": Material(
            "rubber",
            (0.075, 0.078, 0.08),
            roughness=0.8,
            specular=0.25,
            grain=Grain(amplitude=0.12, size_mm=0.06, relief=0.015),
        ),
    }
)


def preset(name: str) -> Material:
    """Material of ``PRESETS``; InputError, with the names, where there is none."""
    if name not in PRESETS:
        what = f"unknown material {name!r}"
        raise InputError("material", what, "use " + ", ".join(PRESETS))
    return PRESETS[name]
