"""The ``.lp`` file of RTI: a count, then ``name x y z`` a row, with names that may hold blanks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.files import write_text
from mvps.lights.losses import held_losses
from mvps.lights.rig import UNIT_TOLERANCE, LightRig, flips
from mvps.lights.text_rows import not_unit, number_at, numbered_lines, spelt
from mvps.numbers import parse_integer, parse_number


def looks_like_lp(path: Path, text: str) -> bool:
    """Whether a text is a ``.lp`` file: by its ending, its count, or names before the numbers."""
    first = text.lstrip().split("\n", 1)[0].split()
    if path.suffix.lower() == ".lp" or (len(first) == 1 and first[0].isdigit()):
        return True
    return len(first) == 4 and parse_number(first[0]) is None and parse_number(first[3]) is not None


def read_lp(path: Path, *, convention: str | None = None) -> LightRig:
    """Rig from an RTI ``.lp`` file; the names stay as the file spells them.

    Directions of a common radius other than 1 (within 1%) are normalised, with a note.
    """
    lines = numbered_lines(path)
    if not lines:
        raise InputError(path, "the file is empty")
    (first_line, first), *rest = lines
    count = parse_integer(first)
    if count is None:
        raise InputError(
            f"{path}, line {first_line}",
            f"expected the number of lights alone, found {first[:40]!r}",
            "the first line of a .lp file is the count",
        )
    if count != len(rest):
        raise InputError(
            f"{path}, line {first_line}",
            f"the count says {count} lights, but {len(rest)} rows follow",
        )
    if not rest:
        raise InputError(path, "holds no light")
    names: list[str] = []
    vectors = np.empty((len(rest), 3))
    for i, (line, text) in enumerate(rest):
        name, vectors[i] = _lp_row(f"{path}, line {line}", text)
        names.append(name)
    numbers = [line for line, _ in rest]
    radius = _common_radius(vectors, numbers, path)
    notes: tuple[str, ...] = ()
    if abs(radius - 1) > UNIT_TOLERANCE:
        notes = (f"{path}: directions of common radius {radius:.4g} were normalised",)
    return LightRig(
        vectors / radius * flips(convention or "opengl", str(path)),
        np.ones(len(vectors)),
        names=tuple(names),
        source=str(path),
        notes=notes,
    )


def lp_losses(rig: LightRig) -> tuple[str, ...]:
    """What a ``.lp`` file cannot hold of a rig, and what it asks for that the rig lacks."""
    found = held_losses(rig, "intensities", "positions", "axes", "mu")
    if not rig.names:
        found += ("rows without the names of their images (they would be called light_01 and on)",)
    odd = [name for name in rig.names if not _holds(name)]
    if odd:
        found += (f"the name {odd[0]!r}, which a row cannot spell",)
    return found


def write_lp(rig: LightRig, path: Path) -> tuple[Path, ...]:
    """Write count, names and directions; a name that no row can spell is replaced."""
    digits = max(2, len(str(len(rig))))
    made = [f"light_{row:0{digits}d}" for row in range(1, len(rig) + 1)]
    names = [n if _holds(n) else m for n, m in zip(rig.names or made, made, strict=True)]
    rows = zip(names, rig.directions.tolist(), strict=True)
    write_text(path, f"{len(rig)}\n" + "".join(f"{name} {spelt(row)}\n" for name, row in rows))
    return (path,)


def _holds(name: str) -> bool:
    """Whether a name comes back from a row as it was; surrogates are no UTF-8."""
    plain = not any(sign in name for sign in "\n\r\0")
    surrogates = any("\ud800" <= sign <= "\udfff" for sign in name)
    return bool(name) and plain and not surrogates and name.strip().strip('"') == name


def _lp_row(where: str, text: str) -> tuple[str, list[float]]:
    """Name and vector of ``name x y z``; the name may hold spaces or stand in quotes."""
    parts = text.rsplit(None, 3)
    if len(parts) < 4:
        raise InputError(where, f"expected 'name x y z', found {text[:40]!r}")
    vector = [number_at(where, part) for part in parts[1:]]
    return parts[0].strip().strip('"'), vector


def _common_radius(vectors: NDArray[np.float64], lines: list[int], path: Path) -> float:
    """Length that all vectors share within 1%; 1 where they are unit; else InputError."""
    length = np.linalg.norm(vectors, axis=1)
    radius = float(np.median(length))
    if not 1e-12 < radius < 1e12:
        raise InputError(path, f"directions of length {radius:.4g}")
    if (np.abs(length - 1) <= UNIT_TOLERANCE).all():
        return 1.0
    # Most lengths near 1 mean unit vectors with one bad row, not a sphere of another radius.
    reference = 1.0 if abs(radius - 1) <= UNIT_TOLERANCE else radius
    for line, value in zip(lines, length, strict=True):
        if abs(value / reference - 1) > UNIT_TOLERANCE:
            raise not_unit(
                path, line, value, "" if reference == 1 else f", the others {radius:.4g}"
            )
    return radius
