"""Folders of the Real-IAD family without lists: ``CATEGORY/OK/S0001``, ``NG/DEFECT/S0051``.

D3 also has ``DEFECT/S0051`` without the folder ``NG``. Nothing says what is for testing.
"""

from __future__ import annotations

from collections.abc import Iterator

from mvps.datasets.dataset import ReadOptions, Tally
from mvps.datasets.realiad_names import parse_name
from mvps.datasets.record import GOOD, Record
from mvps.datasets.splits import is_for_testing
from mvps.datasets.tree import Tree
from mvps.datasets.words import category_of

_IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
_FIFTH = "RGBL05"  # the light that the lists of D3 name


def read_folders(
    tree: Tree, base: str, options: ReadOptions, tally: Tally, skip: frozenset[str]
) -> list[Record]:
    """Records of all categories below a folder, but for those whose names are skipped."""
    records: list[Record] = []
    prefix = f"{base}/" if base else ""
    for name in tree.list(base).folders:
        category = category_of(name)
        if name in skip or not options.wants(category):
            continue
        for defect, folder in _sample_folders(tree, prefix + name):
            views = _views(tree, folder, tally)
            records += _records(tree, folder, views, (category, defect), options)
    return records


def _sample_folders(tree: Tree, category: str) -> Iterator[tuple[str, str]]:
    """Kind of defect and folder of every sample."""
    for name in tree.list(category).folders:
        folder = f"{category}/{name}"
        inner = tree.list(folder).folders
        if name.upper() == "NG":
            for defect in inner:
                for sample in tree.list(f"{folder}/{defect}").folders:
                    yield defect, f"{folder}/{defect}/{sample}"
        else:
            for sample in inner:
                yield GOOD if name.upper() == "OK" else name, f"{folder}/{sample}"


def _records(
    tree: Tree,
    folder: str,
    views: dict[str, dict[str, str]],
    kind: tuple[str, str],
    options: ReadOptions,
) -> Iterator[Record]:
    category, defect = kind
    name = folder.rpartition("/")[2]
    sample = name if defect == GOOD else f"{name}_{defect}"
    test = defect != GOOD or is_for_testing(category, sample, options.test_share)
    for view, files in views.items():
        paths = {kind: tree.path(file) for kind, file in files.items()}
        yield Record(
            category=category,
            sample=sample,
            view=view,
            split="test" if test else "train",
            label=int(defect != GOOD),
            defect=defect,
            rgb=paths.get("rgb"),
            normals=paths.get("normals"),
            mask=paths.get("mask"),
        )


def _views(tree: Tree, folder: str, tally: Tally) -> dict[str, dict[str, str]]:
    """Files of every view of a sample by what they are."""
    views: dict[str, dict[str, str]] = {}
    files = [f for f in tree.list(folder).files if f.lower().endswith(_IMAGES)]
    photographs = {f.rpartition(".")[0] for f in files if f.lower().endswith((".jpg", ".jpeg"))}
    for file in files:
        name = parse_name(file)
        if name is None:
            tally.add("warning", "NAME", "files of an unknown name, left out", f"{folder}/{file}")
            continue
        stem, _, ending = file.rpartition(".")
        # A PNG beside a JPEG of the same name is its mask, in Real-IAD.
        beside = not name.kind and ending.lower() == "png" and stem in photographs
        kind = "mask" if beside else _kind(name.kind)
        if kind == "":
            continue
        found = views.setdefault(name.view, {})
        if kind not in found or name.kind == _FIFTH:
            found[kind] = f"{folder}/{file}"
    for view in [view for view, found in views.items() if not found.keys() & {"rgb", "normals"}]:
        tally.add("warning", "MASK_ALONE", "masks without an image", views.pop(view)["mask"])
    return views


def _kind(word: str) -> str:
    """What a file is; "" for what is not read."""
    if word.startswith("RGB") or not word:
        return "rgb"
    return {"PS": "normals", "MASK": "mask", "GT": "mask"}.get(word, "")
