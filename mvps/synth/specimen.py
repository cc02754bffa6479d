"""A specimen before the cameras: the part in its place on the plate, sound or with its defects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.synth.dataset_plan import DatasetOptions
from mvps.synth.defect_draw import draw_defect
from mvps.synth.defects import Defect, apply_defect, defect_mask
from mvps.synth.layout import OK, SampleName, rng_for, seed_for
from mvps.synth.materials import Grain, preset
from mvps.synth.mesh import Mesh
from mvps.synth.parts import Part
from mvps.synth.placing import Jitter, Placement, draw_placement, place
from mvps.synth.renderer import Renderer
from mvps.synth.scene import Scene
from mvps.synth.station import Station
from mvps.synth.views import View


@dataclass(frozen=True, eq=False)
class Specimen:
    """A part in its place, ready to be seen.

    Attributes
    ----------
    renderer : of the specimen as it is
    before : of the part with the faces labelled that a defect took away, one a defect that did
    placement : where it lies, plain JSON types
    defects : what is wrong with it
    attempt : how many places were tried for them before, without any view showing them
    """

    renderer: Renderer
    before: tuple[Renderer, ...]
    placement: Mapping[str, Any]
    defects: tuple[Defect, ...] = ()
    attempt: int = 0

    def mask(self, view: View, samples: int) -> NDArray[np.bool_]:
        """(H, W), where a picture of so many samples a pixel shows the defects."""
        return defect_mask((self.renderer, *self.before), view, samples)


def place_specimen(
    station: Station, options: DatasetOptions, name: SampleName, attempt: int = 0
) -> Specimen:
    """The specimen of that name: its place, and its defect where its class is one.

    Parameters
    ----------
    attempt : gives another defect in the same place of the part on the plate

    Raises
    ------
    InputError
        The part has no place for such a defect.
    """
    seed, words = options.seed, (name.category, name.number)
    placement = draw_placement(rng_for(seed, *words, "place"), Jitter())
    kinds = () if name.anomaly_class == OK else (name.anomaly_class,)
    rng = rng_for(seed, *words, "defect", attempt)
    defects = draw_defects(station.part, kinds, rng)
    return build_specimen(
        station.part,
        placement,
        defects,
        seed=seed_for(seed, *words),
        attempt=attempt,
        ground=options.ground,
    )


def draw_defects(part: Part, kinds: Sequence[str], rng: np.random.Generator) -> tuple[Defect, ...]:
    """A defect of each kind, labelled 1, 2 and so on."""
    return tuple(draw_defect(part, kind, rng, label=i) for i, kind in enumerate(kinds, 1))


def build_specimen(
    part: Part,
    placement: Placement,
    defects: Sequence[Defect] = (),
    *,
    seed: int = 0,
    attempt: int = 0,
    ground: str = "plate",
) -> Specimen:
    """The scenes of a part with defects, in a place on the plate.

    Parameters
    ----------
    ground : "plate", "plain" (the plate without its grain) or "none"
    """
    mesh, looks = part.mesh, part.looks
    gone: list[Mesh] = []
    for defect in defects:
        damaged = apply_defect(mesh, looks, defect)
        mesh, looks = damaged.mesh, damaged.looks
        if damaged.removed is not None:
            gone.append(damaged.removed)
    plate = preset("ground")
    below = {"plate": plate, "plain": replace(plate, grain=Grain()), "none": None}[ground]

    def seen(each: Mesh) -> Renderer:
        placed = place(each, placement, standing=part.mesh)
        return Renderer(Scene(placed, looks, below), seed=seed)

    return Specimen(
        seen(mesh), tuple(map(seen, gone)), placement.as_dict(), tuple(defects), attempt
    )
