"""The door to every light description: which format a file has is decided by its content.

Readers give the house frame (x right, y up, z to the camera) whatever the file states.
"""

from __future__ import annotations

import re
from pathlib import Path

from mvps.files import read_text
from mvps.lights.json_formats import DOME_KEYS, parse_json, read_dome, read_ours
from mvps.lights.mat_format import read_mat
from mvps.lights.rig import LightRig
from mvps.lights.text_formats import DIRECTIONS_NAME, looks_like_lp, read_lp, read_pair
from mvps.lights.yaml_format import read_light_yaml

_YAML_START = re.compile(r"(version|lights|convention)\s*:")


def read_lights(
    path: str | Path, *, intensities: Path | None = None, convention: str | None = None
) -> LightRig:
    """Lights from a DiLiGenT pair (table or folder), .lp, .dome, our JSON or YAML, or .mat.

    Parameters
    ----------
    path : the description; for a DiLiGenT pair the table of directions or its folder
    intensities : the second table of a pair, where it does not stand beside the first
    convention : frame of the file, "opengl", "directx" or "opencv"; None takes the format's own
        (what our JSON or YAML states, opencv for ``.mat``, opengl for the others)

    Raises
    ------
    InputError
        One line that names file and row.
    """
    path = Path(path)
    if path.is_dir():
        path = path / DIRECTIONS_NAME
    if intensities is not None:
        return read_pair(path, intensities=intensities, convention=convention)
    if path.suffix.lower() == ".mat" or _starts_with(path, b"MATLAB"):
        return read_mat(path, convention=convention)
    return _read_text_format(path, convention)


def _read_text_format(path: Path, convention: str | None) -> LightRig:
    text = read_text(path)
    if text.lstrip().startswith("{") or path.suffix.lower() in {".json", ".dome"}:
        data = parse_json(path, text)
        if path.suffix.lower() == ".dome" or DOME_KEYS & data.keys():
            return read_dome(path, data, convention=convention)
        return read_ours(path, data, convention=convention)
    if path.suffix.lower() in {".yml", ".yaml"} or _YAML_START.match(text.lstrip()):
        return read_light_yaml(path, convention=convention)
    if looks_like_lp(path, text):
        return read_lp(path, convention=convention)
    return read_pair(path, convention=convention)


def _starts_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False
