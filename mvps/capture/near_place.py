"""Where the part lies under near lights, as a rig file states it for a view."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from mvps.capture.patterns import Pattern, parse_pattern
from mvps.lights.rig import INTENSITIES
from mvps.yaml_nodes import Node

KEYS = ("distance_mm", "plane", "depth", "mm_per_px", "intensities")
BOARD = "board"


@dataclass(frozen=True)
class NearPlace:
    """The key ``near`` of a view; None or empty where it does not say.

    Attributes
    ----------
    key : file, line and dotted key, for messages
    distance_mm, mm_per_px, intensities : see :class:`mvps.pipeline.near_options.NearOptions`
    plane : "", "TILT,AZIMUTH" in degrees, or "board"
    depth : pattern of depth maps in mm
    """

    key: str
    distance_mm: float | None = None
    plane: str = ""
    depth: Pattern | None = None
    mm_per_px: float | None = None
    intensities: str = ""

    def depth_path(self, sample: str) -> Path | None:
        """The depth map of one sample."""
        return None if self.depth is None else self.depth.path(sample)


def read_place(node: Node) -> NearPlace:
    """The key ``near`` of a view.

    Raises
    ------
    InputError
        An unknown key, a value of the wrong type or out of range, or two that contradict each
        other; the message names file, line and key.
    """
    data = node.mapping(KEYS)
    plane = _plane(data["plane"]) if "plane" in data else ""
    if plane == BOARD and "distance_mm" in data:
        raise data["distance_mm"].fault("the board has its own distance", "leave one out")
    if plane not in ("", BOARD) and "distance_mm" not in data:
        raise data["plane"].fault("has a tilt but no distance", "add distance_mm")
    depth = None
    if "depth" in data:
        text = data["depth"]
        depth = parse_pattern(text.text(), text.file.parent, text.fault, ("sample",))
    stated = data["intensities"].choice(INTENSITIES) if "intensities" in data else ""
    return NearPlace(
        key=f"{node.file}, line {node.line}: {node.key}",
        distance_mm=_millimetres(data, "distance_mm", zero=True),
        plane=plane,
        depth=depth,
        mm_per_px=_millimetres(data, "mm_per_px", zero=False),
        intensities=stated,
    )


def _plane(node: Node) -> str:
    """As ``--plane`` takes it."""
    if not isinstance(node.value, list):
        if node.text() != BOARD:
            raise node.fault(f"{node.text()!r} is no plane", "write board or [tilt, azimuth]")
        return BOARD
    angles = [item.number() for item in node.value]
    if len(angles) != 2 or not all(map(math.isfinite, angles)):
        raise node.fault(f"{len(angles)} numbers", "write [tilt, azimuth] in degrees")
    return f"{angles[0]!r},{angles[1]!r}"


def _millimetres(data: dict[str, Node], key: str, *, zero: bool) -> float | None:
    if key not in data:
        return None
    value = data[key].number()
    if not (math.isfinite(value) and (value > 0 or (zero and value == 0))):
        what = "zero or a positive number" if zero else "a positive number"
        raise data[key].fault(f"{value:g} is not {what}")
    return value
