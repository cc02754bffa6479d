"""Folder listings, each folder scanned once, so that thousands of stacks are found quickly."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mvps.errors import InputError
from mvps.files import natural_key


@dataclass(frozen=True)
class Entries:
    """Names in a folder in natural order; ``links`` are those of ``folders`` that are symlinks."""

    files: tuple[str, ...]
    folders: tuple[str, ...]
    links: frozenset[str] = frozenset()


class Folders:
    """Listings that are kept for as long as one search runs."""

    def __init__(self) -> None:
        self._known: dict[Path, Entries] = {}

    def list(self, folder: Path) -> Entries:
        """Entries of a folder; InputError where it cannot be read."""
        if folder not in self._known:
            self._known[folder] = list_folder(folder)
        return self._known[folder]

    def list_if_there(self, folder: Path) -> Entries:
        """Entries of a folder, none where it does not exist."""
        return self.list(folder) if folder in self._known or folder.is_dir() else Entries((), ())


def list_folder(folder: Path) -> Entries:
    """Entries of a folder but for hidden ones; a broken symlink counts as a file.

    Raises
    ------
    InputError
        The folder cannot be read.
    """
    files, folders, links = [], [], []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if not entry.is_dir():
                    files.append(entry.name)
                    continue
                folders.append(entry.name)
                if entry.is_symlink():
                    links.append(entry.name)
    except OSError as error:
        raise InputError(folder, f"cannot be read ({error.strerror})") from None
    return Entries(
        tuple(sorted(files, key=natural_key)),
        tuple(sorted(folders, key=natural_key)),
        frozenset(links),
    )
