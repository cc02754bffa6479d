"""Finding image files that are copies of each other, reading as little of them as will do.

Two exposures never agree in every byte; two equal files mean that one light was photographed twice
or copied over another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

from mvps.files import sha256_file

SAMPLES = 64
SAMPLE_BYTES = 1024


def identical_files(paths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Pairs of files with the same bytes, each copy with the first of its kind, in the order given.

    Sizes are compared first, then a block from the middle, then 64 KiB spread over the file, and
    whole digests of what is left.
    """
    keys: tuple[Callable[[Path], Hashable], ...] = (_size, _middle, _sampled_digest, sha256_file)
    groups: Iterable[list[Path]] = [list(paths)]
    for key in keys:
        groups = [part for group in groups for part in _split(group, key)]
    return [(group[0], copy) for group in groups for copy in group[1:]]


def _split(group: list[Path], key: Callable[[Path], Hashable]) -> list[list[Path]]:
    parts: dict[Hashable, list[Path]] = {}
    for path in group:
        parts.setdefault(key(path), []).append(path)
    return [part for part in parts.values() if len(part) > 1]


def _size(path: Path) -> int:
    return path.stat().st_size


def _middle(path: Path) -> bytes:
    with path.open("rb", buffering=0) as file:
        file.seek(_size(path) // 2)
        return file.read(SAMPLE_BYTES)


def _sampled_digest(path: Path) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        step = max(1, (_size(path) - SAMPLE_BYTES) // (SAMPLES - 1))
        for i in range(SAMPLES):
            file.seek(i * step)
            digest.update(file.read(SAMPLE_BYTES))
    return digest.digest()
