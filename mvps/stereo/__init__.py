"""Photometric stereo: :func:`solve` is the front door; ``reference`` says what is right."""

from __future__ import annotations

from mvps.stereo.problem import Problem, prepare
from mvps.stereo.solution import Solution, StripOut
from mvps.stereo.solve import Backend, get_backend, solve
from mvps.stereo.solvers import Solver

__all__ = [
    "Backend",
    "Problem",
    "Solution",
    "Solver",
    "StripOut",
    "get_backend",
    "prepare",
    "solve",
]
