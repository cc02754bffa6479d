"""One stack from its images to its maps: read a strip, solve it, write it, and the next.

Every buffer is allocated once a stack; memory is bounded by the strip for every image format that
can be read by rows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from mvps.capture import Stack
from mvps.pipeline.options import STRIP_ROWS, RunOptions
from mvps.pipeline.plan import Plan, PlannedStack
from mvps.pipeline.record import Figures, StackResult, write_record
from mvps.pipeline.sink import MapSink
from mvps.pipeline.source import StripSource
from mvps.stereo import Backend, Problem, StripOut, prepare

SATURATED_SHARE = 0.01  # from here on highlights visibly bend least-squares normals
BLACK_SHARE = 0.25

Progress = Callable[[str, int], None]  # name of the stack, raw pixels just read


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


def run_stack(
    planned: PlannedStack,
    plan: Plan,
    backend: Backend,
    progress: Progress,
    cancel: threading.Event,
    readers: Executor | None = None,
) -> StackResult:
    """Solve one stack from its images to its maps and its record.

    Raises
    ------
    MvpsError, OSError
        The stack cannot be solved; nothing half-written is left.
    CancelledError
        ``cancel`` was set.
    """
    started = time.perf_counter()
    stack, options = planned.stack, plan.options
    clock = Stopwatch()

    def tick(raw_pixels: int) -> None:
        if cancel.is_set():
            raise CancelledError
        progress(stack.name, raw_pixels)

    with StripSource(stack, planned.window, options, readers) as source:
        limits = {} if source.counts_limits else {"low": source.low, "high": source.high}
        problem = prepare(
            stack.lights,
            channels=source.channels,
            dtype=source.dtype,
            white=source.white,
            grey=options.grey,
            **limits,
        )
        size = (planned.width, planned.height)
        sink = MapSink(planned.folder, size, problem, source.white, options)
        try:
            figures = _stream(source, problem, backend, sink, clock, tick, options.quality)
            with clock.stage("encode"):
                outputs = sink.commit()
        except BaseException:
            sink.abort()
            raise
        warnings = planned.warnings + _sample_warnings(stack, source)
    timings = clock.seconds | {"total": time.perf_counter() - started}
    write_record(
        planned,
        plan,
        figures,
        device=backend.describe(),
        outputs={"files": outputs, "albedo_scale": sink.albedo_scale},
        warnings=warnings,
        timings=timings,
    )
    return StackResult(
        stack.name,
        planned.folder,
        "done",
        warnings=warnings,
        seconds=time.perf_counter() - started,
        pixels=figures.pixels,
        valid=figures.valid,
        raw_pixels=planned.raw_pixels,
    )


def _stream(
    source: StripSource,
    problem: Problem,
    backend: Backend,
    sink: MapSink,
    clock: Stopwatch,
    tick: Callable[[int], None],
    quality: bool,
) -> Figures:
    whole = StripOut.empty(source.width * STRIP_ROWS, problem, quality=quality)
    pixels = masked = valid = 0
    albedo_sum = squares = 0.0
    strips = source.strips()
    while True:
        with clock.stage("read"):
            strip = next(strips, None)
        if strip is None:
            break
        count = strip.samples.shape[1]
        out = whole.head(count)
        with clock.stage("solve"):
            backend.solve_strip(problem, strip.samples, strip.mask, out)
        if strip.used is not None and out.used is not None:
            np.multiply(strip.used, out.valid, out=out.used)
        with clock.stage("encode"):
            sink.write(out, strip.rows)
        pixels += count
        masked += 0 if strip.wanted is None else count - strip.wanted
        valid += int(np.count_nonzero(out.valid))
        albedo_sum += float(out.albedo.sum(dtype=np.float64)) / (out.albedo.size // count)
        if out.residual is not None:
            squares += float(np.square(out.residual, dtype=np.float64).sum())
        tick(strip.raw_pixels)
    figure = squares if quality else None
    return Figures(pixels, masked, valid, albedo_sum, figure, source.statistics)


def _sample_warnings(stack: Stack, source: StripSource) -> tuple[str, ...]:
    found = []
    statistics = source.statistics
    if (share := statistics.saturated_share) > SATURATED_SHARE:
        found.append(
            f"{stack.name}: {share:.1%} of the samples are saturated; shorten the exposure, "
            "or drop pixels with --saturation 0.99"
        )
    if (share := statistics.black_share) > BLACK_SHARE:
        found.append(f"{stack.name}: {share:.1%} of the samples are black; mask the background")
    if hint := stack.sample_format.looks_like_unused(statistics.bits, stack.infos[0]):
        found.append(f"{stack.name}: {hint}")
    return tuple(found)
