"""Light sanity of a plan: are these the right lights, and did anything move between two of them?

A few patches of every image are read, true neighbours inside each, so that a stack of 20 MP TIFF
files costs a fraction of a second. Stacks under the same lights share one answer.
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
from mvps.pipeline.options import STRIP_ROWS, RunOptions
from mvps.pipeline.plan import Plan, PlannedStack
from mvps.pipeline.source import StripSource
from mvps.stereo import Problem, prepare
from mvps.stereo.sanity import Patch, Verdict, judge
from mvps.stereo.shift import ALARM, Shift, measure_shifts

PATCH = 192  # px along the side of a patch
WHOLE = 384  # px: a shorter side is taken whole; as many pixels as all patches of a larger image
BANDS = (0.25, 0.75)  # where the rows of patches lie
EARLY_BANDS = (0.25, 0.5)  # in files whose rows can only be decoded one after another
PER_BAND = 2
SHIFT_PATCHES = 3  # tried in turn until one has enough texture
GLANCE = 16  # px between the pixels that decide which patches are worth reading
SATURATED = 0.99  # of full scale

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
    except (MvpsError, OSError, MemoryError, np.linalg.LinAlgError) as error:
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
    lights = planned.stack.lights
    patches = read_patches(planned, options)
    intensities = lights.intensities.reshape(len(lights), -1).mean(axis=1)
    verdict, shifts = examine(patches, lights.directions, intensities)
    names = tuple(ref.path.name for ref in planned.stack.images)
    stack = planned.stack
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


def read_patches(planned: PlannedStack, options: RunOptions) -> list[Patch]:
    """Patches of all images, grey over intensity, the most telling first."""
    if planned.stack.infos[0].dtype.kind == "u":
        limit = SATURATED if options.saturation is None else options.saturation
        options = replace(options, saturation=min(limit, SATURATED))
    height = planned.height if planned.height <= WHOLE else PATCH
    streamed = planned.stack.infos[0].format == "png"
    bands = (EARLY_BANDS if streamed else BANDS) if planned.height >= 2 * height else (0.5,)
    found: list[tuple[float, Patch]] = []
    with StripSource(planned.stack, planned.window, options) as source:
        problem = prepare(
            planned.stack.lights,
            channels=source.channels,
            dtype=source.dtype,
            white=source.white,
            low=source.low,
            high=source.high,
        )
        for band in bands:
            top = min(max(int(planned.height * band) - height // 2, 0), planned.height - height)
            found += _band_patches(source, top, height, problem)
    found.sort(key=lambda scored: -scored[0])
    return [patch for _, patch in found]


def _band_patches(
    source: StripSource, top: int, height: int, problem: Problem
) -> list[tuple[float, Patch]]:
    """The most telling patches of a band, each with its score.

    The first strip decides which, so that no more than a strip and the patches is held.
    """
    width = source.width if source.width <= WHOLE else PATCH
    chosen: list[tuple[float, int]] = []
    samples: list[NDArray[Any]] = []
    masks: list[NDArray[np.bool_]] = []
    starts = range(top, top + height, STRIP_ROWS)
    for start, strip in zip(starts, source.strips(starts), strict=True):
        rows = min(strip.rows, top + height - start)
        block = strip.samples.reshape(len(strip.samples), strip.rows, source.width, -1)[:, :rows]
        mask = np.ones((rows, source.width), np.bool_)
        if strip.mask is not None:
            mask = strip.mask.reshape(strip.rows, source.width)[:rows] > 0
        if not chosen:
            chosen = _telling_columns(block, mask, problem, width)
            shape = (len(block), height, width, block.shape[-1])
            samples = [np.empty(shape, block.dtype) for _ in chosen]
            masks = [np.empty((height, width), np.bool_) for _ in chosen]
        done = slice(start - top, start - top + rows)
        for (_, left), patch, inside in zip(chosen, samples, masks, strict=True):
            patch[:, done] = block[:, :, left : left + width]
            inside[done] = mask[:, left : left + width]
    patches = []
    for (worth, _), inside in zip(chosen, masks, strict=True):
        patches.append((worth, _grey(samples.pop(0), inside, problem)))
    return patches


def _telling_columns(
    block: NDArray[Any], mask: NDArray[np.bool_], problem: Problem, width: int
) -> list[tuple[float, int]]:
    """Score and left edge of the columns that are worth reading, the best first."""
    columns = block.shape[2]
    glances = []
    for left in range((columns % width) // 2, columns - width + 1, width):
        part = np.s_[::GLANCE, left : left + width : GLANCE]
        glances.append((_worth(_grey(block[:, *part], mask[part], problem)), left))
    return sorted(glances, key=lambda scored: -scored[0])[:PER_BAND]


def _grey(samples: NDArray[Any], inside: NDArray[np.bool_], problem: Problem) -> Patch:
    gain = problem.gain.astype(np.float32)
    if samples.shape[-1] == 1:
        peak = samples[..., 0]
        values = peak * gain[:, :, None]
    else:
        peak = samples.max(axis=-1)
        values = np.einsum("khwc,kc->khw", samples, gain)
    usable = ((peak > problem.low) & (peak < problem.high)).all(axis=0)
    if values.dtype.kind == "f" and samples.dtype.kind == "f":
        usable &= np.isfinite(values).all(axis=0)
        values = np.where(usable, values, 0)
    usable &= inside
    return Patch(values.astype(np.float32, copy=False), np.asarray(usable))


def _worth(glance: Patch) -> float:
    """Share of usable pixels times how much the shading differs among them."""
    values = glance.values[:, glance.usable]
    length = np.sqrt(np.square(values).sum(axis=0))
    if not length.any():
        return 0.0
    unit = values / np.maximum(length, 1e-12)
    spread = np.sqrt(np.square(unit - unit.mean(axis=1, keepdims=True)).sum(axis=0))
    return float(glance.usable.mean() * np.median(spread))


def light_set(planned: PlannedStack) -> LightSet:
    """Equal for stacks of one view under the same lights, wherever these are written down."""
    lights = planned.stack.lights
    view = planned.stack.name.rpartition("/")[2] if planned.stack.layout == "rig" else ""
    return view, lights.directions.tobytes(), lights.intensities.tobytes()
