"""Errors that a user can mend: one line that names the place, the fault and the remedy."""

from __future__ import annotations

from pathlib import Path


class MvpsError(Exception):
    """A fault that is reported in one line, without a traceback; ends the command with 1."""

    exit_code = 1


class InputError(MvpsError):
    """The user's input is at fault; ends the command with 2.

    Parameters
    ----------
    where : path, option or name that is at fault (a row as ``"file.txt, line 3"``)
    what : what is wrong
    remedy : what to do about it, optional
    code : short name of the fault, for checks that report it under a rule of theirs
    """

    exit_code = 2

    def __init__(self, where: str | Path, what: str, remedy: str = "", code: str = "") -> None:
        self.where = str(where)
        self.what = what
        self.remedy = remedy
        self.code = code
        text = f"{where}: {what}" + (f"; {remedy}" if remedy else "")
        super().__init__(" ".join(text.split()))


class ImageError(InputError):
    """An image file cannot be used: truncated, of the wrong size, or not an image."""


class DeviceError(MvpsError):
    """The device asked for is not there or cannot run the work."""

    exit_code = 2


class DiskFullError(MvpsError):
    """The disk takes no more; whatever comes next would fail as well."""


class MissingExtraError(MvpsError):
    """An optional dependency is not installed; the message names the extra."""

    exit_code = 2

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} is not installed; run: pip install 'mvps[{extra}]'")
