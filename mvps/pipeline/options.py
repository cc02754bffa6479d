"""What a run is asked to do: frozen, validated and serialisable, so that a plan can travel."""

from __future__ import annotations

import hashlib
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mvps.errors import InputError
from mvps.frames import CONVENTIONS
from mvps.images import DEFAULT_MAX_PIXELS, Window
from mvps.images.encodings import NORMAL_ENCODINGS
from mvps.pipeline.near_options import NearOptions
from mvps.stereo.problem import GREYS
from mvps.stereo.solvers import ITERATIONS, TRIM, Solver

STRIP_ROWS = 64
FRAMES = ("camera", "board")
FLATTENED = {"tilt": 0, "plane": 1, "quadratic": 2}  # degrees of a bend in the slopes
ALBEDO_FORMATS = ("f32", "u16", "none")
_ROI = re.compile(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*")


def parse_roi(text: str) -> Window:
    """``x,y,w,h`` in raw pixels.

    Raises
    ------
    InputError
        Not four whole numbers, or an empty rectangle.
    """
    match = _ROI.fullmatch(text)
    if match is None:
        raise InputError("--roi", f"{text!r} is not x,y,w,h in whole pixels", "e.g. 0,0,1024,768")
    x, y, width, height = (int(group) for group in match.groups())
    if width == 0 or height == 0:
        raise InputError("--roi", f"{text!r} is empty", "give a width and a height above zero")
    return Window(x, y, width, height)


@dataclass(frozen=True)
class RunOptions:
    """Options of ``mvps normals`` that hold for every stack.

    Attributes
    ----------
    device : ``auto``, ``cpu``, ``reference``, ``numpy``, ``cuda`` or ``cuda:1``
    grey : how RGB becomes one number, see :func:`mvps.stereo.prepare`
    solver, loss, iterations, trim : what is minimised, see :class:`mvps.stereo.Solver`
    encoding : of the normal map, a key of ``NORMAL_ENCODINGS``
    albedo : ``f32``, ``u16`` (scaled, the scale is recorded) or ``none``
    convention : signs of the written normals
    undistort : resample the maps to the camera's undistorted pixels
    frame : of the written normals, ``camera`` or ``board``
    board_up : turn the board's frame about x, so that a facing board has the normal (0, 0, 1)
    roi : part of the raw image to solve, in raw pixels
    bin : edge of the square of raw pixels that is averaged into one
    black, saturation : fractions of full scale; samples at or beyond them are not usable, and a
        pixel with fewer than three usable lights is invalid
    quality : write ``quality.tif``
    preview : write ``preview.png``
    picture : copy a stack's colour picture beside its maps
    depth_map : write ``depth.tif`` where a run finds the depth of the part
    flatten : take the bend of the rig off the normals: a key of ``FLATTENED``, or the path of a
        flat target's map or of a run over one; empty leaves it
    keep_tilt : of a fitted bend, leave the tilt at the centre of the map
    smooth : edge in pixels of the cells whose medians stand for the flat target; 0 takes each pixel
    max_pixels : refuse images above this size before decoding
    near : where the part is, for lights that have positions
    """

    device: str = "auto"
    grey: str = "luminance"
    solver: str = "ls"
    loss: str = "cauchy"
    iterations: int = ITERATIONS
    trim: tuple[float, float] = TRIM
    encoding: str = "tiff"
    albedo: str = "f32"
    convention: str = "opengl"
    undistort: bool = False
    frame: str = "camera"
    board_up: bool = False
    roi: Window | None = None
    bin: int = 1
    black: float | None = None
    saturation: float | None = None
    quality: bool = False
    preview: bool = True
    picture: bool = True
    depth_map: bool = True
    flatten: str = ""
    keep_tilt: bool = False
    smooth: int = 0
    max_pixels: int = DEFAULT_MAX_PIXELS
    near: NearOptions = field(default_factory=NearOptions)

    def __post_init__(self) -> None:
        _one_of("--grey", self.grey, GREYS)
        _ = self.solver_settings  # refuses what it cannot be
        _one_of("--format", self.encoding, tuple(NORMAL_ENCODINGS))
        _one_of("--albedo", self.albedo, ALBEDO_FORMATS)
        _one_of("--convention", self.convention, tuple(CONVENTIONS))
        _one_of("--frame", self.frame, FRAMES)
        if self.frame == "board" and self.convention != "opengl":
            raise InputError("--convention", "holds for the camera's frame", "leave it out")
        if self.board_up and self.frame != "board":
            raise InputError("--board-up", "turns the board's frame", "add --frame board")
        if self.keep_tilt and not self.bend_degree:
            raise InputError("--keep-tilt", "is for --flatten plane or quadratic", "leave it out")
        if self.smooth < 0:
            raise InputError("--smooth", f"{self.smooth} is negative", "0 takes every pixel")
        if self.smooth and self.flat_target is None:
            raise InputError("--smooth", "smooths a flat target", "add --flatten TARGET")
        if self.bin < 1:
            raise InputError("--bin", f"{self.bin} is below 1", "1 keeps every pixel")
        if self.max_pixels < 1:
            raise InputError("--max-pixels", f"{self.max_pixels} is below 1")
        black = 0.0 if self.black is None else self.black
        saturation = 1.0 if self.saturation is None else self.saturation
        for name, value in (("--black", black), ("--saturation", saturation)):
            if not 0.0 <= value <= 1.0:
                raise InputError(name, f"{value} is not a fraction of full scale", "0 to 1")
        if not black < saturation:
            raise InputError("--black", f"{black} is not below --saturation {saturation}")

    @property
    def solver_settings(self) -> Solver:
        """The solver with its parameters."""
        return Solver(self.solver, self.loss, self.iterations, trim=self.trim)

    @property
    def bend_degree(self) -> int | None:
        """Degree of the bend that is fitted; None where none is."""
        return FLATTENED.get(self.flatten)

    @property
    def flat_target(self) -> Path | None:
        """Where the map of a flat target lies; None where it takes no part."""
        return Path(self.flatten) if self.flatten and self.bend_degree is None else None

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)


