"""JSON lists of the Real-IAD family: which image is for what, ``CATEGORY.json`` a category.

What a list says is checked before it is believed: sizes, types, and that no path leaves the folder.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvps.datasets.tree import Tree, below
from mvps.errors import InputError

MAX_BYTES = 64 << 20  # the largest published list has 2 MB
SPLITS = ("train", "validation", "val", "test")
_TEXT = 256  # characters of a word


@dataclass(frozen=True)
class Row:
    """One image of a list.

    Attributes
    ----------
    split, category, anomaly_class : as written; category is "" where the row has none
    sample, view : "" where the row has none
    image, normals, mask, xyz : paths below the prefix of the list, "" where there is none
    place : file and row, for messages
    """

    split: str
    category: str
    anomaly_class: str
    sample: str
    view: str
    image: str
    normals: str
    mask: str
    xyz: str
    place: str


@dataclass(frozen=True)
class ImageList:
    """A list of one category.

    Attributes
    ----------
    file : named from the data folder
    prefix : folder of the images, below the folder of all of them; "" for none
    normal_class : anomaly class of sound images
    views : names of the views by their tags
    generator : whether a generator of data sets wrote it
    """

    file: str
    prefix: str
    normal_class: str
    views: dict[str, str]
    rows: tuple[Row, ...]


def find_lists(tree: Tree) -> dict[str, list[str]]:
    """JSON files that may be lists, by folder, down to two folders below the root."""
    found: dict[str, list[str]] = {}
    below_root = list(tree.list().folders)
    folders = ["", *below_root]
    # One level deeper only where the name says lists: category folders hold thousands.
    for name in below_root:
        if "json" in name.lower():
            folders += [f"{name}/{inner}" for inner in tree.list(name).folders]
    for folder in folders:
        prefix = f"{folder}/" if folder else ""
        names = [prefix + n for n in tree.list(folder).files if n.lower().endswith(".json")]
        if names:
            found[folder] = names
    return found


def read_list(tree: Tree, file: str) -> ImageList | None:
    """A list, or None where the JSON file is something else.

    Raises
    ------
    InputError
        Too large, no JSON, or a row that is none, or that leads out of the data folder.
    """
    path = tree.path(file)
    value = _load(path)
    meta = value.get("meta") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not any(isinstance(value.get(s), list) for s in SPLITS):
        return None
    meta = meta if isinstance(meta, dict) else {}
    prefix = meta.get("prefix", "")
    views = meta.get("views")
    return ImageList(
        file=file,
        prefix=below(prefix, f"{path}, meta.prefix") if prefix not in ("", ".", "./") else "",
        normal_class=_word(meta, "normal_class", str(path)) or "OK",
        views={str(k): str(v) for k, v in views.items()} if isinstance(views, dict) else {},
        rows=tuple(_rows(value, path)),
    )


def _load(path: Path) -> Any:
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise InputError(path, "is not a regular file")
        if state.st_size > MAX_BYTES:
            raise InputError(path, "larger than 64 MiB, so no list of images")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(path, f"is no JSON ({reason})", "fetch it again") from None


def _rows(value: dict[str, Any], path: Path) -> Iterator[Row]:
    for split in SPLITS:
        rows = value.get(split, [])
        if not isinstance(rows, list):
            raise InputError(path, f"{split} is no list")
        for number, row in enumerate(rows, 1):
            yield _row(row, split, f"{path}, {split} row {number}")


def _row(row: Any, split: str, place: str) -> Row:
    if not isinstance(row, dict):
        raise InputError(place, "is no object with image_path")
    paths = [_path(row, key, place) for key in ("image_path", "ps_path", "mask_path", "xyz_path")]
    image, normals, mask, xyz = paths
    if not image and not normals:
        raise InputError(place, "names neither image_path nor ps_path")
    words = (_word(row, key, place) for key in ("category", "anomaly_class", "sample", "view"))
    category, anomaly_class, sample, view = words
    if not anomaly_class:
        raise InputError(place, "has no anomaly_class")
    return Row(split, category, anomaly_class, sample, view, image, normals, mask, xyz, place)


def _path(row: dict[str, Any], key: str, place: str) -> str:
    value = row.get(key)
    return below(value, f"{place}, {key}") if value not in (None, "") else ""


def _word(row: dict[str, Any], key: str, place: str) -> str:
    value = row.get(key, "")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _TEXT or not value.isprintable():
        raise InputError(place, f"{key} is no word")
    if "/" in value or "\\" in value:
        raise InputError(place, f"{key} {value[:80]!r} is a path, not a word")
    return value
