"""Signs that a data set answers its own questions: what a test must not share with training."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mvps.datasets.dataset import Tally
from mvps.datasets.record import Record
from mvps.files import digest_file

_PROBE = 4096  # bytes from either end that tell most files of one size apart


def check_leaks(records: Sequence[Record], tally: Tally) -> None:
    """Find samples in two splits, defective images in training, equal images in both splits."""
    splits: dict[tuple[str, str], str] = {}
    told = set()
    for record in records:
        key = (record.category, record.sample)
        if splits.setdefault(key, record.split) != record.split and key not in told:
            told.add(key)
            what = "samples whose views are spread over several splits"
            tally.add("error", "SPLIT_SAMPLE", what, "/".join(key))
        if record.label and record.split != "test":
            what = f"defective images in the {record.split} split"
            tally.add("error", "DEFECT_IN_TRAINING", what, record.name)
    _check_content(records, tally)


def _check_content(records: Sequence[Record], tally: Tally) -> None:
    """Files are told apart by size, then by their ends, and read whole only where both agree."""
    groups = _alike([(r, path) for r in records for path in (r.rgb, r.normals) if path], _size)
    for key in (_ends, _digest):
        groups = [part for group in groups for part in _alike(group, key)]
    for group in groups:
        train = next(record for record, _ in group if record.split == "train")
        for record, path in group:
            if record.split == "test":
                what = "images that are the same in test and training"
                tally.add("error", "SAME_CONTENT", what, f"{path} (of {train.name})")


Entry = tuple[Record, Path]


def _alike(group: Sequence[Entry], key: Callable[[Path], object]) -> list[list[Entry]]:
    """Entries of equal key, where some are for training and some for testing."""
    found: dict[object, list[Entry]] = {}
    for entry in group:
        try:
            found.setdefault(key(entry[1]), []).append(entry)
        except OSError:  # a missing file is told elsewhere
            continue
    return [part for part in found.values() if _crosses(part)]


def _crosses(group: Iterable[Entry]) -> bool:
    return {"train", "test"} <= {record.split for record, _ in group}


def _size(path: Path) -> int:
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OSError(f"{path} is no regular file")  # to open a pipe would wait
    return state.st_size


def _ends(path: Path) -> bytes:
    with path.open("rb", buffering=0) as file:
        head = file.read(_PROBE)
        size = file.seek(0, 2)
        file.seek(max(size - _PROBE, 0))
        return head + file.read(_PROBE)


def _digest(path: Path) -> str:
    return digest_file(path)
