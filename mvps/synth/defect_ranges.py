"""How large and how deep drawn defects are: ranges in mm for each kind, and how sizes are drawn."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from mvps.errors import InputError
from mvps.synth.defect_types import KINDS

Range = tuple[float, float]

# Smallest and largest; drawn log-uniformly. What each word means stands in docs/synth.md.
RANGES: Mapping[str, Mapping[str, Range]] = MappingProxyType(
    {
        "scratch": {"size_mm": (2.0, 10.0), "depth_mm": (0.03, 0.15), "width_mm": (0.12, 0.4)},
        "dent": {"size_mm": (1.2, 4.0), "depth_mm": (0.1, 0.45)},
        "pit": {"size_mm": (0.4, 1.1), "depth_mm": (0.12, 0.4)},
        "bump": {"size_mm": (0.7, 2.5), "depth_mm": (0.1, 0.45)},
        "bent_pin": {"angle_deg": (12.0, 50.0)},
        "missing_piece": {"size_mm": (1.0, 4.0), "depth_mm": (0.25, 1.2)},
        "crack": {"size_mm": (2.5, 9.0), "depth_mm": (0.06, 0.25), "width_mm": (0.1, 0.25)},
        "contamination": {
            "size_mm": (0.6, 2.5),
            "depth_mm": (0.15, 0.8),
            "fibre_mm": (2.0, 8.0),
            "thickness_mm": (0.07, 0.16),
        },
        "discoloration": {"size_mm": (1.5, 6.0)},
    }
)
# The depth is at most this share of the size (of the width, for scratch and crack): beyond it,
# walls would overhang and the shape would be another one.
STEEPEST: Mapping[str, float] = MappingProxyType(
    {
        "scratch": 0.6,
        "dent": 0.25,
        "pit": 0.6,
        "bump": 0.4,
        "missing_piece": 0.4,
        "crack": 1.2,
        "contamination": 0.6,
    }
)


def ranges_of(kind: str, ranges: Mapping[str, Range] | None = None) -> Mapping[str, Range]:
    """Ranges of a kind, those given before the usual ones.

    Raises
    ------
    InputError
        The kind or a word is unknown, or a range is empty or not above 0.
    """
    if kind not in KINDS:
        raise InputError("defect", f"unknown kind {kind!r}", "use " + ", ".join(KINDS))
    usual = RANGES[kind]
    for word, (low, high) in (ranges or {}).items():
        if word not in usual:
            raise InputError(kind, f"has no range {word!r}", "use " + ", ".join(usual))
        if not 0 < low <= high < np.inf:
            raise InputError(kind, f"{word} from {low:g} to {high:g} is no range above 0")
    return {**usual, **(ranges or {})}


def draw_from(rng: np.random.Generator, span: Range) -> float:
    """Log-uniform number of a range, to a tenth of a micrometre."""
    return round(float(np.exp(rng.uniform(*np.log(span)))), 4)


def draw_depth(rng: np.random.Generator, kind: str, span: Range, across_mm: float) -> float:
    """Depth of a defect ``across_mm`` wide: from the range as far as it is not too steep."""
    low, high = span
    steepest = STEEPEST[kind] * across_mm
    return draw_from(rng, (min(low, steepest), min(high, steepest)))
