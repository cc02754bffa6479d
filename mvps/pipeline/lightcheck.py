"""Light sanity of a plan: are these the right lights, and did anything move between two of them?

A few patches of every image tell, so that a stack of 20 MP TIFF files costs a fraction of a second.
Stacks under the same lights share one answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.capture import Fault
from mvps.errors import MvpsError
from mvps.findings import Finding
from mvps.pipeline.lightpatches import read_patches
from mvps.pipeline.options import RunOptions
from mvps.pipeline.plan import Plan, PlannedStack
from mvps.stereo.sanity import Patch, Verdict, judge
from mvps.stereo.shift import ALARM, Shift, measure_shifts

SHIFT_PATCHES = 3  # tried in turn until one has enough texture
UNREADABLE = (MvpsError, OSError, MemoryError, np.linalg.LinAlgError)

LightSet = tuple[str, bytes, bytes]  # view, directions, intensities


@dataclass(frozen=True)
class LightReport:
    """What the images of one stack say about its lights."""

    stack: str
    title: str
    source: str
    names: tuple[str, ...]
    verdict: Verdict
    shifts: tuple[Shift, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Warnings, none where the lights are right or nothing can be said."""
        found = []
        if self.verdict.answer == "wrong":
            message = f"{self.title}: {self.verdict.words}: check the order and axes of"
            found.append(Finding("warning", "LIGHT-ORDER", f"{message} {self.source}"))
        if moved := self._moved():
            found.append(Finding("warning", "LIGHT-SHIFT", f"{self.title}: {moved}"))
        return tuple(found)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        shifts = [asdict(s) | {"image": self.names[s.light]} for s in self.shifts]
        return {
            "stack": self.stack,
            "lights": self.source,
            "verdict": asdict(self.verdict),
            "shifts": shifts,
            "findings": [asdict(finding) for finding in self.findings],
        }

    def _moved(self) -> str:
        """One phrase on the strongest evidence; a shift shows in its neighbours too, weaker."""
        alarming = [shift for shift in self.shifts if shift.alarming]
        if not alarming:
            return ""
        kinds = ("the others", "those before", "those after")
        worst = min(alarming, key=lambda shift: (kinds.index(shift.since), -shift.length))
        return (
            f"{self.names[worst.light]} lies {worst.x:+.1f} px to the right and {worst.y:+.1f} px "
            f"down from where {worst.since} put it (above {ALARM} px): did the part or the camera "
            "move between two lights?"
        )


def reports(
    plan: Plan, *, every: bool = False, passed_over: list[Fault] | None = None
) -> Iterator[tuple[PlannedStack, LightReport]]:
    """Check the first readable stack under each set of lights, or every stack.

    A stack that cannot be read is passed over, and added to ``passed_over`` where that is given.
    """
    seen = set()
    for planned in plan.runnable:
        lights = light_set(planned)
        if lights in seen and not every:
            continue
        report = _readable_report(planned, plan.options, passed_over)
        if report is not None:
            seen.add(lights)
            yield planned, report


def first_report(stacks: Iterable[PlannedStack], options: RunOptions) -> LightReport | None:
    """Report on the first of the stacks that can be read, None where none can."""
    made = (_readable_report(planned, options, None) for planned in stacks)
    return next((report for report in made if report is not None), None)


def _readable_report(
    planned: PlannedStack, options: RunOptions, passed_over: list[Fault] | None
) -> LightReport | None:
    try:
        return check_stack(planned, options)
    except UNREADABLE as error:
        if passed_over is not None:
            passed_over.append(Fault(planned.stack.name, str(error) or repr(error)))
        return None


def check_stack(planned: PlannedStack, options: RunOptions) -> LightReport:
    """Read patches of one stack and judge its lights.

    Raises
    ------
    MvpsError, OSError
        An image cannot be read.
    """
    return report_on(planned, read_patches(planned, options))


def report_on(planned: PlannedStack, patches: list[Patch]) -> LightReport:
    """Judge the lights of one stack by patches of it."""
    stack = planned.stack
    lights = stack.lights
    intensities = lights.intensities.reshape(len(lights), -1).mean(axis=1)
    verdict, shifts = examine(patches, lights.directions, intensities)
    names = tuple(ref.path.name for ref in stack.images)
    return LightReport(stack.name, stack.title, lights.source, names, verdict, shifts)


def examine(
    patches: list[Patch],
    directions: NDArray[np.float64],
    intensities: NDArray[np.float64] | None = None,
) -> tuple[Verdict, tuple[Shift, ...]]:
    """The verdict on the lights and the shifts; arguments as in :func:`mvps.stereo.sanity.judge`.

    Images that lie beside each other fit no lights, so a shift comes before a wrong order; wrong
    lights hardly ever look like a shift.
    """
    verdict = judge(patches, directions, intensities)
    tries = (measure_shifts([patch], directions) for patch in patches[:SHIFT_PATCHES])
    shifts = next((found for found in tries if found), ())
    if verdict.answer == "wrong" and any(shift.alarming for shift in shifts):
        words = "an image lies beside the others, so no order can be judged"
        verdict = replace(verdict, answer="inconclusive", words=words, best=verdict.given)
    return verdict, shifts


def light_set(planned: PlannedStack) -> LightSet:
    """Equal for stacks of one view under the same lights, wherever these are written down."""
    lights = planned.stack.lights
    view = planned.stack.name.rpartition("/")[2] if planned.stack.layout == "rig" else ""
    return view, lights.directions.tobytes(), lights.intensities.tobytes()
