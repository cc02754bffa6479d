"""What a run is told about lights near the part: where the part is, and how far to go."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mvps.capture.near_place import BOARD, NearPlace
from mvps.errors import InputError
from mvps.lights.rig import INTENSITIES
from mvps.stereo.near_view import Plane

if TYPE_CHECKING:
    from mvps.capture import Stack

MODES = ("auto", "off", "plane", "surface", "depth")


@dataclass(frozen=True)
class NearOptions:
    """Options of ``mvps normals`` for lights with positions.

    Attributes
    ----------
    mode : "off" (distant lights), "plane" (the part is flat), "surface" (its depth is found with
        its normals), "depth" (a depth map is given) or "auto": near as soon as the place of the
        part is stated, by a depth map, a distance or the board
    distance_mm : of the assumed plane, along the optical axis from the origin of the positions;
        zero where they are measured from the plane itself, without a camera
    plane : "" (faces the camera), "TILT,AZIMUTH" in degrees, or "board"
    depth : path of a depth map of the raw pixels in mm, or empty
    mm_per_px : scale of the raw pixels where there is no camera
    refine : with "surface", move the plane to the distance at which the photographs agree best
    intensities : what those of the lights are, see :func:`mvps.stereo.near_problem.prepare_near`;
        empty where it is not stated, which means those of the lamps

    Raises
    ------
    InputError
        A word is unknown, a number out of range, or two contradict each other.
    """

    mode: str = "auto"
    distance_mm: float | None = None
    plane: str = ""
    depth: str = ""
    mm_per_px: float | None = None
    intensities: str = ""
    refine: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise InputError("--near", f"{self.mode!r} is none of {', '.join(MODES)}")
        if self.intensities not in ("", *INTENSITIES):
            known = ", ".join(INTENSITIES)
            raise InputError("--near-intensities", f"{self.intensities!r} is none of {known}")
        distance, scale = self.distance_mm, self.mm_per_px
        if distance is not None and not (math.isfinite(distance) and distance >= 0):
            raise InputError("--distance-mm", f"{distance} is not zero or a positive number")
        if scale is not None and not (math.isfinite(scale) and scale > 0):
            raise InputError("--mm-per-px", f"{scale} is not a positive number")
        if self.plane and self.plane != BOARD:
            self.angles()
            if self.distance_mm is None:
                raise InputError("--plane", "has a tilt but no distance", "add --distance-mm")
        if self.plane == BOARD and self.distance_mm is not None:
            raise InputError("--plane board", "has its own distance", "leave out --distance-mm")
        if self.depth and self.mode not in ("auto", "depth"):
            raise InputError("--depth", f"goes with --near depth, not {self.mode}")
        if self.refine and (self.depth or self.mode not in ("auto", "surface")):
            raise InputError("--refine-distance", "is for --near surface", "leave it out")

    def over(self, stack: Stack) -> NearOptions:
        """These options, and where they do not say those of the stack's rig file.

        A place that is stated here replaces that of the rig file as a whole, and a depth map there
        does not count where a plane or a surface is asked for.

        Raises
        ------
        InputError
            What the rig file states cannot be, or something that the mode needs is missing.
        """
        place = stack.near
        found = self
        if place is not None:
            try:
                found = self._over(place, stack.depth)
            except InputError as error:
                raise InputError(place.key, error.what, error.remedy) from None
        if found.mode == "depth" and not found.depth:
            raise InputError("--near depth", "needs the map", "add --depth FILE")
        if found.mode in ("plane", "surface") and not found.stated:
            what = "needs the place of the part"
            raise InputError(f"--near {found.mode}", what, "add --distance-mm D or --plane board")
        return replace(found, intensities=found.intensities or INTENSITIES[0])

    def _over(self, place: NearPlace, depth: Path | None) -> NearOptions:
        scale = place.mm_per_px if self.mm_per_px is None else self.mm_per_px
        found = replace(self, mm_per_px=scale, intensities=self.intensities or place.intensities)
        if self.stated:
            return found
        mapped = depth is not None and self.mode in ("auto", "depth") and not self.refine
        return replace(
            found,
            distance_mm=place.distance_mm,
            plane=place.plane,
            depth=str(depth) if mapped else "",
        )

    @property
    def stated(self) -> bool:
        """Whether the place of the part is."""
        return bool(self.depth) or self.distance_mm is not None or self.plane == BOARD

    def angles(self) -> tuple[float, float]:
        """Tilt and azimuth of the plane in degrees.

        Raises
        ------
        InputError
            Not two numbers, or a plane seen edge-on.
        """
        if not self.plane:
            return 0.0, 0.0
        try:
            tilt, azimuth = (float(part) for part in self.plane.split(","))
        except ValueError:
            what = f"{self.plane!r} is neither board nor TILT,AZIMUTH"
            raise InputError("--plane", what, "e.g. 10,90") from None
        Plane.tilted(1.0, tilt, azimuth)
        return tilt, azimuth
