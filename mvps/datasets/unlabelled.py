"""Images without labels: files, folders, what ``mvps normals`` wrote.

A colour image and a normal map belong together where their paths differ in a word for what they
hold alone, as ``a_rgb.png`` and ``a_normals.png``, or ``rgb/a.png`` and ``normals/a.png``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mvps.datasets.dataset import in_order
from mvps.datasets.pattern import parse_pattern
from mvps.datasets.record import GOOD, NORMALS, RGB, Record
from mvps.datasets.runs import is_run, normals_of_stacks
from mvps.datasets.tree import MAX_DEPTH, Tree
from mvps.datasets.words import label_of, modality_of
from mvps.errors import InputError
from mvps.files import MANIFEST
from mvps.images import is_image_name

_SIGNS = re.compile(r"[_.\s-]+")
_MORE_ENDINGS = (".exr", ".jxl")  # of normal maps

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Naming:
    """How paths become names.

    Attributes
    ----------
    categories : known ones; a folder of that name tells, and one that is alone needs no folder
    category : of all images; "" leaves it to the paths
    pattern : with the places category, sample, view and modality; "" leaves it to the paths
    modalities : that a record must have
    """

    categories: Sequence[str]
    category: str = ""
    pattern: str = ""
    modalities: Sequence[str] = (RGB, NORMALS)


def read_unlabelled(paths: Sequence[Path], naming: Naming) -> tuple[Record, ...]:
    """Records of files and folders, as if sound and for testing.

    Raises
    ------
    InputError
        There is no such file, a pattern that is none, no image, two for one place, or a record that
        lacks a modality.
    """
    drafts: dict[Key, Record] = {}
    for path in paths:
        for one in _found(path, naming):
            key = one.category, one.sample, one.view
            drafts[key] = _joined(drafts[key], one) if key in drafts else one
    records = in_order(list(drafts.values()))
    if not records:
        raise InputError(paths[0] if paths else "IMAGES", "holds no image", "check the name")
    for record in records:
        for modality in naming.modalities:
            if (record.rgb if modality == RGB else record.normals) is None:
                remedy = "name files as a_rgb.png and a_normals.png, or give --pattern"
                raise InputError(record.name, f"has no {modality}, which the run needs", remedy)
    return records


def _found(path: Path, naming: Naming) -> Iterator[Record]:
    if not path.is_dir():
        if not path.is_file():
            raise InputError(path, "no such file", "check the name")
        yield _record(path, path.name, path.parent.name, naming)
        return
    tree = Tree(path)
    stacks = list(normals_of_stacks(tree))
    if stacks or is_run(tree):
        root, above = _run_of(path.resolve())
        for stack, normals, rgb in stacks:
            # The stack itself stands for the file's folder.
            place = "/".join([*above, *filter(None, [stack]), "x"])
            one = _record(tree.path(normals), place, root, naming, NORMALS)
            yield replace(one, rgb=tree.path(rgb) if rgb else None)
        return
    for file in tree.walk():
        if is_image_name(Path(file)) or Path(file).suffix.lower() in _MORE_ENDINGS:
            if naming.pattern and parse_pattern(naming.pattern).parse(file) is None:
                continue
            yield _record(tree.path(file), file, tree.name, naming)


def _run_of(folder: Path) -> tuple[str, tuple[str, ...]]:
    """Name of the run that a folder is part of, and where in it; a part names samples as all do."""
    for root in (folder, *folder.parents[:MAX_DEPTH]):
        if (root / MANIFEST).is_file():
            return root.name, folder.relative_to(root).parts
    return folder.name, ()


def _record(path: Path, place: str, folder: str, naming: Naming, kind: str = "") -> Record:
    """Record of one file; ``place`` is its name below the folder."""
    values = (parse_pattern(naming.pattern).parse(place) or {}) if naming.pattern else {}
    found = kind or modality_of(values.get("modality", "")) or ""
    words = [*place.split("/")[:-1], *([] if kind else [Path(place).stem])]
    category = naming.category or values.get("category", "")
    names = []
    for word in words:
        if not category and word in naming.categories:
            category = word
        elif word != category and label_of(word) is None:
            rest, modality = _parted(word)
            found = found or modality
            names += [rest] if rest else []
    if not category:
        category = naming.categories[0] if len(naming.categories) == 1 else folder or "images"
    sample = values.get("sample") or "_".join(names[:-1] or names) or folder or "image"
    view = values.get("view", "") if values else "".join(names[1:][-1:])
    if found and found not in (RGB, NORMALS):
        raise InputError(path, f"is a {found}, no image or normal map", "leave it out")
    if not found:
        found = NORMALS if tuple(naming.modalities) == (NORMALS,) else RGB
    colour, normals = (path, None) if found == RGB else (None, path)
    return Record(category, sample, view, "test", 0, GOOD, colour, normals)


def _parted(word: str) -> tuple[str, str]:
    """A word without the last part of it that names a modality, and that modality."""
    parts = _SIGNS.split(word)
    for at in range(len(parts) - 1, -1, -1):
        modality = modality_of(parts[at])
        if modality:
            return "_".join(parts[:at] + parts[at + 1 :]), modality
    return word, ""


def _joined(one: Record, other: Record) -> Record:
    for name in ("rgb", "normals"):
        if getattr(one, name) and getattr(other, name):
            what = f"stands for {one.name}, as {getattr(one, name)} does"
            raise InputError(getattr(other, name), what, "give --pattern with {sample} and {view}")
    return replace(one, rgb=one.rgb or other.rgb, normals=one.normals or other.normals)
