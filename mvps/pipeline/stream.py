"""One stack from its images to its maps: read a strip, solve it, write it, and the next.

Every buffer is allocated once a stack; memory is bounded by the strip for every image format that
can be read by rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mvps.capture import Stack
from mvps.pipeline.inputs import describe_inputs, input_states
from mvps.pipeline.lightwatch import LightWatch, StackLook
from mvps.pipeline.near import NearStack, near_solver
from mvps.pipeline.options import STRIP_ROWS, RunOptions
from mvps.pipeline.picture import picture_of
from mvps.pipeline.plan import Plan, PlannedStack
from mvps.pipeline.quality_maps import QualitySummary
from mvps.pipeline.record import Figures, StackResult, write_record
from mvps.pipeline.resume import fingerprint
from mvps.pipeline.settling import noise_strips, problem_of, settle, with_noise
from mvps.pipeline.sink import MapSink
from mvps.pipeline.source import StripSource
from mvps.pipeline.warped import WarpedSink
from mvps.stereo import Backend, Problem, Solver, StripOut
from mvps.stereo.auto import Choice

SATURATED_SHARE = 0.01  # from here on highlights visibly bend least-squares normals
BLACK_SHARE = 0.25
# Of a strip at once. All of them means fewer turns at the interpreter; half of them keeps a worker
# small where reading takes much memory already.
SOLVED_ROWS = STRIP_ROWS // 2
DEGENERATE_SHARE = 0.01

Progress = Callable[[int], None]  # raw pixels just read


class Flag(Protocol):
    """What a run is called off by: a `threading.Event`, or the same for processes."""

    def set(self) -> None:
        """Raise it, for good."""

    def is_set(self) -> bool:
        """Whether somebody raised it."""
        ...


class CancelledError(Exception):
    """The run was interrupted; nothing of this stack keeps a final name."""


@dataclass
class Stopwatch:
    """Wall seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent in the block to ``name``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class Job:
    """What every stack of a run shares.

    Attributes
    ----------
    readers : reads the lights of a stack side by side
    lights : asks the images about their lights; None leaves that out
    """

    plan: Plan
    backend: Backend
    progress: Progress
    cancel: Flag
    readers: Executor | None = None
    lights: LightWatch | None = None


def run_stack(planned: PlannedStack, job: Job) -> StackResult:
    """Solve one stack from its images to its maps and its record.

    Raises
    ------
    MvpsError, OSError
        The stack cannot be solved; nothing half-written is left.
    CancelledError
        ``job.cancel`` was set.
    """
    started = time.perf_counter()
    clock = Stopwatch()
    with _look(planned, job) as look:
        solved = _solve(planned, job, clock, look)
        warnings = solved.warnings
        if look is not None:
            # What held the strips and the maps is gone: the check takes their room.
            with clock.stage("light check"):
                warnings += tuple(finding.message for finding in look.findings())
    choice = solved.choice
    write_record(
        planned,
        job.plan,
        solved.figures,
        fingerprint=fingerprint(planned, job.plan.options),
        inputs=solved.inputs,
        solver=solved.solver.parameters()
        | ({"auto": choice.as_dict()} if choice else {})
        | ({"near": solved.near} if solved.near else {}),
        device=job.backend.describe(),
        outputs=solved.outputs,
        flatten=solved.flatten,
        warnings=warnings,
        timings=clock.seconds | {"total": time.perf_counter() - started},
    )
    return StackResult(
        planned.stack.name,
        planned.folder,
        "done",
        warnings=warnings,
        seconds=time.perf_counter() - started,
        pixels=solved.figures.pixels,
        valid=solved.figures.shown,
        raw_pixels=planned.raw_pixels,
        solver=f"{solved.solver.name}: {choice.reason}" if choice else "",
    )


def _look(planned: PlannedStack, job: Job) -> AbstractContextManager[StackLook | None]:
    # The check compares distant lights, which near ones are not.
    if job.lights is None or planned.near is not None:
        return nullcontext()
    return job.lights.look(planned)


@dataclass(frozen=True)
class _Solved:
    """What is left of a stack whose maps are written: its part of the record."""

    figures: Figures
    inputs: list[dict[str, Any]]
    outputs: dict[str, Any]
    warnings: tuple[str, ...]
    solver: Solver
    choice: Choice | None
    near: dict[str, Any] | None
    flatten: dict[str, Any] | None


def _solve(planned: PlannedStack, job: Job, clock: Stopwatch, look: StackLook | None) -> _Solved:
    stack, options = planned.stack, job.plan.options
    before = input_states(stack)
    picture, without = picture_of(planned, options)
    with clock.stage("choose"):
        solver, choice = _settled(planned, job)
    with StripSource(stack, planned.window, options, job.readers) as source:
        near = _near_stack(planned, source, job, clock)
        work = near or _distant(source, planned, solver, job, clock)
        sink = _open_maps(planned, source, work, options, picture)
        try:
            figures = _stream(source, work, sink, job, clock, look=look)
            if isinstance(sink, WarpedSink):
                figures.written_valid = sink.valid
            with clock.stage("digest"):
                inputs = describe_inputs(stack, before)
            with clock.stage("encode"):
                outputs = sink.commit()
            unbent = sink.unbent
            if unbent is not None and unbent.lost:
                figures.written_valid = figures.shown - unbent.lost
        except BaseException:
            sink.abort()
            raise
        warnings = planned.warnings + _warnings(stack, source, figures)
        warnings += (without,) if without else ()
        warnings += near.warnings() if near else ()
        warnings += (unbent.warning,) if unbent is not None and unbent.warning else ()
    return _Solved(
        figures,
        inputs,
        {"files": outputs, "albedo_scale": sink.albedo_scale},
        warnings,
        solver,
        choice,
        near.as_dict() if near else None,
        unbent.figures if unbent else None,
    )


