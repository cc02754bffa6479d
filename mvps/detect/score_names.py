"""Names of the files that belong to records: safe on every file system, one for each record."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mvps.datasets.record import Record
from mvps.errors import InputError

ONLY_VIEW = "view"  # name of the file where a sample has one view without a name
_UNSAFE = re.compile(r"[^\w.+=@-]")


def file_names(records: Sequence[Record]) -> dict[str, str]:
    """``CATEGORY/SAMPLE/VIEW`` without ending, by the name of the record.

    Raises
    ------
    InputError
        Two records would share a file.
    """
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for record in records:
        parts = (record.category, record.sample, record.view or ONLY_VIEW)
        name = "/".join(_safe(part) for part in parts)
        other = taken.setdefault(name, record.name)
        if record.name in names or other != record.name:
            raise InputError(record.name, f"has the file name of {other}", "rename one of them")
        names[record.name] = name
    return names


def _safe(part: str) -> str:
    plain = _UNSAFE.sub("_", part)[:200]
    return "_" + plain[1:] if plain.startswith(".") else plain or "_"