@dataclass(frozen=True)
class Schedule:
    """How a run goes about its stacks; nothing here changes a map.

    Attributes
    ----------
    workers : stacks solved at the same time; 0 means one a core
    overwrite : solve again what an earlier run has done
    latency : one stack at a time, its lights read side by side, so that each is done soonest
    shard : (i, n), solve the i-th of n parts of the plan, 1-based
    light_check : ask the images under each set of lights whether these are the right ones
    """

    workers: int = 0
    overwrite: bool = False
    latency: bool = False
    shard: tuple[int, int] = (1, 1)
    light_check: bool = True

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise InputError("--workers", f"{self.workers} is negative", "0 means one a core")
        index, parts = self.shard
        if not 1 <= index <= parts:
            raise InputError("--shard", f"{index}/{parts} is no part", "e.g. 2/8, from 1/8 to 8/8")

    def takes(self, stack: str) -> bool:
        """Whether a stack belongs to this shard, by a hash of its name that never changes."""
        index, parts = self.shard
        digest = hashlib.sha256(stack.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8], "big") % parts == index - 1


DEFAULT_SCHEDULE = Schedule()


def parse_shard(text: str) -> tuple[int, int]:
    """``2/8`` as (2, 8).

    Raises
    ------
    InputError
        Not two whole numbers.
    """
    index, slash, parts = text.partition("/")
    if not (slash and index.strip().isdecimal() and parts.strip().isdecimal()):
        raise InputError("--shard", f"{text!r} is not i/n", "e.g. 2/8")
    return int(index), int(parts)


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    from difflib import get_close_matches

    if value not in allowed:
        near = get_close_matches(value, allowed, n=1)
        hint = f"did you mean {near[0]!r}?" if near else ""
        raise InputError(option, f"{value!r} is none of {', '.join(allowed)}", hint)
