"""Features on disk, so that every image passes the encoder once, whatever is trained on them.

A file holds the tokens of one image, half precision, named by the digest of all that decides them:
encoder weights, layers, preprocessing and the bytes of the image. Several processes may share a
cache: files appear whole or not at all, and two that hold the same name hold the same tokens.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mvps.errors import InputError
from mvps.files import atomic_path, cache_folder, digest_file

ENDING = ".npy"
RESERVE = 2 << 30  # bytes of the disk that are left to others
GIB = 1 << 30
DEFAULT_BUDGET = 50 * GIB

Tokens = NDArray[np.float16]


@dataclass(frozen=True)
class CacheUse:
    """What a cache holds.

    Attributes
    ----------
    folder : of the cache
    files, size : number of images and bytes
    """

    folder: Path
    files: int
    size: int


def default_folder() -> Path:
    """Folder of the feature cache."""
    return cache_folder("features")


class FeatureCache:
    """Tokens by key, in a folder that never grows past its budget.

    Parameters
    ----------
    folder : created when the first tokens are kept
    budget : bytes that all its files may take; tokens past it are not kept
    """

    def __init__(self, folder: Path, budget: int = DEFAULT_BUDGET) -> None:
        self.folder = folder
        self.budget = budget
        self._lock = threading.Lock()
        self._used = usage(folder).size

    def room(self) -> int:
        """Bytes that may still be kept: of the budget, and of the disk."""
        place = next(p for p in (self.folder, *self.folder.parents) if p.exists())
        free = shutil.disk_usage(place).free - RESERVE
        return max(min(self.budget - self._used, free), 0)

    def holds(self, key: str) -> bool:
        """Whether there are tokens of a key."""
        return self._path(key).is_file()

    def get(self, key: str) -> Tokens | None:
        """Tokens of a key, (L, N, D) float16, or None; a damaged file counts as none."""
        path = self._path(key)
        try:
            tokens = np.load(path, allow_pickle=False)
            os.utime(path)  # pruning drops what was not used for longest
        except FileNotFoundError:
            return None
        except (OSError, ValueError, EOFError):
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        return tokens if tokens.dtype == np.float16 and tokens.ndim == 3 else None

    def put(self, key: str, tokens: Tokens) -> bool:
        """Keep tokens (L, N, D) float16; False where the budget or the disk has no room."""
        path = self._path(key)
        if path.exists():
            return True
        with self._lock:
            if tokens.nbytes > self.room():
                return False
            self._used += tokens.nbytes
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, tokens, allow_pickle=False)
        except OSError:  # the features can be had again; a full disk must not end the training
            with self._lock:
                self._used -= tokens.nbytes
            return False
        return True

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / (key + ENDING)


def content_digest(image: Path) -> str:
    """Digest of an image's bytes.

    Raises
    ------
    InputError
        The image cannot be read.
    """
    try:
        return digest_file(image)
    except OSError as error:
        raise InputError(image, f"cannot be read ({error.strerror})") from None


def feature_key(content: str, *parts: str) -> str:
    """Name of the features of an image: digest of its bytes' digest and whatever else decides."""
    return hashlib.sha256("\n".join((content, *parts)).encode()).hexdigest()


def usage(folder: Path) -> CacheUse:
    """Files and bytes of a cache."""
    sizes = [state.st_size for _, state in _files(folder)]
    return CacheUse(folder, len(sizes), sum(sizes))


def prune(folder: Path, keep: int) -> CacheUse:
    """Drop the features that were not used for longest until at most ``keep`` bytes remain.

    Returns
    -------
    what was dropped
    """
    files = sorted(_files(folder), key=lambda entry: entry[1].st_mtime_ns)
    excess = sum(state.st_size for _, state in files) - keep
    dropped = size = 0
    for path, state in files:
        if excess - size <= 0:
            break
        with contextlib.suppress(OSError):  # another process may have been quicker
            path.unlink()
            dropped, size = dropped + 1, size + state.st_size
    return CacheUse(folder, dropped, size)


def _files(folder: Path) -> list[tuple[Path, os.stat_result]]:
    found = []
    for path in folder.glob(f"[0-9a-f][0-9a-f]/*{ENDING}"):
        with contextlib.suppress(OSError):
            found.append((path, path.stat()))
    return found
