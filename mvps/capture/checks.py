"""Every check of a stack before a pixel is decoded: headers of all images, lights, corrections.

Errors are what would make the result wrong, warnings what makes it poor; both are values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from mvps.calib.fit import check_size
from mvps.capture.identical import identical_files
from mvps.capture.light_checks import check_lights
from mvps.capture.stack import Stack
from mvps.errors import InputError
from mvps.findings import Finding
from mvps.images.info import ImageInfo, ImageRef
from mvps.images.probe import DEFAULT_MAX_PIXELS, probe
from mvps.images.response import parse_response
from mvps.lights.correction import is_finished_flat


def inspect(
    stack: Stack, max_pixels: int = DEFAULT_MAX_PIXELS
) -> tuple[Stack, tuple[Finding, ...]]:
    """The stack with the headers of its images, and what all checks found.

    Parameters
    ----------
    stack : stack as found
    max_pixels : largest image that is accepted, width times height

    Returns
    -------
    stack : with ``infos`` of all K images, or none where a header cannot be read
    findings : those of the search and of the checks, errors first
    """
    findings = [*stack.findings]
    findings += [Finding("warning", "LIGHTS", note) for note in stack.lights.notes]
    findings += check_lights(stack)
    infos: list[ImageInfo] = []
    for ref in stack.images:
        try:
            infos.append(probe(ref, max_pixels=max_pixels))
        except InputError as error:
            findings.append(Finding("error", "IMAGE", str(error)))
    if len(infos) == len(stack.images):
        stack, misfits = _fit_camera(replace(stack, infos=tuple(infos)))
        findings += misfits
        findings += _check_images(stack)
        findings += _check_frames(stack, max_pixels)
        findings += _check_samples(stack)
    findings.sort(key=lambda finding: finding.level != "error")
    return stack, tuple(findings)


def _check_images(stack: Stack) -> Iterator[Finding]:
    yield from _odd_one_out(stack, "SIZE", lambda i: _size(i.width, i.height) + " px")
    yield from _odd_one_out(stack, "DEPTH", lambda i: f"{i.bits}-bit samples ({i.dtype})")
    yield from _odd_one_out(
        stack, "CHANNELS", lambda i: "grey" if i.channels == 1 else "three channels"
    )
    yield from _check_copies(stack)
    turned = [info for info in stack.infos if info.orientation != 1]
    if turned:
        yield Finding(
            "warning",
            "ORIENTATION",
            f"{turned[0].path}: EXIF orientation {turned[0].orientation} is not applied"
            + _others(len(turned) - 1),
        )
    paged = [info for info in stack.infos if info.pages > 1]
    if paged and len({info.path for info in paged}) > 1:
        yield Finding(
            "warning",
            "PAGES",
            f"{paged[0].path}: page {paged[0].page + 1} of {paged[0].pages} is used"
            + _others(len(paged) - 1),
        )


def _odd_one_out(
    stack: Stack, code: str, describe: Callable[[ImageInfo], str]
) -> Iterator[Finding]:
    """An error that names the first image that differs from the majority."""
    kinds = [describe(info) for info in stack.infos]
    counts = Counter(kinds)
    if len(counts) == 1:
        return
    (usual, agree), *_ = counts.most_common()
    odd = [info for info, kind in zip(stack.infos, kinds, strict=True) if kind != usual]
    yield Finding(
        "error",
        code,
        f"{odd[0].path}: {describe(odd[0])}, but {agree} of {len(kinds)} images have {usual}"
        + _others(len(odd) - 1),
    )


def _fit_camera(stack: Stack) -> tuple[Stack, tuple[Finding, ...]]:
    """The stack with the camera of its raw images, or why the camera is not theirs."""
    info = stack.infos[0]
    if stack.camera is None:
        return stack, ()
    try:
        camera = stack.camera_fit.apply(stack.camera, (info.width, info.height))
        check_size(camera, (info.width, info.height), info.path, stack.camera_fit)
    except InputError as error:
        return stack, (Finding("error", "CAMERA", str(error)),)
    return replace(stack, camera=camera), ()


def _check_copies(stack: Stack) -> Iterator[Finding]:
    pages = Counter((ref.path, ref.page) for ref in stack.images)
    for (path, page), count in pages.items():
        if count > 1:
            yield Finding(
                "error", "IDENTICAL", f"{path}: page {page + 1} stands for {count} lights"
            )
    paths = list(dict.fromkeys(ref.path for ref in stack.images))
    try:
        for first, copy in identical_files(paths):
            yield Finding("error", "IDENTICAL", f"{copy}: the same bytes as {first.name}")
    except OSError as error:
        yield Finding("error", "IMAGE", f"{error.filename}: cannot be read ({error.strerror})")


def _check_frames(stack: Stack, max_pixels: int) -> Iterator[Finding]:
    """Mask, dark, ambient and flat frames against the images."""
    frames: list[tuple[str, Path | ImageRef | None]] = [
        ("mask", stack.mask and ImageRef(stack.mask)),
        ("dark", stack.dark),
        ("ambient", stack.ambient),
        *(("flat", ref) for ref in dict.fromkeys(stack.flats)),
    ]
    for name, frame in frames:
        if frame is None:
            continue
        try:
            ref = stack.ref(frame) if isinstance(frame, Path) else frame
            info = probe(ref, max_pixels=max_pixels)
        except InputError as error:
            yield Finding("error", name.upper(), str(error))
            continue
        finished = name == "flat" and is_finished_flat(info, stack.infos[0])
        fault = _misfit(info, stack.infos[0], only_size=finished or name == "mask")
        colours = 1 if stack.bayer is None else 3
        if finished and not fault and info.channels not in {1, colours * stack.infos[0].channels}:
            fault = f"has {info.channels} channels, the images have {stack.infos[0].channels}"
        if fault:
            yield Finding("error", name.upper(), f"{info.path}: the {name} {fault}")


def _misfit(frame: ImageInfo, image: ImageInfo, *, only_size: bool) -> str:
    if (frame.width, frame.height) != (image.width, image.height):
        ours, theirs = _size(frame.width, frame.height), _size(image.width, image.height)
        return f"has {ours} px, the images have {theirs} px"
    if only_size:
        return ""
    if frame.channels != image.channels:
        return f"has {frame.channels} channels, the images have {image.channels}"
    if (frame.dtype, frame.bits) != (image.dtype, image.bits):
        return f"has {frame.bits}-bit samples, the images have {image.bits}-bit samples"
    return ""


def _check_samples(stack: Stack) -> Iterator[Finding]:
    """What the samples mean: depth, mosaic, response."""
    info = stack.infos[0]
    try:
        stack.sample_format.white(info)
    except InputError as error:
        yield Finding("error", "SAMPLES", str(error))
    if stack.bayer is not None and info.channels != 1:
        yield Finding(
            "error",
            "BAYER",
            f"{info.path}: Bayer {stack.bayer} is stated, but the image has colour",
        )
    try:
        linear = parse_response(stack.response).is_linear
    except InputError as error:
        yield Finding("error", "RESPONSE", str(error))
        return
    curved = [info for info in stack.infos if info.format == "jpeg" or info.srgb]
    if linear and curved:
        kind = "a JPEG" if curved[0].format == "jpeg" else "tagged sRGB"
        yield Finding(
            "warning",
            "RESPONSE",
            f"{curved[0].path}: {kind}, hence hardly linear, but the response is linear; "
            f"--response srgb undoes the curve{_others(len(curved) - 1)}",
        )


def _size(width: int, height: int) -> str:
    return f"{width}x{height}"


def _others(count: int) -> str:
    return f" (and {count} more)" if count else ""
