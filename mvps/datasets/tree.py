"""A data folder that is listed once and never left: no symlink, absolute path or ``..`` leads out.

Folders are listed when they are asked for; whether a file is there is then known without asking the
disk again, which is what makes a hundred thousand files quick.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mvps.errors import InputError
from mvps.files import natural_key

MAX_DEPTH = 12  # folders below the root


@dataclass(frozen=True)
class Listing:
    """Names in one folder, in natural order, without hidden ones.

    Attributes
    ----------
    files, folders : names; a symlink to a folder is neither
    known : the files as a set
    """

    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()


class Tree:
    """Files below a folder.

    Parameters
    ----------
    root : the data folder; may itself be a symlink, for the user named it

    Raises
    ------
    InputError
        There is no such folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            what = "is no folder" if root.exists() else "no such folder"
            raise InputError(root, what, "name the folder of a data set")
        self.root = root
        self._real = root.resolve()
        self._known: dict[str, Listing] = {}

    @property
    def name(self) -> str:
        """Name of the data folder."""
        return self._real.name

    def list(self, folder: str = "") -> Listing:
        """Listing of a folder, named from the root with slashes; empty where there is none.

        Raises
        ------
        InputError
            It cannot be read, or holds a symlink that leads out of the data folder.
        """
        found = self._known.get(folder)
        if found is None:
            above, _, name = folder.rpartition("/")
            there = not folder or name in self.list(above).folders
            found = self._known[folder] = self._read(folder) if there else Listing()
        return found

    def has(self, file: str) -> bool:
        """Whether there is a file, named from the root with slashes."""
        folder, _, name = file.rpartition("/")
        return name in self.list(folder).known

    def has_folder(self, folder: str) -> bool:
        """Whether there is a folder, named from the root with slashes."""
        above, _, name = folder.rpartition("/")
        return name in self.list(above).folders

    def path(self, file: str) -> Path:
        """Path of a file or folder that is named from the root."""
        return self.root / file

    def walk(self, folder: str = "", depth: int = MAX_DEPTH) -> Iterator[str]:
        """All files below a folder, named from the root."""
        listing = self.list(folder)
        prefix = f"{folder}/" if folder else ""
        for name in listing.files:
            yield prefix + name
        if depth:
            for name in listing.folders:
                yield from self.walk(prefix + name, depth - 1)

    def _read(self, folder: str) -> Listing:
        files, folders = [], []
        try:
            with os.scandir(self.root / folder) as entries:
                for entry in entries:
                    if entry.name.startswith("."):
                        continue
                    if entry.is_symlink():
                        self._check_link(Path(entry.path))
                        if not entry.is_dir():
                            files.append(entry.name)
                    elif entry.is_dir():
                        folders.append(entry.name)
                    else:
                        files.append(entry.name)
        except OSError as error:
            where = self.root / folder
            raise InputError(where, f"cannot be read ({error.strerror})") from None
        return Listing(
            tuple(sorted(files, key=natural_key)),
            tuple(sorted(folders, key=natural_key)),
            frozenset(files),
        )

    def _check_link(self, path: Path) -> None:
        try:
            real = path.resolve()
        except (OSError, RuntimeError):
            raise InputError(path, "is a symlink that leads nowhere", "remove it") from None
        if not real.is_relative_to(self._real):
            raise InputError(
                path,
                "is a symlink out of the data folder",
                "copy what it points to, or name that folder itself",
            )


def below(text: object, where: str) -> str:
    """A relative path that a file states, with its dots and doubled slashes taken out.

    Parameters
    ----------
    text : as it stands in the file
    where : the place, for messages

    Raises
    ------
    InputError
        No text, empty, absolute, or with a ``..``, a backslash, a drive or a control character.
    """
    if not isinstance(text, str) or not text.strip():
        raise InputError(where, "is no path", "write a path below the data folder")
    if text.startswith("/") or "\\" in text or text[1:2] == ":":
        raise InputError(where, f"{text[:80]!r} is absolute", "write a path below the data folder")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise InputError(where, f"{text[:80]!r} leads out of the data folder", "drop the ..")
    if not parts or not text.isprintable() or len(text) > 1024:
        raise InputError(where, "is no path", "write a path below the data folder")
    return "/".join(parts)
