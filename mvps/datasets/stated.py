"""What a result says of the data set it is about, so that the same records can be read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mvps.datasets.dataset import Dataset, ReadOptions
from mvps.datasets.registry import read_dataset
from mvps.errors import InputError

_REMEDY = "give the data set that was scored: --data DIR"


def state_dataset(dataset: Dataset, options: ReadOptions) -> dict[str, Any]:
    """Where a data set lies and how it was read, as JSON holds it; its categories are left out."""
    stated: dict[str, Any] = {"root": str(dataset.root.resolve()), "layout": dataset.layout}
    stated |= {name: getattr(options, name) for name in ("lists", "images")}
    stated["patterns"] = list(options.patterns)
    stated["labels"] = "" if options.labels is None else str(options.labels.resolve())
    return stated


def read_stated(
    stated: Mapping[str, Any],
    where: str | Path,
    folder: Path | None = None,
    categories: Sequence[str] = (),
) -> Dataset:
    """The data set of :func:`state_dataset`, read again.

    Parameters
    ----------
    where : the statement stands, for messages
    folder : of the data set, where it has been moved
    categories : to be read; all of them if empty

    Raises
    ------
    InputError
        It does not say which data set, or something else than that; the folder is gone, or cannot
        be read.
    """
    root, layout, labels = (_text(stated, name, where) for name in ("root", "layout", "labels"))
    patterns = stated.get("patterns", [])
    if not isinstance(patterns, list) or not all(isinstance(one, str) for one in patterns):
        raise InputError(where, f"its patterns {patterns!r} are none", _REMEDY)
    if folder is None and not root:
        raise InputError(where, "does not say which data set was scored", _REMEDY)
    place = folder or Path(root)
    if not place.is_dir():
        raise InputError(place, "no such folder", _REMEDY)
    options = ReadOptions(
        categories=tuple(categories),
        patterns=tuple(patterns),
        lists=_text(stated, "lists", where),
        images=_text(stated, "images", where),
        labels=_moved(Path(labels), Path(root), place) if labels else None,
    )
    return read_dataset(place, layout or None, options)


def _moved(labels: Path, root: Path, folder: Path) -> Path:
    """A table of labels moves with the data folder that it lies in."""
    inside = labels.is_relative_to(root) and root != Path()
    return folder / labels.relative_to(root) if inside else labels


def _text(stated: Mapping[str, Any], name: str, where: str | Path) -> str:
    value = stated.get(name) or ""
    if not isinstance(value, str):
        raise InputError(where, f"its {name} {value!r} is no text", _REMEDY)
    return value
