"""The plan: every stack that will be solved, what speaks against it, and how long it may take."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from mvps.capture import Fault, Overrides, Stack, discover, inspect
from mvps.errors import InputError, MvpsError
from mvps.findings import Finding
from mvps.images import Window
from mvps.machine import cores
from mvps.pipeline.levelling import Maps, maps_of, target_of
from mvps.pipeline.mapview import AS_SEEN, MapView
from mvps.pipeline.near import NearPlan, plan_near
from mvps.pipeline.options import DEFAULT_SCHEDULE, FLATTENED, RunOptions, Schedule

# CPU milliseconds for 20 megapixels on one core, 8-bit and 16-bit grey; only for the estimate.
_DECODE_MS = {
    ("tiff", "none"): (5, 6),
    ("tiff", "zstd"): (31, 50),
    ("tiff", "deflate"): (51, 95),
    ("tiff", "lzw"): (110, 160),
    ("png", ""): (40, 86),
    ("bmp", ""): (5, 5),
    ("jpeg", ""): (70, 70),
    ("npy", ""): (5, 6),
    ("raw", ""): (5, 30),
}
_ENCODE_MS = {
    "tiff": 60,
    "zstd": 250,
    "f32": 143,
    "png16": 284,
    "png8": 205,
    "jxl8": 150,
    "exr": 1290,
    "npy": 135,
}
_SOLVE_MS = 60
_FLATTEN_MS = 1600
_STACK_MS = 6  # opening, checking and recording, whatever the size
_MEGAPIXELS = 20.0


@dataclass(frozen=True)
class PlannedStack:
    """One stack, the folder that its maps go to, and what the checks found.

    Attributes
    ----------
    window : the part of the raw image that is solved, in raw pixels
    width, height : of the maps, after region of interest and binning
    view : pixel grid and frame of the maps
    near : how lights near the part are solved; None where they are distant
    target : map of a flat target that is divided out; None without one
    """

    stack: Stack
    folder: Path
    findings: tuple[Finding, ...]
    window: Window
    width: int
    height: int
    view: MapView = AS_SEEN
    near: NearPlan | None = None
    target: Path | None = None

    @property
    def errors(self) -> tuple[str, ...]:
        """Messages that forbid solving this stack."""
        return tuple(f.message for f in self.findings if f.level == "error")

    @property
    def warnings(self) -> tuple[str, ...]:
        """Messages that make the result poor."""
        return tuple(f.message for f in self.findings if f.level == "warning")

    @property
    def raw_pixels(self) -> int:
        """Raw pixels read for this stack, over all lights."""
        return self.window.width * self.window.height * len(self.stack.images)


@dataclass(frozen=True)
class Plan:
    """Everything that a run will do; ``lightless`` folders hold images that no lights go with."""

    root: Path
    out: Path
    options: RunOptions
    schedule: Schedule
    stacks: tuple[PlannedStack, ...]
    faults: tuple[Fault, ...]
    lightless: tuple[str, ...] = ()

    @cached_property
    def runnable(self) -> tuple[PlannedStack, ...]:
        """Stacks without an error."""
        return tuple(planned for planned in self.stacks if not planned.errors)

    @cached_property
    def failures(self) -> tuple[Fault, ...]:
        """Stacks that cannot be solved, with the first reason each."""
        refused = (Fault(p.stack.name, p.errors[0]) for p in self.stacks if p.errors)
        return (*self.faults, *refused)

    @cached_property
    def workers(self) -> int:
        """Stacks solved at the same time."""
        wanted = 1 if self.schedule.latency else self.schedule.workers or cores()
        return max(1, min(wanted, len(self.runnable)))

    def estimated_seconds(self) -> float:
        """Rough wall time, from the pixels, their formats and the encoding."""
        return sum(_stack_ms(p, self.options) for p in self.runnable) / 1000 / self.workers

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types, for ``--dry-run --json``."""
        return {
            "raw": str(self.root),
            "out": str(self.out),
            "options": self.options.as_dict(),
            "workers": self.workers,
            "estimated_seconds": round(self.estimated_seconds(), 1),
            "stacks": [_describe(planned) for planned in self.stacks],
            "failures": [{"stack": f.stack, "error": f.message} for f in self.failures],
        }


