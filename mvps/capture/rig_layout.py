"""The stacks of a rig file: every sample found on disk in every view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TypeVar

from mvps.calib import Camera, read_camera, read_cameras
from mvps.capture.folders import Folders
from mvps.capture.naming import match_names, pages_of
from mvps.capture.patterns import Pattern, parse_pattern
from mvps.capture.rigfile import RigFile, View, read_rig
from mvps.capture.stack import Fault, Overrides, Stack, image_ref
from mvps.errors import InputError, MvpsError
from mvps.files import natural_key
from mvps.findings import Finding
from mvps.images.info import ImageRef, RawLayout, SampleFormat
from mvps.lights import LightRig, parse_lights, read_lights

Numbered = dict[int, list[Path]]
_T = TypeVar("_T")


def rig_stacks(path: Path, overrides: Overrides) -> tuple[list[Stack], list[Fault]]:
    """Stacks of a rig file, sample by sample, and those that cannot be planned.

    Raises
    ------
    InputError
        The rig file itself is at fault, or no view of it has an image.
    """
    rig = read_rig(path)
    found = {view.name: _find(rig, view) for view in rig.views}
    samples = set().union(*found.values())
    if isinstance(rig.samples, tuple):
        samples.update(rig.samples)
    if not any(found.values()):
        raise InputError(
            path,
            f"no image matches {rig.views[0].images.text!r}"
            + (f" or those of {len(rig.views) - 1} other views" if len(rig.views) > 1 else "")
            + (f" for the samples {rig.samples!r}" if rig.samples != "*" else ""),
            f"images are looked for below {rig.views[0].images.base}",
        )
    builder = _Builder(overrides)
    stacks: list[Stack] = []
    faults: list[Fault] = []
    for sample in sorted(samples, key=natural_key):
        for view in rig.views:
            name = f"{sample}/{view.name}" if sample else view.name
            try:
                stacks.append(builder.stack(name, view, sample, found[view.name].get(sample, {})))
            except MvpsError as error:
                faults.append(Fault(name, str(error)))
    return stacks, faults


def expand_flat(text: str, base: Path, K: int, raw: RawLayout | None) -> tuple[ImageRef, ...]:
    """K flat fields of a path or of a pattern with ``{light}``."""

    def fail(what: str, remedy: str) -> InputError:
        return InputError("--flat", what, remedy)

    return _flats(parse_pattern(text, base, fail, ("light",)), "", K, raw, "--flat")


def _find(rig: RigFile, view: View) -> dict[str, Numbered]:
    """Images on disk, by sample and light; the light is -1 where the pattern holds none."""
    found: dict[str, Numbered] = {}
    for match in view.images.matches(Folders(), rig.accepts):
        lights = found.setdefault(match.sample, {})
        lights.setdefault(-1 if match.light is None else match.light, []).append(match.path)
    return found


class _Builder:
    """Makes stacks; lights and cameras that many stacks share are read once."""

    def __init__(self, overrides: Overrides) -> None:
        self._overrides = overrides
        self._read_lights = cache(_read_lights)
        self._read_camera = cache(_read_camera)

    def stack(self, name: str, view: View, sample: str, found: Numbered) -> Stack:
        given = self._overrides
        raw = given.raw or view.raw
        lights = self._lights(view)
        images, findings = _images(view, sample, found, lights, raw)
        rgb = view.rgb.path(sample) if view.rgb else None
        if rgb is not None and not rgb.is_file():
            findings.append(Finding("warning", "RGB", f"{rgb}: no such file; goes on without it"))
            rgb = None
        camera = given.camera or (view.camera.path(sample) if view.camera else None)
        if given.flat is not None:
            flats = expand_flat(given.flat, Path(), len(lights), raw)
        else:
            flats = _flats(view.flat, sample, len(lights), raw, view.key) if view.flat else ()
        return Stack(
            name=name,
            images=images,
            lights=lights,
            layout="rig",
            sample_format=stated_format(view.sample_format, given),
            mask=_existing(view.mask, sample, given.mask),
            dark=_existing(view.dark, sample, given.dark),
            ambient=_existing(view.ambient, sample, given.ambient),
            flats=flats,
            camera=self._camera(camera, view.name) if camera else None,
            camera_fit=given.camera_fit,
            rgb=rgb,
            response=given.response or view.response,
            bayer=given.bayer or view.bayer,
            raw=raw,
            near=view.near,
            depth=view.near.depth_path(sample) if view.near else None,
            findings=tuple(findings),
        )

    def _lights(self, view: View) -> LightRig:
        convention = self._overrides.convention or view.convention
        if self._overrides.lights is not None:
            return _result(self._read_lights(self._overrides.lights, None, convention))
        if isinstance(view.lights, list):
            return parse_lights(view.lights, source=f"{view.key}.lights", convention=convention)
        first, second = view.lights if isinstance(view.lights, tuple) else (view.lights, None)
        path = second.path() if second else None
        return _result(self._read_lights(first.path(), path, convention))

    def _camera(self, path: Path, view: str) -> Camera:
        return _result(self._read_camera(path, self._overrides.camera_name, view))


def _result(outcome: _T | MvpsError) -> _T:
    if isinstance(outcome, MvpsError):
        raise outcome
    return outcome


def stated_format(found: SampleFormat, given: Overrides) -> SampleFormat:
    """Sample format of the view with what the user states in its place."""
    if given.bits is None and given.align is None:
        return found
    return replace(found, bits=given.bits or found.bits, align=given.align or found.align)


def _read_lights(path: Path, pair: Path | None, convention: str | None) -> LightRig | MvpsError:
    # A failure is kept like a result, so that thousands of stacks do not read a bad file again.
    try:
        return read_lights(path, intensities=pair, convention=convention)
    except MvpsError as error:
        return error


def _read_camera(path: Path, name: str | None, view: str) -> Camera | MvpsError:
    """The camera called ``name``, or else that of the view where a file holds several."""
    try:
        if name is None and len(cameras := read_cameras(path)) == 1:
            return cameras[0]
        return read_camera(path, name or view)
    except MvpsError as error:
        return error


def _images(
    view: View, sample: str, found: Numbered, lights: LightRig, raw: RawLayout | None
) -> tuple[tuple[ImageRef, ...], list[Finding]]:
    pattern, K = view.images, len(lights)
    label = lights.source
    if not found:
        raise InputError(pattern.path(sample, 1), "no such file", f"{view.key}.images asks for it")
    if not pattern.holds("light"):
        (file,) = found[-1]
        pages = pages_of(file, raw, K, label)
        if pages is None:
            raise InputError(file, f"1 image for {K} lights of {label}", "put {light} into images")
        return tuple(pages), []
    paths = consecutive(found, K, pattern, sample, label)
    paths, findings = _in_named_order(paths, lights)
    return tuple(image_ref(path, raw) for path in paths), findings


def consecutive(found: Numbered, K: int, pattern: Pattern, sample: str, lights: str) -> list[Path]:
    """The K images in the order of their numbers, which start at 0 or 1 and leave none out.

    Raises
    ------
    InputError
        A number is missing (its file is named), stands for several files, or the count differs.
    """
    numbers = sorted(found)
    for number in numbers:
        if len(found[number]) > 1:
            first, second = found[number][:2]
            raise InputError(first, f"light {number} is also {second}", "keep one of them")
    start = 0 if numbers[0] == 0 else 1
    for expected, number in enumerate(numbers, start=start):
        if number != expected:
            missing = pattern.path(sample, expected)
            raise InputError(
                missing, f"no such file, but light {number} is there as {found[number][0].name}"
            )
    if len(numbers) != K:
        span = f"{found[numbers[0]][0]} to {found[numbers[-1]][0].name}"
        raise InputError(span, f"{len(numbers)} images for {K} lights of {lights}")
    return [found[number][0] for number in numbers]


def _in_named_order(paths: list[Path], lights: LightRig) -> tuple[list[Path], list[Finding]]:
    """Images in the order of the names of the light file, where it names these images."""
    names = lights.names
    if not names or len({path.parent for path in paths}) > 1:
        return paths, []
    files = [path.name for path in paths]
    try:
        return match_names(paths[0].parent, files, names, lights.source)
    except InputError:
        pass
    if list(names) == sorted(names, key=natural_key):
        return paths, []
    text = (
        f"{lights.source}: names other images than {paths[0].name}, and not in natural order; "
        "its rows are taken for lights 1, 2, 3 and so on"
    )
    return paths, [Finding("warning", "NAMES", text)]


def _flats(
    pattern: Pattern, sample: str, K: int, raw: RawLayout | None, where: str
) -> tuple[ImageRef, ...]:
    if not pattern.holds("light"):
        path = _existing(pattern, sample, None)
        assert path is not None
        return (image_ref(path, raw),) * K
    start = 0 if pattern.path(sample, 0).is_file() else 1
    paths = list(_numbered(pattern, sample, start, K))
    for path in paths:
        if not path.is_file():
            raise InputError(path, "no such file", f"{where}: a flat field for each of {K} lights")
    return tuple(image_ref(path, raw) for path in paths)


def _numbered(pattern: Pattern, sample: str, start: int, K: int) -> Iterator[Path]:
    return (pattern.path(sample, light) for light in range(start, start + K))


def _existing(pattern: Pattern | None, sample: str, given: Path | None) -> Path | None:
    path = given if given is not None else pattern.path(sample) if pattern else None
    if path is not None and not path.is_file():
        raise InputError(path, "no such file", "check the name")
    return path
