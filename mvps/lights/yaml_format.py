"""Our light description in YAML, version 1: a convention and a list of lights, without loss."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mvps.errors import InputError
from mvps.files import write_text
from mvps.frames import CONVENTIONS
from mvps.lights.inline import entries_of, parse_lights
from mvps.lights.rig import LightRig
from mvps.yaml_nodes import MAX_YAML_BYTES, read_yaml

_START = re.compile(r"(version|lights|convention)\s*:")


def looks_like_yaml(path: Path, text: str) -> bool:
    """Whether a text is YAML: by its ending, or by its first key."""
    return path.suffix.lower() in {".yml", ".yaml"} or bool(_START.match(text.lstrip()))


def read_light_yaml(path: Path, *, convention: str | None = None) -> LightRig:
    """Rig from a YAML file with the keys ``version: 1``, ``lights`` and optionally ``convention``.

    Raises
    ------
    InputError
        The file is not of this kind; the message names the line or the row of the light.
    """
    data = read_yaml(path).mapping(
        ("version", "convention", "lights"), required=("version", "lights")
    )
    data["version"].choice(["1"])
    stated = data["convention"].choice(CONVENTIONS) if "convention" in data else "opengl"
    entries = entries_of(data["lights"])
    return parse_lights(entries, source=str(path), convention=convention or stated)


def yaml_losses(rig: LightRig) -> tuple[str, ...]:
    """What our YAML cannot hold: an empty name."""
    return ("empty names",) if any(not name for name in rig.names) else ()


def write_light_yaml(rig: LightRig, path: Path) -> tuple[Path, ...]:
    """Write everything that a rig holds, a light a row, in the house frame.

    Raises
    ------
    InputError
        The file would be larger than what is read again.
    """
    rows = "".join(f"  - {{{', '.join(_members(rig, k))}}}\n" for k in range(len(rig)))
    text = f"version: 1\nconvention: opengl\nlights:\n{rows}"
    if len(text) > MAX_YAML_BYTES:
        raise InputError(path, f"{len(rig)} lights make more than 1 MiB", "write JSON")
    write_text(path, text)
    return (path,)


def _members(rig: LightRig, k: int) -> Iterator[str]:
    if rig.names and all(rig.names):
        yield f"name: {_quoted(rig.names[k])}"
    yield f"direction: {rig.directions[k].tolist()}"
    if (rig.intensities != 1).any() or rig.intensities.ndim == 2:
        yield f"intensity: {rig.intensities[k].tolist()}"
    for key, values in (("position", rig.positions), ("axis", rig.axes), ("mu", rig.mu)):
        if values is not None:
            yield f"{key}: {values[k].tolist()}"


def _quoted(text: str) -> str:
    """Double-quoted YAML in plain ASCII: what is not printable there is escaped by its number."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(sign: str) -> str:
    code = ord(sign)
    if 32 <= code < 127 and sign not in '"\\':
        return sign
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    return f"\\U{code:08x}"
