"""The door to every light description: which format a file has is decided by its content.

Readers give the house frame (x right, y up, z to the camera) whatever the file states, and writers
write it, but for ``light.mat``, which is in OpenCV's frame.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mvps.errors import InputError
from mvps.files import read_text
from mvps.lights import (
    angles_format,
    diligent_format,
    dome_format,
    json_format,
    lp_format,
    mat_format,
    yaml_format,
)
from mvps.lights.rig import LightRig
from mvps.yaml_nodes import did_you_mean


class _Reader(Protocol):
    def __call__(self, path: Path, *, convention: str | None = None) -> LightRig: ...


@dataclass(frozen=True)
class LightFormat:
    """One format of light descriptions.

    Attributes
    ----------
    name : word of ``--to``
    title : what people call it
    recognises : whether a file at a path, with this text, has the format
    read : (path, convention) to a rig
    write : (rig, path) to the files that were written, the one to name first
    losses : what a file of this format cannot hold of a rig, in words
    files : the files that writing to a path would make
    """

    name: str
    title: str
    recognises: Callable[[Path, str], bool]
    read: _Reader
    write: Callable[[LightRig, Path], tuple[Path, ...]]
    losses: Callable[[LightRig], tuple[str, ...]]
    files: Callable[[Path], tuple[Path, ...]] = lambda path: (path,)


@dataclass(frozen=True)
class Conversion:
    """What a conversion wrote, what it lost, and what reading noted."""

    files: tuple[Path, ...]
    lost: tuple[str, ...]
    notes: tuple[str, ...]


def _nothing(_: LightRig) -> tuple[str, ...]:
    return ()


# In the order in which they are tried: the pair of tables is what is left.
_ALL = (
    LightFormat(
        "near_ps",
        "near_ps light.mat",
        lambda path, _: mat_format.looks_like_mat(path),
        mat_format.read_mat,
        mat_format.write_mat,
        mat_format.mat_losses,
    ),
    LightFormat(
        "dome",
        "relight .dome",
        dome_format.looks_like_dome,
        dome_format.read_dome,
        dome_format.write_dome,
        dome_format.dome_losses,
    ),
    LightFormat(
        "json",
        "mvps JSON",
        json_format.looks_like_json,
        json_format.read_json,
        json_format.write_json_lights,
        _nothing,
    ),
    LightFormat(
        "yaml",
        "mvps YAML",
        yaml_format.looks_like_yaml,
        yaml_format.read_light_yaml,
        yaml_format.write_light_yaml,
        yaml_format.yaml_losses,
    ),
    LightFormat(
        "angles",
        "list of angles",
        angles_format.looks_like_angles,
        angles_format.read_angles,
        angles_format.write_angles,
        angles_format.angle_losses,
    ),
    LightFormat(
        "lp",
        "RTI .lp",
        lp_format.looks_like_lp,
        lp_format.read_lp,
        lp_format.write_lp,
        lp_format.lp_losses,
    ),
    LightFormat(
        "diligent",
        "DiLiGenT pair of tables",
        lambda _, __: True,
        diligent_format.read_pair,
        diligent_format.write_pair,
        diligent_format.pair_losses,
        diligent_format.pair_files,
    ),
)
FORMATS = {known.name: known for known in _ALL}


def read_lights(
    path: str | Path, *, intensities: Path | None = None, convention: str | None = None
) -> LightRig:
    """Lights from a file of any format of ``FORMATS``, told by its content.

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
        path = path / diligent_format.DIRECTIONS_NAME
    if intensities is not None:
        return diligent_format.read_pair(path, intensities=intensities, convention=convention)
    return light_format_of(path).read(path, convention=convention)


def light_format_of(path: Path) -> LightFormat:
    """Format of a file.

    Raises
    ------
    InputError
        The file cannot be read, or is neither text nor a MATLAB file.
    """
    text = "" if mat_format.looks_like_mat(path) else read_text(path)
    return next(known for known in _ALL if known.recognises(path, text))


def write_lights(
    rig: LightRig, path: str | Path, format: str, *, allow_loss: bool = False
) -> tuple[Path, ...]:
    """Write a rig; numbers are spelt so that they read back as the same float64.

    Exact but for angles and for positions in a ``.dome`` file (centimetres), which come back to
    within a rounding of the last digit.

    Parameters
    ----------
    path : file to write, replaced where it exists; for "diligent" also a folder
    format : a name of ``FORMATS``
    allow_loss : write although the format cannot hold everything

    Returns
    -------
    The files that were written.

    Raises
    ------
    InputError
        The format is unknown, or cannot hold something that the rig states; nothing is written.
    """
    path, known = Path(path), _format(format)
    losses = known.losses(rig)
    if losses and not allow_loss:
        what = f"{known.title} cannot hold {'; '.join(losses)}"
        raise InputError(path, what, "pass --allow-loss to write the rest")
    if not path.absolute().parent.is_dir():
        raise InputError(path, "its folder does not exist", "make the folder first")
    return known.write(rig, path)


def convert_lights(
    source: Path,
    target: Path,
    format: str,
    *,
    convention: str | None = None,
    allow_loss: bool = False,
    overwrite: bool = False,
) -> Conversion:
    """Read a light description and write it in another format; arguments as above.

    Raises
    ------
    InputError
        As :func:`read_lights` and :func:`write_lights`, or a file is there and not to be replaced.
    """
    known = _format(format)
    rig = read_lights(source, convention=convention)
    for path in known.files(target):
        _refuse_to_replace(path, Path(rig.source), overwrite=overwrite)
    files = write_lights(rig, target, format, allow_loss=allow_loss)
    return Conversion(files, known.losses(rig), rig.notes)


def _refuse_to_replace(path: Path, source: Path, *, overwrite: bool) -> None:
    if str(path) == "-":
        raise InputError("-", "standard output is not written to", "name a file")
    if not os.path.lexists(path):
        return
    inputs = (source, diligent_format.intensities_beside(source))
    if any(path.exists() and file.exists() and path.samefile(file) for file in inputs):
        raise InputError(path, "is a file that the lights are read from", "name another one")
    if path.is_dir():
        raise InputError(path, "is a folder", "name a file")
    if not overwrite:
        raise InputError(path, "is there already", "pass --overwrite to replace it")


def _format(name: str) -> LightFormat:
    if name not in FORMATS:
        raise InputError("format", f"unknown format {name!r}", did_you_mean(name, FORMATS))
    return FORMATS[name]
