"""The Real-IAD family: Real-IAD (Wang et al., CVPR 2024), D3 (Zhu et al., CVPR 2025) and MVN.

All three keep ``CATEGORY/OK/S0001`` and ``NG/DEFECT/S0051``, and lists in JSON. Real-IAD has
views; D3 has normals; MVN has both, and its tree is what ``mvps synth dataset`` writes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mvps.datasets.dataset import Dataset, ReadOptions, Tally, in_order, split_note
from mvps.datasets.lists import ImageList, Row, find_lists, read_list
from mvps.datasets.realiad_folders import read_folders
from mvps.datasets.realiad_names import ImageName, parse_name
from mvps.datasets.record import GOOD, Record
from mvps.datasets.tree import Tree
from mvps.datasets.words import category_of, split_of
from mvps.errors import InputError

NOT_CATEGORIES = frozenset({"raw", "records", "truth"})
# An encoder sees fewer pixels than the smallest of them but one; larger ones decode slower.
_SIZES = ("512", "1024", "raw", "256")
_TRIED = 8  # folders of each kind that are looked into


def is_realiad(tree: Tree) -> bool:
    """Whether images are named with a view and no modality."""
    return _family(tree) == (True, False)


def is_realiad_d3(tree: Tree) -> bool:
    """Whether images are named with a modality and no view."""
    return _family(tree) == (False, True)


def is_realiad_mvn(tree: Tree) -> bool:
    """Whether images are named with a view and a modality."""
    return _family(tree) == (True, True)


def read_realiad(tree: Tree, options: ReadOptions) -> Dataset:
    """Records of Real-IAD: views, colour alone."""
    return _read(tree, options, "realiad")


def read_realiad_d3(tree: Tree, options: ReadOptions) -> Dataset:
    """Records of Real-IAD D3: one view, colour under the fifth light, normals."""
    return _read(tree, options, "realiad-d3")


def read_realiad_mvn(tree: Tree, options: ReadOptions) -> Dataset:
    """Records of Real-IAD-MVN and of ``mvps synth dataset``: views, colour and normals."""
    return _read(tree, options, "realiad-mvn")


def _family(tree: Tree) -> tuple[bool, bool] | None:
    """Whether file names hold a view and whether a modality; None where none looks like one."""
    for folder in _some_sample_folders(tree):
        names = [name for file in tree.list(folder).files if (name := parse_name(file))]
        if names:
            return any(name.view for name in names), any(name.kind for name in names)
    return None


def _some_sample_folders(tree: Tree) -> list[str]:
    found = []
    for base in (*_image_folders(tree), ""):
        prefix = f"{base}/" if base else ""
        for category in tree.list(base).folders[:_TRIED]:
            above = f"{prefix}{category}/OK"
            found += [f"{above}/{sample}" for sample in tree.list(above).folders[:1]]
    return found


def _image_folders(tree: Tree) -> list[str]:
    """Folders beside the lists that hold the images of one resolution each."""
    names = [n for n in tree.list().folders if n.lower().startswith("realiad") and "json" not in n]
    return sorted(names, key=lambda n: next((i for i, s in enumerate(_SIZES) if n.endswith(s)), 9))


@dataclass
class _Reading:
    """What the rows of all lists share."""

    tree: Tree
    options: ReadOptions
    tally: Tally
    images: str


def _read(tree: Tree, options: ReadOptions, layout: str) -> Dataset:
    reading = _Reading(tree, options, Tally(), "")
    reading.images = _chosen(reading, _image_folders(tree), options.images, "--images")
    lists = _lists(reading)
    if not lists and options.categories and find_lists(tree):
        records = []  # other categories have lists, so this one is not to be split by name
    elif not lists:
        reading.tally.add("warning", "NO_LISTS", split_note(options), str(tree.root))
        skip = NOT_CATEGORIES if not reading.images else frozenset()
        records = read_folders(tree, reading.images, options, reading.tally, skip)
    else:
        records = [record for one in lists for record in _records(reading, one)]
    return Dataset(tree.root, layout, in_order(records), reading.tally.findings())


def _lists(reading: _Reading) -> list[ImageList]:
    """The lists of the one folder that was chosen."""
    tree, options = reading.tree, reading.options
    groups = {}
    for folder, files in find_lists(tree).items():
        stems = {file: category_of(file.rpartition("/")[2][:-5]) for file in files}
        wanted = [file for file in files if options.wants(stems[file])]
        if options.lists and options.lists not in (folder, folder.rpartition("/")[2]):
            continue
        groups[folder] = wanted
    plain = sorted(groups, key=lambda folder: (not folder.endswith("realiad_jsons"), folder))
    if options.lists and not groups:
        raise InputError("--lists", f"{options.lists!r} holds no lists", "name a folder of JSON")
    for folder in plain:
        lists = [one for file in groups[folder] if (one := read_list(tree, file))]
        if lists:
            others = [other for other in plain if other != folder]
            if others:
                what = f"several folders of lists, {folder} is taken (--lists takes another)"
                reading.tally.add("warning", "CHOICE", what, ", ".join(others))
            return lists
    return []


def _chosen(reading: _Reading, folders: list[str], wanted: str, option: str) -> str:
    if wanted:
        if wanted not in reading.tree.list().folders:
            raise InputError(option, f"no folder {wanted!r} in {reading.tree.root}")
        return wanted
    if len(folders) > 1:
        what = f"several folders of images, {folders[0]} is taken ({option} takes another)"
        reading.tally.add("warning", "CHOICE", what, ", ".join(folders[1:]))
    return folders[0] if folders else ""


def _records(reading: _Reading, images: ImageList) -> list[Record]:
    fuiad = "fuiad" in images.file.lower()
    stem = images.file.rpartition("/")[2][:-5]
    base = _base(reading, images, stem)
    records, noisy, xyz = [], 0, 0
    for row in images.rows:
        record = _record(reading, images, row, base, category_of(row.category or stem))
        xyz += bool(row.xyz)
        if record is None:
            continue
        if fuiad and record.label and record.split == "train":
            noisy += 1
            record = replace(record, label=0, defect=GOOD, mask=None)
        records.append(record)
    if noisy:
        what = "defective images in the training list count as sound, as FUIAD asks"
        reading.tally.add("warning", "NOISY", what, f"{noisy:,} of {stem}")
    if xyz:
        what = "XYZ files are not read: placeholders in their X and Y can tell good from bad"
        reading.tally.add("warning", "XYZ", what, stem)
    return records


def _base(reading: _Reading, images: ImageList, stem: str) -> str:
    """Folder that the paths of a list start from; the spellings of a category vary."""
    tree, above = reading.tree, f"{reading.images}/" if reading.images else ""
    wanted = images.prefix or stem
    if tree.has_folder(above + wanted):
        return f"{above}{wanted}/"
    for name in tree.list(reading.images).folders:
        if category_of(name) == category_of(wanted):
            return f"{above}{name}/"
    return above


def _record(
    reading: _Reading, images: ImageList, row: Row, base: str, category: str
) -> Record | None:
    name = parse_name(row.image or row.normals)
    sound = row.anomaly_class == images.normal_class
    tag = row.view or (name.view if name else "")
    files = {}
    for kind, path in (("colour", row.image), ("normals", row.normals), ("mask", row.mask)):
        if path and not reading.tree.has(base + path):
            reading.tally.add("error", "MISSING", f"{kind} files are missing", base + path)
        elif path:
            files[kind] = reading.tree.path(base + path)
    if not files.keys() & {"colour", "normals"}:
        return None
    return Record(
        category=category,
        sample=row.sample or _sample(row, name, images.normal_class),
        view=images.views.get(tag, tag),
        split=split_of(row.split) or "test",
        label=int(not sound),
        defect=GOOD if sound else row.anomaly_class,
        rgb=files.get("colour"),
        normals=files.get("normals"),
        mask=files.get("mask"),
    )


def _sample(row: Row, name: ImageName | None, normal_class: str) -> str:
    """Views share number and class; numbers of sound and defective samples may coincide.

    The class is that of the name: a view that does not show the defect may be listed as sound.
    """
    if name is None:
        return (row.image or row.normals).rpartition(".")[0].replace("/", "_")
    code = name.code.removeprefix("NG_")
    return f"S{name.number}" + ("" if code in ("", normal_class) else f"_{code}")
