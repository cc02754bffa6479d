"""Records from file patterns: the reader of layouts of one's own, and the engine of MVTec's.

Patterns find images; files of those that join are added to the images whose places agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mvps.datasets.dataset import Dataset, ReadOptions, Tally, in_order, split_note
from mvps.datasets.pattern import FilePattern, parse_pattern
from mvps.datasets.record import GOOD, NORMALS, RGB, Record
from mvps.datasets.splits import is_for_testing
from mvps.datasets.tree import Tree
from mvps.datasets.words import MASK, XYZ, defect_of, label_of, modality_of, split_of
from mvps.errors import InputError

Key = tuple[str, ...]
_FIELDS = ("category", "split", "label", "defect", "sample", "view")


@dataclass(frozen=True)
class Source:
    """Files of one modality.

    Attributes
    ----------
    pattern : of the files
    modality : of all of them; None where the pattern holds it
    joins : its files are added to images that other patterns found
    """

    pattern: FilePattern
    modality: str | None
    joins: bool = False


@dataclass
class Draft:
    """What is known of a record while files are still being found."""

    values: dict[str, str]
    files: dict[str, str]


def sources_of(texts: Sequence[str]) -> tuple[Source, ...]:
    """Sources of patterns that a user wrote, each alone or as ``rgb=``, ``normals=``, ``mask=``.

    The first one, and those without such a word, find images; the others join.

    Raises
    ------
    InputError
        There is none, one is no pattern, or tells neither sample nor what is sound.
    """
    if not texts:
        raise InputError("--pattern", "is missing", "e.g. {category}/{defect}/{sample}.png")
    sources: list[Source] = []
    for text in texts:
        word, sign, rest = text.partition("=")
        modality = modality_of(word) if sign and "{" not in word and "/" not in word else None
        pattern = parse_pattern(rest if modality else text)
        if not modality and "modality" not in pattern.places:
            modality = RGB
        joins = bool(sources) and bool(sign) and pattern.text != text
        sources.append(Source(pattern, modality, joins))
    finders = [source.pattern for source in sources if not source.joins]
    for pattern in finders:
        if "sample" not in pattern.places:
            raise InputError("--pattern", f"{pattern.text!r} names no {{sample}}", "add it")
    if not any(pattern.places & {"label", "defect"} for pattern in finders):
        remedy = "add {defect} or {label}"
        raise InputError("--pattern", f"{finders[0].text!r} does not tell what is sound", remedy)
    return tuple(sources)


def read_user_pattern(tree: Tree, options: ReadOptions) -> Dataset:
    """Records of the patterns that the user gave."""
    tally = Tally()
    drafts = find_drafts(tree, sources_of(options.patterns), tally, options)
    return finish(tree, "pattern", drafts, tally, options)


def find_drafts(
    tree: Tree, sources: Sequence[Source], tally: Tally, options: ReadOptions
) -> list[Draft]:
    """What the patterns find, with the files of those that join."""
    drafts: dict[Key, Draft] = {}
    for source in sources:
        if source.joins:
            _join(tree, source, list(drafts.values()), tally)
        else:
            _find(tree, source, drafts, tally, options)
    return list(drafts.values())


def _find(
    tree: Tree, source: Source, drafts: dict[Key, Draft], tally: Tally, options: ReadOptions
) -> None:
    for file, values in source.pattern.files(tree):
        if modality_of(values.get("split", "")) == MASK:
            continue  # a folder of masks beside those of the splits
        modality = _modality(source, values, file, tally)
        if modality is None or not options.wants(values.get("category", tree.name)):
            continue
        key = tuple(values.get(name, "") for name in _FIELDS)
        draft = drafts.setdefault(key, Draft(values, {}))
        if modality in draft.files:
            tally.add("warning", "DOUBLE", "files that stand for the same image", file)
        else:
            draft.files[modality] = file


def finish(
    tree: Tree,
    layout: str,
    drafts: Iterable[Draft],
    tally: Tally,
    options: ReadOptions,
    *,
    local_names: bool = False,
) -> Dataset:
    """The data set of drafts.

    Parameters
    ----------
    local_names : samples count anew in every folder, so that split and defect join their names
    """
    records = []
    drafts = list(drafts)
    if drafts and any("split" not in draft.values for draft in drafts):
        tally.add("warning", "NO_LISTS", split_note(options), str(tree.root))
    for draft in drafts:
        record = _record(tree, draft, tally, options, local_names)
        if record is not None:
            records.append(record)
    if not local_names and _repeats(records):
        what = "samples count anew in every folder; their names got split and defect"
        tally.add("warning", "SAMPLE_NAMES", what, str(tree.root))
        records = [_with_local_name(record) for record in records]
    return Dataset(tree.root, layout, in_order(records), tally.findings())


def _record(
    tree: Tree, draft: Draft, tally: Tally, options: ReadOptions, local_names: bool
) -> Record | None:
    values, files = draft.values, draft.files
    name = next(iter(files.values()))
    normals = files.get(NORMALS) or files.get(XYZ)
    if RGB not in files and normals is None:
        tally.add("warning", "MASK_ALONE", "masks without an image", name)
        return None
    label = _label(values)
    if label is None:
        tally.add("warning", "LABEL", "labels that are neither OK nor NG, left out", name)
        return None
    category = values.get("category", tree.name)
    defect = defect_of(values.get("defect", "")) if label else GOOD
    split = split_of(values.get("split", "")) if "split" in values else None
    if split is None and "split" in values:
        tally.add("warning", "SPLIT", "splits of no known name, left out", name)
        return None
    if split is None:
        test = label or is_for_testing(category, values["sample"], options.test_share)
        split = "test" if test else "train"
    record = Record(
        category=category,
        sample=values["sample"],
        view=values.get("view", ""),
        split=split,
        label=label,
        defect="defect" if label and defect in ("", GOOD) else defect,
        rgb=tree.path(files[RGB]) if RGB in files else None,
        normals=tree.path(normals) if normals else None,
        mask=tree.path(files[MASK]) if MASK in files else None,
        convention=XYZ if normals and NORMALS not in files else None,
    )
    return _with_local_name(record) if local_names else record


def _label(values: dict[str, str]) -> int | None:
    if "label" in values:
        return label_of(values["label"])
    return int(defect_of(values.get("defect", GOOD)) != GOOD)


def _modality(source: Source, values: dict[str, str], file: str, tally: Tally) -> str | None:
    if source.modality is not None:
        return source.modality
    found = modality_of(values["modality"])
    if found is None:
        tally.add("warning", "MODALITY", "files of no known modality, left out", file)
    return found


def _join(tree: Tree, source: Source, drafts: list[Draft], tally: Tally) -> None:
    """Add the files of a source to the one draft that agrees in all places that both have."""
    common = source.pattern.places.intersection(*(draft.values for draft in drafts))
    shared = [name for name in _FIELDS if name in common]
    index: dict[Key, list[Draft]] = {}
    for draft in drafts:
        index.setdefault(tuple(draft.values[name] for name in shared), []).append(draft)
    categories = {draft.values.get("category") for draft in drafts}
    for file, values in source.pattern.files(tree):
        modality = _modality(source, values, file, tally)
        if modality is None or values.get("category") not in categories:
            continue
        found = index.get(tuple(values[name] for name in shared), [])
        if len(found) == 1:
            found[0].files.setdefault(modality, file)
        else:
            what = "fit several images" if found else "fit no image"
            tally.add("warning", "JOIN", f"{modality} files that {what}, left out", file)


def _repeats(records: Sequence[Record]) -> bool:
    return len({record.name for record in records}) < len(records)


def _with_local_name(record: Record) -> Record:
    return replace(record, sample=f"{record.split}_{record.defect}_{record.sample}")
