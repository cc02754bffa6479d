"""From the words of ``mvps normals`` to a finished run: plan, talk, progress, summary."""

from __future__ import annotations

import re
import time
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from mvps import console
from mvps.calib.fit import CameraFit, parse_crop
from mvps.capture import Overrides
from mvps.cli.progress import RunProgress, clock_text
from mvps.cli.report import after_run as write_after_run
from mvps.errors import InputError
from mvps.images import DEFAULT_MAX_PIXELS, RawLayout
from mvps.images.info import Packing
from mvps.machine import share_memory
from mvps.pipeline.near_options import NearOptions
from mvps.pipeline.options import RunOptions, Schedule, parse_roi, parse_shard
from mvps.pipeline.plan import Plan, make_plan
from mvps.pipeline.record import StackResult
from mvps.pipeline.run import run_plan
from mvps.stereo import get_backend
from mvps.stereo.solvers import parse_trim

if TYPE_CHECKING:
    from mvps.stereo import Backend

MOST_ERRORS = 50
SHOWN = 5  # stacks and warnings listed before "and N more"
_SIZE = re.compile(r"\s*(\d+)\s*[xX]\s*(\d+)\s*")


@dataclass(frozen=True)
class Words:
    """The command line as it was typed."""

    raw: Path
    out: Path
    lights: Path | None
    lights_convention: str | None
    bits: int | None
    align: str | None
    bayer: str | None
    raw_packing: str | None
    raw_size: str | None
    raw_offset: int
    roi: str | None
    bin: int
    max_pixels: int | None
    camera: Path | None
    camera_name: str | None
    camera_crop: str | None
    camera_bin: int
    camera_scale: bool
    undistort: bool
    frame: str
    board_up: bool
    near: str
    distance_mm: float | None
    plane: str
    depth: Path | None
    mm_per_px: float | None
    near_intensities: str | None
    refine_distance: bool
    response: str | None
    mask: Path | None
    dark: Path | None
    ambient: Path | None
    flat: str | None
    saturation: float | None
    black: float | None
    grey: str
    solver: str
    loss: str
    iterations: int
    trim: str
    device: str
    format: str
    albedo: str
    convention: str
    depth_map: bool
    flatten: str
    keep_tilt: bool
    smooth: int
    quality: bool
    preview: bool
    picture: bool
    workers: int
    overwrite: bool
    latency: bool
    shard: str | None
    report: bool
    light_check: bool
    dry_run: bool
    json: bool
    verbose: bool

    @classmethod
    def names(cls) -> frozenset[str]:
        """Names of all words."""
        return frozenset(field.name for field in fields(cls))


def execute(words: Words, *, debug: bool) -> int:
    """Plan, run and report; the exit code."""
    share_memory()
    options = _options(words)
    backend = get_backend(options.device)
    plan = make_plan(words.raw, words.out, _overrides(words), options, _schedule(words))
    if words.dry_run:
        _show_plan(plan, words)
        return _plan_code(plan)
    if not plan.runnable:
        _show_failures(plan, (), words.verbose)
        if words.json:
            console.print_json({"results": [], "failures": plan.as_dict()["failures"]})
        return 2
    if not words.json:
        _announce(plan, backend)
    _show_plan_warnings(plan, words.verbose)
    return _run(plan, backend, words, debug)


def _run(plan: Plan, backend: Backend, words: Words, debug: bool) -> int:
    started = time.perf_counter()
    results: list[StackResult] = []
    interrupted = False
    told = {warning for planned in plan.runnable for warning in planned.warnings}
    with (
        RunProgress(plan) as progress,
        closing(run_plan(plan, backend, progress.advance, debug=debug)) as run,
    ):
        try:
            for result in run:
                results.append(result)
                progress.finish(result)
                _say_solver(result, told)
                for warning in set(result.warnings) - told:
                    told.add(warning)
                    console.warn(warning)
        except KeyboardInterrupt:
            interrupted = True
    seconds = time.perf_counter() - started
    failed = tuple(result for result in results if result.status == "failed")
    _show_failures(plan, failed, words.verbose)
    done = [result for result in results if result.status == "done"]
    skipped = len(results) - len(done) - len(failed)
    if words.json:
        console.print_json(_summary(plan, results, seconds))
    else:
        _show_summary(plan, done, skipped, len(failed) + len(plan.failures), seconds)
    if words.report and not interrupted:
        write_after_run(words.out)
    if interrupted:
        console.error("interrupted; what is done is complete, the same command does the rest")
        return 130
    return 1 if failed or plan.failures else 0


