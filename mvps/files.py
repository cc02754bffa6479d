"""Names, digests and atomic writes: how mvps treats the file system."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mvps.errors import InputError

RECORD = "stack.json"  # what a stack leaves beside its maps
MANIFEST = "manifest.jsonl"  # what a run leaves beside its stacks
MAX_TEXT_BYTES = 16 << 20
DIGEST_CHUNK = 1 << 20
_DIGITS = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts ``2.png`` before ``10.png``; case decides only between equals."""
    parts = (
        (0, int(part), part) if part.isdecimal() else (1, 0, part.casefold())
        for part in _DIGITS.split(name)
        if part
    )
    return (*parts, (2, 0, name))


def read_text(path: Path) -> str:
    """Whole text file as UTF-8, with or without a BOM; every line end becomes a line feed.

    Raises
    ------
    InputError
        The file is missing, a folder, larger than 16 MiB or not text.
    """
    try:
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):
            raise InputError(path, "is not a regular file", "name a text file")
        if state.st_size > MAX_TEXT_BYTES:
            raise InputError(path, "larger than 16 MiB, so not a text file of this kind")
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(path, "no such file", "check the name") from None
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(path, f"not UTF-8 text (byte {error.start})", "save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_file(path: Path) -> str:
    """Digest of a file's bytes, ``xxh3_128:`` and 32 hexadecimal digits.

    It tells whether a file is the same, at the speed of memory; it is no seal against forgery.
    """
    import xxhash

    digest = xxhash.xxh3_128()
    buffer = memoryview(bytearray(DIGEST_CHUNK))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
    return f"xxh3_128:{digest.hexdigest()}"


def temporary_name(final: Path) -> Path:
    """Hidden name beside ``final``, unique to this process and thread."""
    return final.with_name(f".{final.name}.{os.getpid()}-{threading.get_ident():x}.part")


def final_name(path: Path) -> Path:
    """The name that a temporary file is meant to bear; any other path as it is."""
    if path.name.startswith(".") and path.name.endswith(".part"):
        return path.with_name(path.name[1:].removesuffix(".part").rpartition(".")[0])
    return path


@contextlib.contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Temporary path that takes the final name when the block succeeds and vanishes when it fails.

    A file never bears its final name half-written.
    """
    temporary = temporary_name(final)
    try:
        yield temporary
        temporary.replace(final)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically; ASCII, since a file name need not be UTF-8; refuses NaN."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def make_folder(folder: Path) -> None:
    """Make a folder for output, and those above it, unless it is there.

    Raises
    ------
    InputError
        It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"cannot be made ({error.strerror})"
        raise InputError(folder, what, "name a folder that can be written") from None


def make_place(path: Path) -> None:
    """Make the folder of a file for output, before any work is spent on what it will hold.

    Raises
    ------
    InputError
        The folder cannot be made, or the file is a folder.
    """
    make_folder(path.parent)
    if path.is_dir():
        raise InputError(path, "is a folder", "name a file")


def cache_folder(name: str) -> Path:
    """Folder for what can be made or fetched again: ``$MVPS_CACHE`` or ``~/.cache/mvps``."""
    base = os.environ.get("MVPS_CACHE")
    if base:
        return Path(base) / name
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mvps" / name


def append_line(path: Path, line: str) -> None:
    """Append one line in a single write, so that concurrent writers never interleave."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        data = (line + "\n").encode("utf-8")
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)