def _open_maps(
    planned: PlannedStack,
    source: StripSource,
    work: Problem | NearStack,
    options: RunOptions,
    picture: Path | None,
) -> MapSink | WarpedSink:
    problem = work.problem.distant if isinstance(work, NearStack) else work
    maps = MapSink(
        planned.folder,
        (planned.width, planned.height),
        problem,
        source.white,
        options,
        statement=planned.view.statement(),
        target=planned.target,
        title=planned.stack.title,
        depth=isinstance(work, NearStack) and work.finds_depth,
        picture=picture,
    )
    return WarpedSink(maps, planned.view) if planned.view.changes else maps


def _settled(planned: PlannedStack, job: Job) -> tuple[Solver, Choice | None]:
    if planned.near is not None:
        return near_solver(job.plan.options), None
    return settle(planned, job.plan.options, job.readers)


def _distant(
    source: StripSource, planned: PlannedStack, solver: Solver, job: Job, clock: Stopwatch
) -> Problem:
    options = job.plan.options
    problem = problem_of(source, planned, options.grey, solver)
    if not options.quality:
        return problem
    with clock.stage("noise"):
        return with_noise(problem, planned, options, job.readers)


def _near_stack(
    planned: PlannedStack, source: StripSource, job: Job, clock: Stopwatch
) -> NearStack | None:
    if planned.near is None:
        return None

    def proceed() -> None:
        if job.cancel.is_set():
            raise CancelledError

    options = job.plan.options
    with clock.stage("surface"):
        near = NearStack(
            planned.near,
            planned.stack,
            planned.window,
            options,
            source=source,
            device=job.backend.name,
            readers=job.readers,
            proceed=proceed,
        )
    if options.quality:
        reading = StripSource(planned.stack, planned.window, options, job.readers)
        with clock.stage("noise"), reading as looked:
            near.look_at_noise(noise_strips(looked, planned.height))
    return near


def _stream(
    source: StripSource,
    work: Problem | NearStack,
    sink: MapSink | WarpedSink,
    job: Job,
    clock: Stopwatch,
    *,
    look: StackLook | None,
) -> Figures:
    quality = job.plan.options.quality
    problem = work.problem.distant if isinstance(work, NearStack) else work
    # Quality looks at so many pixels a strip, and near solvers keep step with the strips.
    whole_strips = quality or isinstance(work, NearStack) or source.lean
    rows = STRIP_ROWS if whole_strips else SOLVED_ROWS
    whole = StripOut.empty(source.width * rows, problem, quality=quality, examined=quality)
    summary = QualitySummary(problem.noise) if quality else None
    total = Figures(statistics=source.statistics, quality=summary)
    strips = source.strips(height=rows if source.by_rows else STRIP_ROWS)
    row = 0
    if look is not None:
        look.begin(source)
    while True:
        with clock.stage("read"):
            strip = next(strips, None)
        if strip is None:
            return total
        for part in strip.parts(rows):
            out = whole.head(part.samples.shape[1])
            with clock.stage("solve"):
                if isinstance(work, NearStack):
                    out = work.solve(part, out)
                else:
                    job.backend.solve_strip(problem, part.samples, part.mask, out)
            with clock.stage("encode"):
                sink.write(out, part.rows)
            total.add(out, part.wanted)
        if look is not None:
            look.add(row, strip)
        row += strip.rows
        if job.cancel.is_set():
            raise CancelledError
        job.progress(strip.raw_pixels)


def _warnings(stack: Stack, source: StripSource, figures: Figures) -> tuple[str, ...]:
    """What the pixels showed that the headers could not."""
    statistics, name = source.statistics, stack.title
    found = []
    if mismatch := _bits_mismatch(stack, statistics.bits):
        found.append(f"{name}: {mismatch}")
    elif (share := statistics.saturated_share) > SATURATED_SHARE:
        found.append(
            f"{name}: {share:.1%} of the samples are saturated; shorten the exposure, or leave "
            "them out with --saturation 0.99"
        )
    if (share := statistics.black_share) > BLACK_SHARE:
        found.append(f"{name}: {share:.1%} of the samples are black; mask the background")
    wanted = figures.pixels - figures.masked
    if wanted == 0:
        found.append(f"{name}: the mask is empty, so that no pixel has a normal")
    elif (lost := 1 - figures.valid / wanted) > DEGENERATE_SHARE:
        found.append(
            f"{name}: {lost:.1%} of the pixels that are wanted have no normal: no light, samples "
            "that are not finite, or too few usable lights"
        )
    if figures.valid and not figures.shown:
        found.append(
            f"{name}: undistorting left no pixel with a normal, since each needs neighbours that "
            "all have one; check the mask, or solve a larger --roi"
        )
    return tuple(found)


def _bits_mismatch(stack: Stack, bits: int) -> str | None:
    """Where the samples contradict what was stated about their bits, or was left unsaid."""
    info, stated = stack.infos[0], stack.sample_format
    if info.dtype.kind == "f":
        return None
    if stated.bits is None:
        unsaid = info.dtype == np.uint16 and info.bits == 16
        return stated.looks_like(bits) if unsaid else None
    if bits & ~int(stated.white(info)):
        return (
            f"samples have bits beyond the stated {stated.bits}, {stated.align}-aligned; check "
            "--bits and --align"
        )
    return None
