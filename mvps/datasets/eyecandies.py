"""Eyecandies (Bonfiglioli et al., ACCV 2022) as published: rendered sweets with true normals.

Its normals are n = px / 127.5 - 1 with y and z flipped against the house frame: OpenCV's signs.
"""

from __future__ import annotations

import re
from dataclasses import replace

from mvps.datasets.dataset import Dataset, ReadOptions, Tally, in_order
from mvps.datasets.record import GOOD, Record
from mvps.datasets.tree import Tree
from mvps.errors import InputError
from mvps.yaml_nodes import Node, read_yaml

SPLITS = {"train": "train", "val": "validation", "test_public": "test"}
# Under the spots and the camera's light, which its authors show as RGB; under all spots alone.
IMAGES = ("image_5", "image_0")
KINDS = ("bumps", "dents", "colors", "normals")
_NUMBER = re.compile(r"(\d{1,6})_")
_TRUE = ("1", "true", "True")


def is_eyecandies(tree: Tree) -> bool:
    """Whether categories hold ``train/data`` or ``test_public/data`` with numbered files."""
    return any(
        any(_NUMBER.match(name) for name in tree.list(f"{category}/{split}/data").files[:1])
        for category in tree.list().folders
        for split in ("train", "test_public")
    )


def read_eyecandies(tree: Tree, options: ReadOptions) -> Dataset:
    """Records of Eyecandies; ``test_private`` has no published labels and is left out."""
    tally, records = Tally(), []
    for category in filter(options.wants, tree.list().folders):
        for split_name, split in SPLITS.items():
            folder = f"{category}/{split_name}/data"
            for number in _numbers(tree, folder):
                record = _record(tree, category, split, f"{folder}/{number}", tally)
                if record is not None:
                    records.append(replace(record, sample=f"{split_name}_{number}"))
        if tree.list(f"{category}/test_private").folders:
            what = "test_private has no published labels and is left out"
            tally.add("warning", "PRIVATE", what, category)
    return Dataset(tree.root, "eyecandies", in_order(records), tally.findings())


def _numbers(tree: Tree, folder: str) -> list[str]:
    found = (_NUMBER.match(name) for name in tree.list(folder).files)
    return list(dict.fromkeys(match[1] for match in found if match))


def _record(tree: Tree, category: str, split: str, stem: str, tally: Tally) -> Record | None:
    names = (f"{stem}_{image}.png" for image in IMAGES)
    rgb = next((name for name in names if tree.has(name)), None)
    normals = f"{stem}_normals.png"
    if rgb is None and not tree.has(normals):
        tally.add("error", "MISSING", "neither a colour image nor normals", stem)
        return None
    if not tree.has(normals):
        tally.add("error", "MISSING", "normals are missing", normals)
    defect = _defect(tree, stem, tally) if split == "test" else GOOD  # the others hold none
    mask = f"{stem}_mask.png"
    return Record(
        category=category,
        sample=stem,
        view="",
        split=split,
        label=int(defect != GOOD),
        defect=defect,
        rgb=tree.path(rgb) if rgb else None,
        normals=tree.path(normals) if tree.has(normals) else None,
        mask=tree.path(mask) if defect != GOOD and tree.has(mask) else None,
        convention="opencv",
    )


def _defect(tree: Tree, stem: str, tally: Tally) -> str:
    """Kinds of defect that the sample's metadata state, joined; sound where there are none."""
    name = f"{stem}_metadata.yaml"
    if not tree.has(name):
        tally.add("warning", "METADATA", "metadata are missing, taken as sound", name)
        return GOOD
    try:
        stated = read_yaml(tree.path(name)).value
    except InputError as error:
        tally.add("error", "METADATA", "metadata cannot be read, taken as sound", str(error))
        return GOOD
    flags = stated if isinstance(stated, dict) else {}
    kinds = [kind for kind in KINDS if _is_true(flags.get(kind))]
    if kinds:
        return kinds[0] if len(kinds) == 1 else "combined"
    return "defect" if _is_true(flags.get("anomalous")) else GOOD


def _is_true(node: Node | None) -> bool:
    """Whether a flag of the metadata is set."""
    return node is not None and node.value in _TRUE