def _say_solver(result: StackResult, told: set[str]) -> None:
    """What "auto" chose, once a solver: stack.json says it of every stack."""
    name = result.solver.partition(":")[0]
    if name and name not in told:
        told.add(name)
        console.say(f"{result.stack}: solver {result.solver}")


def _options(words: Words) -> RunOptions:
    return RunOptions(
        device=words.device,
        grey=words.grey,
        solver=words.solver,
        loss=words.loss,
        iterations=words.iterations,
        trim=parse_trim(words.trim),
        encoding=words.format,
        albedo=words.albedo,
        convention=words.convention,
        undistort=words.undistort,
        frame=words.frame,
        board_up=words.board_up,
        roi=None if words.roi is None else parse_roi(words.roi),
        bin=words.bin,
        black=words.black,
        saturation=words.saturation,
        quality=words.quality,
        preview=words.preview,
        picture=words.picture,
        depth_map=words.depth_map,
        flatten=words.flatten,
        keep_tilt=words.keep_tilt,
        smooth=words.smooth,
        max_pixels=DEFAULT_MAX_PIXELS if words.max_pixels is None else words.max_pixels,
        near=NearOptions(
            words.near,
            words.distance_mm,
            words.plane,
            "" if words.depth is None else str(words.depth),
            words.mm_per_px,
            words.near_intensities or "",
            words.refine_distance,
        ),
    )


def _schedule(words: Words) -> Schedule:
    return Schedule(
        workers=words.workers,
        overwrite=words.overwrite,
        latency=words.latency,
        shard=(1, 1) if words.shard is None else parse_shard(words.shard),
        light_check=words.light_check,
    )


def _overrides(words: Words) -> Overrides:
    if (words.bits is None) != (words.align is None):
        raise InputError("--bits", "needs --align, and the reverse", "--align right or left")
    return Overrides(
        lights=words.lights,
        mask=words.mask,
        dark=words.dark,
        ambient=words.ambient,
        flat=words.flat,
        response=words.response,
        bits=words.bits,
        align=_alignment(words.align),
        bayer=None if words.bayer is None else words.bayer.lower(),
        raw=_raw_layout(words),
        convention=words.lights_convention,
        camera=words.camera,
        camera_name=words.camera_name,
        camera_fit=_camera_fit(words),
    )


def _camera_fit(words: Words) -> CameraFit:
    crop = None if words.camera_crop is None else parse_crop(words.camera_crop)
    return CameraFit(crop, words.camera_bin, words.camera_scale)


def _alignment(word: str | None) -> Literal["right", "left"] | None:
    match word:
        case None | "right" | "left":
            return word
        case _:
            raise InputError("--align", f"{word!r} is neither right nor left")


def _raw_layout(words: Words) -> RawLayout | None:
    if words.raw_packing is None and words.raw_size is None:
        if words.raw_offset:
            raise InputError("--raw-offset", "needs --raw-packing and --raw-size", "state them")
        return None
    if words.raw_packing is None or words.raw_size is None:
        raise InputError("--raw-packing", "needs --raw-size, and the reverse", "state both")
    size = _SIZE.fullmatch(words.raw_size)
    if size is None:
        raise InputError("--raw-size", f"{words.raw_size!r} is no size", "e.g. 5472x3648")
    if words.raw_packing not in get_args(Packing):
        known = ", ".join(get_args(Packing))
        raise InputError("--raw-packing", f"{words.raw_packing!r} is none of {known}")
    packing: Packing = words.raw_packing  # type: ignore[assignment]
    return RawLayout(packing, int(size[1]), int(size[2]), words.raw_offset)


