"""Our light description in YAML, version 1: a convention and a list of vectors or angles."""

from __future__ import annotations

from pathlib import Path

from mvps.frames import CONVENTIONS
from mvps.lights.inline import entries_of, parse_lights
from mvps.lights.rig import LightRig
from mvps.yaml_nodes import read_yaml


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
