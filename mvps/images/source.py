"""Bytes of an image file, and the one place where a decoder's failure becomes one line.

Every read is checked against the size of the file, so that a header cannot ask for more than is
there; whatever a codec raises leaves this room as an `ImageError` that names the file.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mvps.errors import ImageError, MvpsError

REWRITE = "copy or save the file again"


@contextlib.contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Turn any exception of the block into an `ImageError` for `path`; keep `MvpsError`."""
    try:
        yield
    except MvpsError:
        raise
    except FileNotFoundError:
        raise ImageError(path, "no such file", "check the name") from None
    except IsADirectoryError:
        raise ImageError(path, "is a folder, not an image", "name a file") from None
    except MemoryError:
        raise ImageError(path, "needs more memory than there is", "use a smaller image") from None
    except OSError as error:
        raise ImageError(path, f"cannot be read ({error.strerror or error})") from error
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise ImageError(path, f"is damaged ({reason[:120]})", REWRITE) from error


class Bytes(Protocol):
    """Random access to checked bytes; a file, or a block inside one."""

    path: Path
    size: int

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from `offset`; `ImageError` when they are not there."""
        ...


def _require(source: Bytes, offset: int, count: int) -> None:
    if offset < 0 or count < 0 or offset + count > source.size:
        raise ImageError(
            source.path,
            f"is truncated or damaged (bytes {offset} to {offset + count} of {source.size} wanted)",
            REWRITE,
        )


class Block:
    """Bytes held in memory, such as the EXIF block of a photograph."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path = path
        self.size = len(data)
        self._data = data

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from `offset`; `ImageError` when they are not there."""
        _require(self, offset, count)
        return self._data[offset : offset + count]


class SourceFile:
    """An open, unbuffered file that is read at absolute offsets; one per thread.

    Raises
    ------
    ImageError
        The file is missing, a folder, unreadable or empty.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with decoding(path):
            # Opening a pipe would wait for its other end.
            if not path.is_dir() and path.exists() and not path.is_file():
                raise ImageError(path, "is not a regular file", "name an image file")
            self._file = path.open("rb", buffering=0)
            self.size = self._file.seek(0, 2)
        if self.size == 0:
            self.close()
            raise ImageError(path, "is empty", REWRITE)

    def read(self, offset: int, count: int) -> bytes:
        """Exactly `count` bytes from `offset`; `ImageError` when they are not there."""
        _require(self, offset, count)
        data = np.empty(count, np.uint8)
        self.read_into(offset, data)
        return data.tobytes()

    def head(self, count: int) -> bytes:
        """The first bytes of the file, fewer when it is shorter."""
        return self.read(0, min(count, self.size))

    def read_into(self, offset: int, out: NDArray[Any]) -> None:
        """Fill a C-contiguous array from `offset` without a copy."""
        view = out.reshape(-1).view(np.uint8).data
        _require(self, offset, len(view))
        done = 0
        while done < len(view):
            got = self._read_at(offset + done, view[done:])
            if not got:
                raise ImageError(self.path, "became shorter while it was read", REWRITE)
            done += got

    def _read_at(self, offset: int, out: memoryview) -> int:
        # One call where the system has it: each may hand the interpreter to another thread.
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [out], offset)
        self._file.seek(offset)
        return self._file.readinto(out) or 0

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._file.close()

    def __enter__(self) -> SourceFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def check_size(path: Path, width: int, height: int, max_pixels: int) -> None:
    """Raise `ImageError` for an empty image or one above the limit, before anything is decoded."""
    if width < 1 or height < 1:
        raise ImageError(path, f"is damaged (its header says {width}x{height})", REWRITE)
    if width * height > max_pixels:
        raise ImageError(
            path,
            f"is {width}x{height}, above the limit of {max_pixels} pixels",
            "raise --max-pixels if the file is trusted",
        )


def check_page(path: Path, page: int, pages: int) -> None:
    """Raise `ImageError` unless `page` (from 0) exists."""
    if page >= pages:
        have = "1 page" if pages == 1 else f"{pages} pages"
        raise ImageError(path, f"has {have}, page {page} asked for", "pages count from 0")