def make_plan(
    root: Path,
    out: Path,
    overrides: Overrides,
    options: RunOptions,
    schedule: Schedule = DEFAULT_SCHEDULE,
) -> Plan:
    """Find the stacks under ``root`` and run every check that needs no pixel.

    Raises
    ------
    InputError
        Nothing is recognised under ``root``, ``out`` would overwrite the capture, a camera is
        named where there is none, or there is no flat target where one is named.
    """
    if not root.is_dir():
        what = "is a file, not a folder" if root.exists() else "no such folder"
        raise InputError(root, what, "give the folder that holds the captures")
    if out.resolve() == root.resolve():
        raise InputError(out, "is the capture itself", "write the maps to another folder")
    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file", "name a folder for the maps")
    found = discover(root, overrides)
    named = overrides.camera_name is not None
    if named and found.stacks and not any(stack.camera for stack in found.stacks):
        raise InputError("--camera-name", "no stack has a camera", "add --camera FILE")
    wanted = [stack for stack in found.stacks if schedule.takes(stack.name)]
    faults = tuple(fault for fault in found.faults if schedule.takes(fault.stack))
    targets = _targets(options)
    one = partial(_plan_stack, out=out, options=options, targets=targets)
    with ThreadPoolExecutor() as pool:
        planned = tuple(pool.map(one, wanted))
    faults += tuple(p for p in planned if isinstance(p, Fault))
    stacks = tuple(p for p in planned if isinstance(p, PlannedStack))
    return Plan(root, out, options, schedule, stacks, faults, found.ignored)


def _targets(options: RunOptions) -> Maps:
    """Maps of a flat target, where the options name one."""
    named = options.flat_target
    if named is None:
        return []
    if not named.exists():
        remedy = f"say {', '.join(FLATTENED)}, or name a flat target's map"
        raise InputError("--flatten", f"{options.flatten!r} does not exist", remedy)
    return maps_of(named)


def _plan_stack(
    stack: Stack, out: Path, options: RunOptions, targets: Maps
) -> PlannedStack | Fault:
    folder = out / stack.name
    parents = {ref.path.parent for ref in stack.images}
    if {folder.resolve(), out.resolve()} & {parent.resolve() for parent in parents}:
        fault = InputError(folder, "holds the photographs", "write the maps to another folder")
        return Fault(stack.name, str(fault))
    try:
        planned = _planned(stack, folder, options)
        if options.flat_target is None:
            return planned
        target = target_of(options.flat_target, targets, stack.name)
        if target.resolve().parent == folder.resolve():
            raise InputError(folder, "holds the flat target", "write the maps to another folder")
        return replace(planned, target=target)
    except MvpsError as error:
        return Fault(stack.name, str(error))


def _planned(stack: Stack, folder: Path, options: RunOptions) -> PlannedStack:
    inspected, findings = inspect(stack, options.max_pixels)
    if not inspected.infos:
        return PlannedStack(inspected, folder, findings, Window(0, 0, 1, 1), 0, 0)
    full = Window(0, 0, inspected.infos[0].width, inspected.infos[0].height)
    window = options.roi or full
    if window.x + window.width > full.width or window.y + window.height > full.height:
        size = f"{full.width}x{full.height}"
        raise InputError("--roi", f"reaches beyond the {size} images of {stack.title}")
    width, height = window.width // options.bin, window.height // options.bin
    if width == 0 or height == 0:
        raise InputError("--bin", f"{options.bin} is larger than the image of {stack.title}")
    view = MapView.of(inspected, window, options)
    near, more = plan_near(inspected, window, options)
    return PlannedStack(inspected, folder, findings + more, window, width, height, view, near)


def _stack_ms(planned: PlannedStack, options: RunOptions) -> float:
    info = planned.stack.infos[0]
    pair = _DECODE_MS.get((info.format, info.compression if info.format == "tiff" else ""))
    decode = (pair or (100, 200))[info.dtype.itemsize > 1] * info.channels
    if planned.near is not None and planned.near.mode == "surface":
        decode *= 2  # once for the surface, once for the maps
    raw = planned.raw_pixels / 1e6 / _MEGAPIXELS
    maps = planned.width * planned.height / 1e6 / _MEGAPIXELS
    solve = _SOLVE_MS + (_FLATTEN_MS if options.flatten else 0)
    return _STACK_MS + decode * raw + (solve + _ENCODE_MS[options.encoding]) * maps


def _describe(planned: PlannedStack) -> dict[str, Any]:
    stack = planned.stack
    return {
        "stack": stack.name,
        "layout": stack.layout,
        "lights": len(stack.images),
        "light_source": stack.lights.source,
        "images": [str(ref.path) for ref in stack.images],
        "width": planned.width,
        "height": planned.height,
        "format": stack.infos[0].format if stack.infos else None,
        "samples": stack.sample_format.describe(stack.infos[0]) if stack.infos else None,
        "findings": [asdict(finding) for finding in planned.findings],
    }
