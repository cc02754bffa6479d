"""Which solver one stack gets: the one asked for, or what "auto" decides from two of its strips."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np

from mvps.pipeline.options import STRIP_ROWS, RunOptions
from mvps.pipeline.plan import PlannedStack
from mvps.pipeline.source import Strip, StripSource
from mvps.stereo import Problem, prepare
from mvps.stereo.auto import FEWEST_JUDGED, Choice, choose, glance
from mvps.stereo.noise_measured import measure_noise, runs_of
from mvps.stereo.solvers import Solver

LOOKED_AT = (0.35, 0.5)  # of the height: where parts lie; formats without rows are read that far


def problem_of(source: StripSource, planned: PlannedStack, grey: str, solver: Solver) -> Problem:
    """The problem that the strips of a source pose."""
    return prepare(
        planned.stack.lights,
        channels=source.channels,
        dtype=source.dtype,
        white=source.white,
        grey=grey,
        low=source.low if np.isfinite(source.low) else None,
        high=source.high if np.isfinite(source.high) else None,
        solver=solver,
    )


def settle(
    planned: PlannedStack, options: RunOptions, readers: Executor | None
) -> tuple[Solver, Choice | None]:
    """The solver of one stack, and why where "auto" chose it.

    Raises
    ------
    MvpsError, OSError
        An image cannot be read.
    """
    wanted = options.solver_settings
    if wanted.name != "auto":
        return wanted, None
    with StripSource(planned.stack, planned.window, options, readers) as source:
        problem = problem_of(source, planned, options.grey, wanted)
        seen = []
        if problem.lights >= FEWEST_JUDGED:
            strips = source.strips(_starts(planned.height))
            seen = [np.array(glance(strip.samples, strip.mask)) for strip in strips]
        empty = np.zeros((problem.lights, 0), source.dtype)
        choice = choose(problem, np.concatenate(seen, axis=1) if seen else empty)
    return choice.solver, choice


def with_noise(
    problem: Problem, planned: PlannedStack, options: RunOptions, readers: Executor | None
) -> Problem:
    """The problem with the noise that two strips of the stack show.

    Raises
    ------
    MvpsError, OSError
        An image cannot be read.
    """
    samples, masks = [], []
    with StripSource(planned.stack, planned.window, options, readers) as source:
        for _, strip in noise_strips(source, planned.height):
            for run in runs_of(strip.samples.shape[1]):
                samples.append(np.array(strip.samples[:, run]))
                masks.append(None if strip.mask is None else np.array(strip.mask[run]))
    inside = None if masks[0] is None else np.concatenate([m for m in masks if m is not None])
    return replace(problem, noise=measure_noise(problem, np.concatenate(samples, axis=1), inside))


def noise_strips(source: StripSource, height: int) -> Iterator[tuple[int, Strip]]:
    """The two strips that show the noise, each with its first row."""
    starts = _starts(height)
    yield from zip(starts, source.strips(starts), strict=True)


def _starts(height: int) -> list[int]:
    last = max(0, height - STRIP_ROWS)
    return sorted({min(int(share * height), last) for share in LOOKED_AT})
