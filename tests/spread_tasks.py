"""Work for other processes: it has to stand in a module that they can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from mvps.errors import DiskFullError, InputError


def square(number: int) -> int:
    if number < 0:
        raise InputError("number", f"{number} is negative", "give another")
    return number * number


def process(_: int) -> int:
    time.sleep(0.2)
    return os.getpid()


def die(_: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def fill(_: int) -> int:
    raise DiskFullError("disk: no space left on the disk; free some")


def wait(folder: Path) -> int:
    (folder / f"{os.getpid()}.pid").touch()
    time.sleep(60)
    return 0
