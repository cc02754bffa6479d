"""Words that folders, lists and tables use for the same few things."""

from __future__ import annotations

import re

from mvps.datasets.record import GOOD, NORMALS, RGB

MASK = "mask"
XYZ = "xyz"  # organised points, from which normals follow

_SOUND = frozenset({"ok", "good", "normal", "sound", "0", "pass", "nodefect", "anomalyfree"})
_DEFECTIVE = frozenset({"ng", "bad", "defective", "anomaly", "anomalous", "1", "fail", "abnormal"})
_SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
    "testpublic": "test",
}
_MODALITIES = {
    **dict.fromkeys(("rgb", "color", "colour", "image", "diffuse", "img"), RGB),
    **dict.fromkeys(("ps", "normals", "normal", "nv", "normalmap"), NORMALS),
    **dict.fromkeys(("mask", "gt", "groundtruth"), MASK),
    XYZ: XYZ,
}


def label_of(word: str) -> int | None:
    """0 for words as OK, good; 1 for NG, defective; None for any other."""
    plain = _plain(word)
    return 0 if plain in _SOUND else 1 if plain in _DEFECTIVE else None


def defect_of(word: str) -> str:
    """A kind of defect, :data:`GOOD` for every word that means none."""
    return GOOD if _plain(word) in _SOUND else word


def split_of(word: str) -> str | None:
    """One of "train", "validation" and "test", None for any other word."""
    return _SPLITS.get(_plain(word))


def modality_of(word: str) -> str | None:
    """One of "rgb", "normals", "mask" and "xyz", None for any other word."""
    return _MODALITIES.get(_plain(word))


def category_of(word: str) -> str:
    """One spelling for the many of a category: lower case, with underscores alone."""
    return re.sub(r"[-\s_]+", "_", word.strip().lower())


def _plain(word: str) -> str:
    return re.sub(r"[-\s_]+", "", word.lower())
