"""Finding the stacks under a folder: a rig file, or folders with a light description.

A stack is a folder with images and ``light_directions.txt`` (DiLiGenT) or one ``.lp`` file (RTI),
there or in a folder above it. Each folder is scanned once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mvps.calib import read_camera
from mvps.capture.folders import Entries, list_folder
from mvps.capture.naming import base_name, match_names, pages_of, photographs, read_names
from mvps.capture.rig_layout import expand_flat, rig_stacks, stated_format
from mvps.capture.rigfile import RIG_NAMES
from mvps.capture.stack import Fault, Overrides, Stack, image_ref
from mvps.errors import InputError, MvpsError
from mvps.files import MANIFEST, RECORD, natural_key
from mvps.findings import Finding
from mvps.images.info import ImageRef, SampleFormat
from mvps.images.probe import is_image_name
from mvps.lights import LightRig, read_lights
from mvps.lights.diligent_format import DIRECTIONS_NAME

OUTPUT_MARKS = frozenset({MANIFEST, RECORD})
NAMES_FILE = "filenames.txt"
PARENTS_ABOVE_ROOT = 2  # "sample/view" below a folder of lights is as deep as layouts go


@dataclass(frozen=True)
class Discovery:
    """What was found: stacks, stacks that cannot be planned, and image folders without lights."""

    stacks: tuple[Stack, ...]
    faults: tuple[Fault, ...]
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Description:
    """A light description, and the list of names and the mask that stand beside it, if any."""

    lights: Path
    layout: str
    names: Path | None = None
    mask: Path | None = None


@dataclass(frozen=True)
class _Place:
    """A folder on the way down, its name below the root, and the description it inherits."""

    folder: Path
    name: str
    inherited: _Description | None


@dataclass(frozen=True)
class _Candidate:
    """A folder that holds the images of a stack."""

    place: _Place
    entries: Entries
    description: _Description


def discover(root: Path, overrides: Overrides | None = None) -> Discovery:
    """Stacks under a folder, in natural order; no pixel is decoded.

    Parameters
    ----------
    root : folder with a rig file, one stack, or many; a rig file alone decides
    overrides : what the user states in place of what lies on disk

    Raises
    ------
    InputError
        The folder cannot be read, its rig file is at fault, or nothing is recognised in it.
    """
    given = overrides or Overrides()
    if not root.is_dir():
        raise InputError(root, "no such folder", "give the folder that holds the captures")
    rigs = [root / name for name in RIG_NAMES if (root / name).is_file()]
    if len(rigs) > 1:
        raise InputError(root, "holds both rig.yml and rig.yaml", "keep one of them")
    if rigs:
        stacks, faults = rig_stacks(rigs[0], given)
        return Discovery(tuple(stacks), tuple(faults))
    return _Search(root, given).run()


class _Search:
    """One walk through a tree of folders."""

    def __init__(self, root: Path, given: Overrides) -> None:
        self._root = root
        self._given = given
        self._candidates: list[_Candidate] = []
        self._lightless: list[tuple[_Place, Entries]] = []
        self._unused: dict[Path, str] = {}
        self._faults: list[Fault] = []
        self._above: Path | None = None
        self._lights = cache(self._read_lights)
        self._camera = read_camera(given.camera, given.camera_name) if given.camera else None

    def run(self) -> Discovery:
        above = None
        if self._given.lights is not None:
            layout = "rti" if self._given.lights.suffix.lower() == ".lp" else "diligent"
            above = _Description(self._given.lights, layout)
        self._walk(above)
        # A folder whose own description is at fault must not be solved with a stranger's.
        if not self._candidates and self._lightless and not self._faults:
            self._look_above()
        stacks = []
        for candidate in sorted(self._candidates, key=lambda c: natural_key(c.place.name)):
            self._unused.pop(candidate.description.lights, None)
            try:
                stacks.append(self._stack(candidate))
            except MvpsError as error:
                self._faults.append(Fault(candidate.place.name, str(error)))
        for lights, name in self._unused.items():
            self._faults.append(Fault(name, f"{lights}: no image goes with these lights"))
        if not stacks and not self._faults:
            raise self._nothing()
        ignored = tuple(place.name for place, _ in self._lightless)
        faults = sorted(self._faults, key=lambda fault: natural_key(fault.stack))
        return Discovery(tuple(stacks), tuple(faults), ignored)

    def _walk(self, above: _Description | None) -> None:
        """Visit every folder once; symlinks last, so that a folder goes by its own name."""
        pending = [_Place(self._root, ".", above)]
        links: list[_Place] = []
        visited: set[tuple[int, int]] = set()
        while pending or links:
            place = pending.pop() if pending else links.pop(0)
            try:
                state = place.folder.stat()
                if (state.st_dev, state.st_ino) in visited:
                    continue
                visited.add((state.st_dev, state.st_ino))
                entries = list_folder(place.folder)
            except (OSError, InputError) as error:
                self._faults.append(Fault(place.name, str(error)))
                continue
            if OUTPUT_MARKS & set(entries.files):
                if place.name == ".":
                    raise InputError(place.folder, "holds maps that mvps wrote, not a capture")
                if photographs(entries.files):
                    mark = min(OUTPUT_MARKS & set(entries.files))
                    text = f"{place.folder}: holds photographs, but also maps of an earlier run"
                    self._faults.append(Fault(place.name, f"{text}; remove its {mark}"))
                continue
            children = list(self._visit(place, entries))
            links += [child for child in children if child.folder.name in entries.links]
            pending += [c for c in reversed(children) if c.folder.name not in entries.links]

    def _visit(self, place: _Place, entries: Entries) -> Iterator[_Place]:
        """File the folder under what it is; the folders below it, with what they inherit."""
        description = place.inherited
        if self._given.lights is None:
            try:
                description = _description(place.folder, entries.files) or place.inherited
            except InputError as error:
                self._faults.append(Fault(place.name, str(error)))
                description = None
        if description is not None and description is not place.inherited:
            self._unused[description.lights] = place.name
        passed_on = description
        if self._holds_images(entries.files, description):
            # The images of this folder use the lights up: crops and previews lie below stacks.
            passed_on = None
            if description is not None:
                self._candidates.append(_Candidate(place, entries, description))
            else:
                self._lightless.append((place, entries))
        for name in entries.folders:
            below = name if place.name == "." else f"{place.name}/{name}"
            yield _Place(place.folder / name, below, passed_on)

    def _holds_images(self, files: tuple[str, ...], description: _Description | None) -> bool:
        """Whether a folder holds photographs, or files that its lights name as such."""
        if photographs(files):
            return True
        if description is None or not any(is_image_name(Path(name)) for name in files):
            return False
        try:
            names = self._lights(description.lights).names
            if not names and description.names is not None:
                names = tuple(read_names(description.names))
        except MvpsError:
            return False
        return any(base_name(name) in files for name in names)

    def _look_above(self) -> None:
        """Lights from the folders above the root, for a sample or view given by itself."""
        for folder in self._root.resolve().parents[:PARENTS_ABOVE_ROOT]:
            try:
                entries = list_folder(folder)
            except InputError:
                return
            description = _description(folder, entries.files)
            if description is not None and not photographs(entries.files):
                found = [_Candidate(place, e, description) for place, e in self._lightless]
                self._candidates, self._lightless = found, []
                self._above = description.lights
                return

    def _stack(self, candidate: _Candidate) -> Stack:
        given, folder, files = self._given, candidate.place.folder, candidate.entries.files
        lights = self._lights(candidate.description.lights)
        images, findings = self._images(candidate, lights)
        if self._above is not None:
            text = f"{self._above}: lights taken from above {self._root}; state them with --lights"
            findings.append(Finding("warning", "ABOVE", text))
        flats: tuple[ImageRef, ...] = ()
        if given.flat is not None:
            flats = expand_flat(given.flat, Path(), len(lights), given.raw)
        for path in (given.mask, given.dark, given.ambient):
            if path is not None and not path.is_file():
                raise InputError(path, "no such file", "check the name")
        return Stack(
            name=candidate.place.name,
            images=images,
            lights=lights,
            layout=candidate.description.layout,
            sample_format=stated_format(SampleFormat(), given),
            mask=given.mask or _named(folder, files, "mask") or candidate.description.mask,
            dark=given.dark,
            ambient=given.ambient,
            flats=flats,
            rgb=_named(folder, files, "rgb") or _named(folder, files, "diffuse"),
            response=given.response or "linear",
            bayer=given.bayer,
            raw=given.raw,
            camera=self._camera,
            camera_fit=given.camera_fit,
            findings=tuple(findings),
        )

    def _images(
        self, candidate: _Candidate, lights: LightRig
    ) -> tuple[tuple[ImageRef, ...], list[Finding]]:
        folder, files = candidate.place.folder, candidate.entries.files
        found = photographs(files)
        K, raw = len(lights), self._given.raw
        label = candidate.description.lights
        if len(found) == 1 and (pages := pages_of(folder / found[0], raw, K, str(label))):
            return tuple(pages), []
        names, where = lights.names, label
        listed = folder / NAMES_FILE if NAMES_FILE in files else candidate.description.names
        if not names and listed is not None:
            names, where = tuple(read_names(listed)), listed
            if len(names) != K:
                raise InputError(listed, f"{len(names)} names for {K} lights of {label}")
        findings: list[Finding] = []
        if names:
            paths, findings = match_names(folder, files, names, where)
        else:
            paths = [folder / name for name in found]
        if len(paths) != K:
            raise InputError(
                folder,
                f"{len(paths)} images for {K} lights of {label}: {_span(found)}",
                f"name the images in {NAMES_FILE}",
            )
        return tuple(image_ref(path, raw) for path in paths), findings

    def _read_lights(self, path: Path) -> LightRig:
        return read_lights(path, convention=self._given.convention)

    def _nothing(self) -> InputError:
        looked = f"no {RIG_NAMES[0]}, {DIRECTIONS_NAME} or .lp file"
        if not self._lightless:
            return InputError(self._root, f"{looked} and no image", "give the folder of a capture")
        place, entries = self._lightless[0]
        count = len(self._lightless)
        seen = f"{len(photographs(entries.files))} images in {place.folder}"
        more = f" and more in {count - 1} other folders" if count > 1 else ""
        return InputError(
            self._root, f"{looked}, but {seen}{more}", "add a light description or give --lights"
        )


def _description(folder: Path, files: tuple[str, ...]) -> _Description | None:
    """The light description of a folder; InputError where it holds several."""
    found = [name for name in files if name == DIRECTIONS_NAME or name.lower().endswith(".lp")]
    if not found:
        return None
    if len(found) > 1:
        raise InputError(
            folder, f"{len(found)} light descriptions: {found[0]} and {found[1]}", "give --lights"
        )
    return _Description(
        lights=folder / found[0],
        layout="diligent" if found[0] == DIRECTIONS_NAME else "rti",
        names=folder / NAMES_FILE if NAMES_FILE in files else None,
        mask=_named(folder, files, "mask"),
    )


def _named(folder: Path, files: tuple[str, ...], stem: str) -> Path | None:
    """Image of that stem, PNG before others, or None."""
    names = [n for n in files if Path(n).stem == stem and is_image_name(Path(n))]
    names.sort(key=lambda name: not name.lower().endswith(".png"))
    return folder / names[0] if names else None


def _span(names: list[str]) -> str:
    """``001.png to 009.png``, with the endings counted where they are mixed."""
    if not names:
        return "none"
    endings: dict[str, int] = {}
    for name in names:
        ending = Path(name).suffix.lower().lstrip(".")
        endings[ending] = endings.get(ending, 0) + 1
    mixed = ", ".join(f"{count} {ending}" for ending, count in endings.items())
    return f"{names[0]} to {names[-1]}" + (f" ({mixed})" if len(endings) > 1 else "")