def _show_plan(plan: Plan, words: Words) -> None:
    if words.json:
        console.print_json(plan.as_dict())
        return
    shown = plan.stacks if words.verbose else plan.stacks[:SHOWN]
    for planned in shown:
        lights = planned.stack.lights.source
        console.stdout().print(
            f"{planned.stack.name}: {len(planned.stack.images)} lights from {lights}, "
            f"{planned.width}x{planned.height} -> {planned.folder}",
            soft_wrap=True,
        )
    _and_more(len(plan.stacks) - len(shown), "stacks; -v lists them")
    _show_plan_warnings(plan, words.verbose)
    _show_failures(plan, (), words.verbose)
    console.say(
        f"{len(plan.runnable)} of {_count(len(plan.stacks) + len(plan.faults), 'stack')} can be "
        f"solved, about {clock_text(plan.estimated_seconds())} on "
        f"{_count(plan.workers, 'worker')}; dry run, nothing was written"
    )


def _plan_code(plan: Plan) -> int:
    if not plan.runnable:
        return 2
    return 1 if plan.failures else 0


def _announce(plan: Plan, backend: Backend) -> None:
    lights = sorted({len(planned.stack.images) for planned in plan.runnable})
    many = str(lights[0]) if len(lights) == 1 else f"{lights[0]} to {lights[-1]}"
    console.say(
        f"{_count(len(plan.runnable), 'stack')} of {many} lights, {backend.name}, "
        f"about {clock_text(plan.estimated_seconds())} on {_count(plan.workers, 'worker')}"
    )


def _show_plan_warnings(plan: Plan, verbose: bool) -> None:
    each = (warning for planned in plan.stacks for warning in planned.warnings)
    warnings = list(dict.fromkeys(each))  # stacks under the same lights share a warning
    shown = warnings if verbose else warnings[:SHOWN]
    for warning in shown:
        console.warn(warning)
    _and_more(len(warnings) - len(shown), "warnings; -v lists them")
    if plan.lightless:
        count = _count(len(plan.lightless), "folder")
        console.warn(f"{count} with images but without lights passed over: {plan.lightless[0]}")


def _show_failures(plan: Plan, failed: tuple[StackResult, ...], verbose: bool) -> None:
    each = [fault.message for fault in plan.failures] + [result.error for result in failed]
    messages = list(dict.fromkeys(each))  # stacks of one camera or mask share its fault
    shown = messages if verbose else messages[:MOST_ERRORS]
    for message in shown:
        console.error(message)
    _and_more(len(messages) - len(shown), "errors; -v lists them")


def _summary(plan: Plan, results: list[StackResult], seconds: float) -> dict[str, Any]:
    return {
        "out": str(plan.out),
        "seconds": round(seconds, 3),
        "results": [result.as_dict() for result in results],
        "failures": plan.as_dict()["failures"]
        + [{"stack": r.stack, "error": r.error} for r in results if r.status == "failed"],
    }


def _show_summary(
    plan: Plan, done: list[StackResult], skipped: int, failures: int, seconds: float
) -> None:
    megapixels = sum(result.raw_pixels for result in done) / 1e6
    pixels = sum(result.pixels for result in done)
    valid = sum(result.valid for result in done)
    text = f"{_count(len(done), 'stack')} done in {clock_text(seconds)}"
    if done:
        text += f" ({megapixels / max(seconds, 1e-9):.0f} MP/s), {valid / pixels:.1%} valid normals"
    if skipped:
        text += f", {skipped:,} done before (--overwrite solves them again)"
    if untried := len(plan.runnable) - len(done) - skipped - failures + len(plan.failures):
        text += f", {untried:,} not tried"
    if failures:
        text += f", {failures} failed"
    console.say(text)
    if done:
        preview = done[0].folder / "preview.png"
        look = f"; look at {preview}" if plan.options.preview else ""
        console.say(f"maps under {plan.out}{look}")


def _and_more(count: int, what: str) -> None:
    if count > 0:
        console.say(f"and {count} more {what}")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
