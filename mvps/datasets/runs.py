"""What ``mvps normals`` wrote, as a data set: a normal map a stack, and its label.

``labels.csv`` names stacks; without it a folder ``OK`` or ``NG`` in a stack's path tells.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from mvps.datasets.dataset import Dataset, ReadOptions, Tally, in_order, split_note
from mvps.datasets.record import GOOD, Record
from mvps.datasets.splits import is_for_testing
from mvps.datasets.tree import Tree, below
from mvps.datasets.words import defect_of, label_of, split_of
from mvps.errors import InputError
from mvps.files import MANIFEST, RECORD, read_text
from mvps.yaml_nodes import did_you_mean

LABELS = "labels.csv"
COLUMNS = ("stack", "category", "sample", "view", "split", "label", "defect", "rgb", "mask")
_ENDINGS = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
_RGB = tuple(stem + ending for stem in ("rgb", "diffuse") for ending in _ENDINGS)
_MASKS = ("defect_mask.png", "mask.png")

Cells = dict[str, str]


def is_run(tree: Tree) -> bool:
    """Whether the folder holds the manifest of a run."""
    return MANIFEST in tree.list().known


def read_runs(tree: Tree, options: ReadOptions) -> Dataset:
    """Records of a run; a stack that failed or without a label is left out."""
    tally = Tally()
    stacks = dict(_stacks(tree))
    if not stacks:
        raise InputError(tree.root, "holds no stack with normals", "run mvps normals first")
    table = options.labels or (tree.path(LABELS) if tree.has(LABELS) else None)
    rows = _from_table(table, stacks, tally) if table else _from_folders(tree, stacks, tally)
    records = []
    for stack, cells in rows:
        if options.wants(cells["category"] or tree.name):
            records.append(_record(tree, stack, stacks[stack], cells, options))
    if any(not cells["split"] for _, cells in rows):
        tally.add("warning", "NO_LISTS", split_note(options), str(tree.root))
    return Dataset(tree.root, "mvps-run", in_order(records), tally.findings())


def normals_of_stacks(tree: Tree) -> Iterator[tuple[str, str, str]]:
    """Folder, normal map and colour image ("" where there is none) of every finished stack."""
    for stack, normals in _stacks(tree):
        yield stack, normals, _beside(tree, stack, _RGB)


def _stacks(tree: Tree) -> Iterator[tuple[str, str]]:
    """Folder of every finished stack, and its normal map."""
    for file in tree.walk():
        folder, _, name = file.rpartition("/")
        if name == RECORD:
            maps = [n for n in tree.list(folder).files if n.startswith("normals.")]
            if maps:
                yield folder, f"{folder}/{maps[0]}" if folder else maps[0]


def _from_table(path: Path, stacks: dict[str, str], tally: Tally) -> list[tuple[str, Cells]]:
    rows = []
    for line, cells in _lines(path):
        stack = cells["stack"].strip("/")
        if stack not in stacks:
            tally.add("error", "MISSING", f"stacks of {path.name} have no normals", stack)
            continue
        label = label_of(cells["label"]) if cells["label"] else None
        if cells["label"] and label is None:
            where = f"{path}, line {line}"
            raise InputError(where, f"label {cells['label']!r}", "write OK or NG")
        if cells["split"] and split_of(cells["split"]) is None:
            where = f"{path}, line {line}"
            raise InputError(where, f"split {cells['split']!r}", "write train, validation or test")
        if label is None and not cells["defect"]:
            raise InputError(f"{path}, line {line}", "has neither label nor defect")
        rows.append((stack, cells))
    named = {stack for stack, _ in rows}
    for stack in (stack for stack in stacks if stack not in named):
        tally.add("warning", "LABEL", f"stacks that {path.name} does not name, left out", stack)
    return rows


def _lines(path: Path) -> Iterator[tuple[int, Cells]]:
    """Rows of the table with their lines; every column is there, empty where it was not."""
    reader = csv.reader(io.StringIO(read_text(path)), strict=True)
    try:
        header = [word.strip().lower() for word in next(reader, [])]
        if "stack" not in header:
            raise InputError(path, "its first line names no column stack", ",".join(COLUMNS))
        for word in header:
            if word not in COLUMNS or header.count(word) > 1:
                raise InputError(path, f"column {word!r}", did_you_mean(word, COLUMNS))
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                where = f"{path}, line {reader.line_num}"
                raise InputError(where, f"{len(cells)} cells under {len(header)} columns")
            found = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            for name in ("rgb", "mask"):
                if found.get(name):
                    found[name] = below(found[name], f"{path}, line {reader.line_num}, {name}")
            yield reader.line_num, dict.fromkeys(COLUMNS, "") | found
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}", f"is no CSV ({error})") from None


def _from_folders(tree: Tree, stacks: dict[str, str], tally: Tally) -> list[tuple[str, Cells]]:
    """Labels from ``[CATEGORY/]OK/SAMPLE[/VIEW]`` and ``[CATEGORY/]NG/[DEFECT/]SAMPLE[/VIEW]``."""
    parted = {stack: _parted(stack) for stack in stacks}
    depths = [len(found[2]) for found in parted.values() if found and found[1] == 0]
    rows = []
    for stack, found in parted.items():
        if found is None:
            tally.add("warning", "LABEL", "stacks neither under OK nor under NG, left out", stack)
            continue
        category, label, rest = found
        # Sound stacks tell how many folders a sample takes; one more names the defect.
        named = label and len(rest) > (max(depths) if depths else 1)
        defect, rest = (rest[0], rest[1:]) if named else ("", rest)
        cells = dict.fromkeys(COLUMNS, "") | {
            "category": category,
            "sample": rest[0] if label == 0 else "_".join(filter(None, (rest[0], defect or "NG"))),
            "view": "_".join(rest[1:]),
            "label": "NG" if label else "OK",
            "defect": defect,
        }
        rows.append((stack, cells))
    if not rows:
        remedy = f"write {LABELS} with the columns stack,label,defect, or sort stacks by OK and NG"
        raise InputError(tree.root, "says of no stack whether it is sound", remedy)
    return rows


def _parted(stack: str) -> tuple[str, int, list[str]] | None:
    words = stack.split("/")
    for at, word in enumerate(words[:-1]):
        if word.upper() in ("OK", "NG"):
            return "_".join(words[:at]), int(word.upper() == "NG"), words[at + 1 :]
    return None


def _record(tree: Tree, stack: str, normals: str, cells: Cells, options: ReadOptions) -> Record:
    beside = {"rgb": _beside(tree, stack, _RGB), "mask": _beside(tree, stack, _MASKS)}
    rgb, mask = (cells[kind] or beside[kind] for kind in ("rgb", "mask"))
    category = cells["category"] or tree.name
    sample = cells["sample"] or stack.replace("/", "_")
    word = label_of(cells["label"]) if cells["label"] else None
    label = int(defect_of(cells["defect"]) != GOOD) if word is None else word
    split = split_of(cells["split"])
    if split is None:
        test = label or is_for_testing(category, sample, options.test_share)
        split = "test" if test else "train"
    return Record(
        category=category,
        sample=sample,
        view=cells["view"],
        split=split,
        label=label,
        defect=(cells["defect"] or "defect") if label else GOOD,
        rgb=tree.path(rgb) if rgb else None,
        normals=tree.path(normals),
        mask=tree.path(mask) if mask and label else None,
    )


def _beside(tree: Tree, stack: str, names: tuple[str, ...]) -> str:
    """The first of some files that lies in the folder of a stack, "" where none does."""
    known = tree.list(stack).known
    prefix = f"{stack}/" if stack else ""
    return next((prefix + name for name in names if name in known), "")
