"""What a data set is to hold: its options, the file that states them, and the list of specimens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from mvps.errors import InputError
from mvps.files import write_text
from mvps.synth.layout import OK, SETTINGS, SampleName
from mvps.synth.sensor import MAX_PSF_PX
from mvps.yaml_nodes import Node, did_you_mean, read_yaml

MAX_SAMPLES = 9999  # of a category: the four digits of a name
MAX_SIDE = 8192
SOURCES = ("solved", "truth")
SOLVERS = ("ls", "gated", "trimmed", "irls", "auto")
GROUNDS = ("plate", "plain")
_HEAD = "# Options of a rendered data set: mvps synth dataset OUT --config THIS renders it again.\n"


@dataclass(frozen=True)
class DatasetOptions:
    """Everything that shapes a data set; the same options give the same bytes on one machine.

    Attributes
    ----------
    categories : names of catalogue parts, or mesh files
    normal, defective : specimens a category
    test_normal : of the sound ones, how many the test list holds; None is three in ten
    views : how many of top, front, back, left and right
    width, height : of every picture, px
    lights : number of lights of a view's ring
    light_file : lights of every view in place of the ring, or empty
    defects : kinds; empty for every kind that suits the part
    normals : "solved" from the noisy stack, or "truth"
    solver : of those, as ``mvps normals`` takes it
    picture_format : "png", or "jpg" for smaller files (quality 92)
    normals_format : "png" (8 bit), "png16" or "tif" (16 bit)
    raw : specimens a category whose raw stacks are kept; -1 for all
    raw_format : "tif", or "zstd" for smaller TIFF that fewer programs read
    truth : keep normals, depth, height, albedo and masks of every specimen
    samples : rays a pixel
    bits : of the sensor, 8, 12 or 16
    noise : shot and read noise
    full_well : electrons at full scale; frames averaged multiply it
    psf, vignetting : of the lens; None is that of the rig with noise, and 0 without
    interreflection : one bounce between surfaces
    ground : "plate", or "plain" without its grain, which makes smaller files
    seed : of everything random
    """

    categories: tuple[str, ...]
    normal: int = 50
    defective: int = 30
    test_normal: int | None = None
    views: int = 5
    width: int = 512
    height: int = 512
    lights: int = 4
    light_file: str = ""
    defects: tuple[str, ...] = ()
    normals: str = "solved"
    solver: str = "ls"
    picture_format: str = "png"
    normals_format: str = "png"
    raw: int = 0
    raw_format: str = "tif"
    truth: bool = False
    samples: int = 16
    bits: int = 12
    noise: bool = True
    full_well: float = 10_500.0
    psf: float | None = None
    vignetting: float | None = None
    interreflection: bool = False
    ground: str = "plate"
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.categories:
            raise InputError("--categories", "names no part", "e.g. all; mvps synth parts lists")
        repeated = {name for name in self.categories if self.categories.count(name) > 1}
        if repeated:
            raise InputError("--categories", f"names {min(repeated)!r} twice")
        for option, value, low, high in self._ranges():
            if not low <= value <= high:
                raise InputError(option, f"{value} is outside {low} to {high}")
        if self.normal + self.defective > MAX_SAMPLES:
            raise InputError("--normal", f"more than {MAX_SAMPLES} specimens a category")
        _one_of("--bits", str(self.bits), ("8", "12", "16"))
        _one_of("--normals", self.normals, SOURCES)
        _one_of("--raw-format", self.raw_format, ("tif", "zstd"))
        _one_of("--picture-format", self.picture_format, ("png", "jpg"))
        _one_of("--normals-format", self.normals_format, ("png", "png16", "tif"))
        _one_of("--solver", self.solver, SOLVERS)
        _one_of("--ground", self.ground, GROUNDS)

    def _ranges(self) -> tuple[tuple[str, float, float, float], ...]:
        return (
            ("--normal", self.normal, 1, MAX_SAMPLES),
            ("--defective", self.defective, 0, MAX_SAMPLES),
            ("--test-normal", self.held_out, 0, self.normal),
            ("--views", self.views, 1, 5),
            ("--size", self.width, 16, MAX_SIDE),
            ("--size", self.height, 16, MAX_SIDE),
            ("--lights", self.lights, 3, 128),
            ("--raw", self.raw, -1, MAX_SAMPLES),
            ("--samples", self.samples, 1, 4096),
            ("--full-well", self.full_well, 100, 1e9),
            ("--psf", self.psf or 0, 0, MAX_PSF_PX),
            ("--vignetting", self.vignetting or 0, 0, 0.9),
            ("--seed", self.seed, 0, 2**53),
        )

    @property
    def held_out(self) -> int:
        """Sound specimens of the test list."""
        if self.test_normal is not None:
            return self.test_normal
        return round(0.3 * self.normal)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self) | {"categories": list(self.categories), "defects": list(self.defects)}


@dataclass(frozen=True)
class Job:
    """One specimen to render: its name, and whether its raw stacks are kept."""

    name: SampleName
    keep_raw: bool


def jobs_of(category: str, kinds: tuple[str, ...], options: DatasetOptions) -> tuple[Job, ...]:
    """The specimens of one category: sound ones first, then each kind of defect in a block.

    Parameters
    ----------
    kinds : of defects that suit the part, in the order in which they share the defective ones
    """
    count = options.defective
    if count and not kinds:
        raise InputError("--defects", f"none of them suits {category}", "name other kinds")
    classes = [OK] * options.normal
    for place, kind in enumerate(kinds):
        share = count // len(kinds) + (place < count % len(kinds))
        classes += [kind] * share
    kept = _kept(len(classes), options)
    return tuple(
        Job(SampleName(category, number, word), number in kept)
        for number, word in enumerate(classes, 1)
    )


def _kept(total: int, options: DatasetOptions) -> frozenset[int]:
    """Numbers of the specimens whose raw stacks are kept: the first sound and defective ones."""
    if options.raw < 0:
        return frozenset(range(1, total + 1))
    defective = range(options.normal + 1, total + 1)
    pairs = [
        number for pair in zip(range(1, total + 1), defective, strict=False) for number in pair
    ]
    rest = [number for number in range(1, total + 1) if number not in pairs]
    return frozenset((pairs + rest)[: options.raw])


def is_test(name: SampleName, options: DatasetOptions) -> bool:
    """Whether a specimen belongs to the test list: every defective one, the last sound ones."""
    return name.anomaly_class != OK or name.number > options.normal - options.held_out


def write_settings(options: DatasetOptions, folder: Path) -> None:
    """State the options in a file that ``--config`` takes."""
    lines = (f"{key}: {json.dumps(value)}\n" for key, value in options.as_dict().items())
    write_text(folder / SETTINGS, _HEAD + "".join(lines))


def read_settings(path: Path, given: Mapping[str, Any] | None = None) -> DatasetOptions:
    """Options of a file; ``given`` (words of the command line, without None) goes before it.

    Raises
    ------
    InputError
        The file is missing or holds an unknown key or a value of another type; it names the line.
    """
    data = read_yaml(path).mapping([field.name for field in fields(DatasetOptions)])
    found = {key: _READERS[key](node) for key, node in data.items() if not _empty(node)}
    return options_of(found | dict(given or {}))


def options_of(words: Mapping[str, Any]) -> DatasetOptions:
    """Options of the words that were given."""
    if "categories" not in words:
        raise InputError("--categories", "is missing", "e.g. all; mvps synth parts lists them")
    return replace(DatasetOptions(tuple(words["categories"])), **words)


def _empty(node: Node) -> bool:
    return node.value in {None, "", "null"} if not isinstance(node.value, dict | list) else False


def _flag(node: Node) -> bool:
    return node.choice(("true", "false")) == "true"


def _whole(low: int, high: int) -> Callable[[Node], int]:
    return lambda node: node.integer(low, high)


def _words(node: Node) -> tuple[str, ...]:
    if isinstance(node.value, list):
        return tuple(entry.text() for entry in node.value)
    return tuple(word.strip() for word in node.text().split(","))


_COUNT = _whole(-1, 2**53)
_READERS: dict[str, Callable[[Node], Any]] = {
    field.name: {
        "int": _COUNT,
        "int | None": _COUNT,
        "bool": _flag,
        "float": Node.number,
        "float | None": Node.number,
        "str": Node.text,
        "tuple[str, ...]": _words,
    }[str(field.type)]
    for field in fields(DatasetOptions)
}


def _one_of(option: str, value: str, allowed: Any) -> None:
    if value not in allowed:
        raise InputError(option, f"{value!r} is unknown", did_you_mean(value, allowed))
