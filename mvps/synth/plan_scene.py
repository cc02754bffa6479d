"""What a rig is planned for: a part, sound and with a defect that the planned view shows well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mvps.errors import InputError
from mvps.synth.layout import rng_for, seed_for
from mvps.synth.placing import Placement
from mvps.synth.plan import FEWEST_PIXELS, SweepScene
from mvps.synth.shot import ShotSettings
from mvps.synth.specimen import Specimen, build_specimen, draw_defects
from mvps.synth.station import aim, check_kinds, lights_of, make_sensor, views_of
from mvps.synth.subjects import find_part

ATTEMPTS = 12  # defects that are drawn until the view shows enough of one


@dataclass(frozen=True)
class PlanSubject:
    """What is looked at, and through what.

    Attributes
    ----------
    part, material : as for a capture
    view : one of the five, a published camera, or a calibration file with one camera
    size : (width, height) px
    samples, bits, noise, full_well, interreflection : as for a capture
    defect : kind, or empty
    """

    part: str
    view: str = "top"
    size: tuple[int, int] = (256, 256)
    samples: int = 8
    bits: int = 12
    noise: bool = True
    full_well: float = 10_500.0
    interreflection: bool = False
    defect: str = "dent"
    material: str = ""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class PlannedScene:
    """A scene to sweep rigs over, what it shows in words, and warnings."""

    scene: SweepScene
    text: str
    defect: dict[str, Any] | None
    warnings: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"scene": self.text, "defect": self.defect, "warnings": list(self.warnings)}


def plan_scene(subject: PlanSubject) -> PlannedScene:
    """Build the scenes.

    Raises
    ------
    InputError
        An unknown part, view or kind, or no place where the view shows such a defect.
    """
    found = find_part(subject.part, material=subject.material)
    views = views_of(found.part, (subject.view,), subject.size, lights_of(4, ""))
    if len(views) != 1:
        raise InputError("--view", f"{subject.view!r} is {len(views)} views", "name one of them")
    sensor = make_sensor(subject.bits, noise=subject.noise, full_well=subject.full_well)
    settings = ShotSettings(subject.samples, sensor, interreflection=subject.interreflection)
    placement = Placement(shift_mm=aim(views))
    seed = seed_for(subject.seed, found.name)
    sound = build_specimen(found.part, placement, seed=seed).renderer
    width, height = subject.size
    text = f"{found.name}, {views[0].name} view, {width}x{height}"
    if not subject.defect:
        scene = SweepScene(views[0], sound, settings)
        return PlannedScene(scene, text, None, found.warnings)
    if not check_kinds(found.part, (subject.defect,)):
        what = f"{found.name} has no pins to bend"
        raise InputError("--defect", what, "take another kind, or none")
    for attempt in range(ATTEMPTS):
        rng = rng_for(subject.seed, found.name, subject.defect, attempt)
        defects = draw_defects(found.part, (subject.defect,), rng)
        specimen: Specimen = build_specimen(found.part, placement, defects, seed=seed)
        mask = specimen.mask(views[0], subject.samples)
        if (pixels := int(np.count_nonzero(mask))) >= FEWEST_PIXELS:
            defect = defects[0]
            text += (
                f"; {defect.kind} of {defect.size_mm:.2g} mm, {defect.depth_mm:.2g} mm deep, "
                f"{pixels} px"
            )
            scene = SweepScene(views[0], sound, settings, specimen.renderer, mask)
            return PlannedScene(scene, text, defect.as_dict(), found.warnings)
    what = f"no {subject.defect} with {FEWEST_PIXELS} pixels in this view, in {ATTEMPTS} attempts"
    raise InputError("--defect", what, "render at a larger --size, or take another --seed")
