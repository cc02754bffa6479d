"""Which solver one stack gets: the one asked for, or what "auto" decides from two of its strips."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np

from mvps.pipeline.options import STRIP_ROWS, RunOptions
from mvps.pipeline.plan import PlannedStack
from mvps.pipeline.source import StripSource
from mvps.stereo import Problem, prepare
from mvps.stereo.auto import FEWEST_JUDGED, Choice, choose, glance
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
            last = max(0, planned.height - STRIP_ROWS)
            starts = sorted({min(int(share * planned.height), last) for share in LOOKED_AT})
            seen = [np.array(glance(s.samples, s.mask)) for s in source.strips(starts)]
        empty = np.zeros((problem.lights, 0), source.dtype)
        choice = choose(problem, np.concatenate(seen, axis=1) if seen else empty)
    return choice.solver, choice
