"""rig.yml, version 1: many samples seen in several views, in one file at the root of a capture.

Parsed by schema; every fault names file, line and dotted key, as ``views.top.images``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast, get_args

from mvps.capture.near_place import NearPlace, read_place
from mvps.capture.patterns import Pattern, parse_pattern
from mvps.capture.stack import BAYER_PATTERNS
from mvps.errors import InputError
from mvps.frames import CONVENTIONS
from mvps.images.info import Alignment, Packing, RawLayout, SampleFormat
from mvps.images.response import parse_response
from mvps.lights.inline import entries_of
from mvps.yaml_nodes import Node, read_yaml

RIG_NAMES = ("rig.yml", "rig.yaml")
RIG_KEYS = ("version", "units", "views", "samples")
VIEW_KEYS = (
    "images",
    "rgb",
    "camera",
    "lights",
    "mask",
    "dark",
    "flat",
    "ambient",
    "response",
    "bits",
    "align",
    "bayer",
    "raw",
    "lights_convention",
    "near",
)
RAW_KEYS = ("packing", "width", "height", "offset")
MAX_SIDE = 1 << 20


@dataclass(frozen=True)
class View:
    """One view of a rig file, its paths still patterns.

    Attributes
    ----------
    lights : path of a description, the paths of a DiLiGenT pair, or the entries of an inline list
    near : where the part lies, for lights with positions
    key : dotted key of the view, with the line, for messages
    """

    name: str
    key: str
    images: Pattern
    lights: Pattern | tuple[Pattern, Pattern] | list[Any]
    rgb: Pattern | None
    camera: Pattern | None
    mask: Pattern | None
    dark: Pattern | None
    flat: Pattern | None
    ambient: Pattern | None
    response: str
    sample_format: SampleFormat
    bayer: str | None
    raw: RawLayout | None
    convention: str | None
    near: NearPlace | None = None


@dataclass(frozen=True)
class RigFile:
    """A rig file: its views, and the samples that it asks for (a glob or a list)."""

    path: Path
    views: tuple[View, ...]
    samples: str | tuple[str, ...]

    def accepts(self, sample: str) -> bool:
        """Whether a sample found on disk is asked for."""
        if isinstance(self.samples, tuple):
            return sample in self.samples
        return fnmatchcase(sample, self.samples)


def read_rig(path: Path) -> RigFile:
    """Rig file, checked against the schema.

    Raises
    ------
    InputError
        Not YAML, an unknown or repeated key, a value of the wrong type, a placeholder that is not
        known; the message names file, line and key.
    """
    root = read_yaml(path)
    data = root.mapping(RIG_KEYS, required=("version", "views"))
    if data["version"].text() != "1":
        raise data["version"].fault(f"version {data['version'].text()!r}, expected 1")
    if "units" in data:
        data["units"].choice(["mm"])
    views = tuple(_view(name, node) for name, node in data["views"].mapping().items())
    if not views:
        raise data["views"].fault("holds no view")
    rig = RigFile(path, views, _samples(data.get("samples")))
    with_sample = [view.images.holds("sample") for view in views]
    if any(with_sample) != all(with_sample):
        odd = views[with_sample.index(False)]
        raise data["views"].fault(f"{odd.name}.images holds no {{sample}}, other views do")
    if "samples" in data and not any(with_sample):
        raise data["samples"].fault("no view holds {sample}", "remove it")
    return rig


def _samples(node: Node | None) -> str | tuple[str, ...]:
    if node is None:
        return "*"
    if not isinstance(node.value, list):
        return _sample_name(node)
    names = tuple(_sample_name(item) for item in node.value)
    if not names:
        raise node.fault("the list is empty")
    for i, name in enumerate(names):
        if name in names[:i]:
            raise node.value[i].fault(f"{name!r} stands twice")
    return names


def _sample_name(node: Node) -> str:
    text = node.text()
    if "/" in text or "\\" in text or text in {".", ".."}:
        raise node.fault(f"{text!r} is not one name", "a sample is one part of a path, without /")
    return text


def _view(name: str, node: Node) -> View:
    if "/" in name or "\\" in name or name.startswith(".") or not name.strip():
        raise node.fault(f"{name!r} cannot name a folder of the output")
    data = node.mapping(VIEW_KEYS, required=("images", "lights"))

    def pattern(key: str, *allowed: str) -> Pattern | None:
        return _pattern(data[key], allowed) if key in data else None

    images = _pattern(data["images"], ("sample", "light"))
    others = {key: pattern(key, "sample") for key in ("rgb", "camera", "mask", "dark", "ambient")}
    others["flat"] = pattern("flat", "sample", "light")
    for key, other in others.items():
        if other is not None and other.holds("sample") and not images.holds("sample"):
            raise data[key].fault("holds {sample}, but images does not")
    near = read_place(data["near"]) if "near" in data else None
    depths = [] if near is None or near.depth is None else [near.depth]
    if any(depth.holds("sample") for depth in depths) and not images.holds("sample"):
        raise data["near"].fault("depth holds {sample}, but images does not")
    bayer = data["bayer"].choice(BAYER_PATTERNS) if "bayer" in data else None
    convention = None
    if "lights_convention" in data:
        convention = data["lights_convention"].choice(CONVENTIONS)
    return View(
        name=name,
        key=f"{node.file}, line {node.line}: {node.key}",
        images=images,
        lights=_lights(data["lights"]),
        response=_response(data["response"]) if "response" in data else "linear",
        sample_format=_sample_format(data),
        bayer=bayer,
        raw=_raw(data["raw"]) if "raw" in data else None,
        convention=convention,
        near=near,
        **others,
    )


def _pattern(node: Node, allowed: tuple[str, ...]) -> Pattern:
    return parse_pattern(node.text(), node.file.parent, node.fault, allowed)


def _lights(node: Node) -> Pattern | tuple[Pattern, Pattern] | list[Any]:
    if not isinstance(node.value, list):
        return _pattern(node, ())
    entries = node.value
    if len(entries) == 2 and all(isinstance(entry.value, str) for entry in entries):
        return _pattern(entries[0], ()), _pattern(entries[1], ())
    return entries_of(node)


def _response(node: Node) -> str:
    text = node.text()
    if text in {"linear", "srgb"} or text.startswith("gamma="):
        try:
            parse_response(text)
        except InputError as error:
            raise node.fault(error.what, error.remedy) from None
        return text
    path = node.file.parent / text
    if not path.is_file():
        raise node.fault(f"no response {text!r}", "write linear, srgb, gamma=X or name a file")
    return str(path)


def _sample_format(data: dict[str, Node]) -> SampleFormat:
    bits = data["bits"].integer(1, 16) if "bits" in data else None
    align = data["align"].choice(get_args(Alignment)) if "align" in data else None
    try:
        return SampleFormat(bits, cast("Alignment | None", align))
    except InputError as error:
        raise data["bits" if "bits" in data else "align"].fault(error.what, error.remedy) from None


def _raw(node: Node) -> RawLayout:
    data = node.mapping(RAW_KEYS, required=("packing", "width", "height"))
    return RawLayout(
        packing=cast("Packing", data["packing"].choice(get_args(Packing))),
        width=data["width"].integer(1, MAX_SIDE),
        height=data["height"].integer(1, MAX_SIDE),
        offset=data["offset"].integer(0, 10**15) if "offset" in data else 0,
    )
