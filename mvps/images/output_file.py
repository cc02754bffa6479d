"""The binary file under every writer: each byte lands, or one line says why it did not.

Python's unbuffered ``write`` may store less than it was given; here it is repeated until done.
"""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from mvps.errors import DiskFullError, MvpsError
from mvps.files import final_name


class RowSink(Protocol):
    """What turns rows of samples into a file of one format."""

    def write_rows(self, rows: NDArray[Any]) -> None:
        """Append rows, shape (n, W) or (n, W, C), of the dtype that the sink was opened with."""

    def finish(self) -> None:
        """Complete and close the file; every row must have arrived."""

    def abort(self) -> None:
        """Close and remove the file, whatever its state."""


def write_fault(path: Path, error: OSError) -> MvpsError:
    """The one-line error for a write that the operating system refused."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return DiskFullError(f"{final_name(path)}: no space left on the disk; free some")
    return MvpsError(f"{final_name(path)}: cannot be written ({error.strerror or error})")


class OutputFile:
    """A file opened for writing at a temporary path.

    Parameters
    ----------
    path : created, or emptied where it exists
    header : first bytes; where they do not fit, nothing is left of the file

    Raises
    ------
    MvpsError
        From every method: the disk is full, the folder is missing or not writable.
    """

    def __init__(self, path: Path, header: bytes = b"") -> None:
        self.path = path
        self.position = 0
        try:
            self._file = path.open("wb", buffering=0)
        except OSError as error:
            raise write_fault(path, error) from None
        try:
            self.write(header)
        except BaseException:
            self.abort()
            raise

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append all of ``data`` (C-contiguous)."""
        view = memoryview(data)
        # A view without elements cannot be cast.
        view = view.cast("B") if view.nbytes else memoryview(b"")
        try:
            while view.nbytes:
                count = self._file.write(view)
                self.position += count
                view = view[count:]
        except OSError as error:
            raise write_fault(self.path, error) from None

    def overwrite(self, position: int, data: bytes) -> None:
        """Replace bytes that were written before, such as an offset in a header."""
        end = self.position
        try:
            self._file.seek(position)
            self.write(data)
            self._file.seek(end)
        except OSError as error:
            raise write_fault(self.path, error) from None
        self.position = end

    def close(self) -> None:
        """Close; some file systems report a full disk only here."""
        try:
            self._file.close()
        except OSError as error:
            raise write_fault(self.path, error) from None

    def abort(self) -> None:
        """Close and remove the file; never raises, for it runs while another error travels."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink()
