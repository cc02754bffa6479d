"""The one place that prints: data on stdout, messages and progress on stderr.

Rich drops colours and bars by itself off a terminal and where ``NO_COLOR`` is set.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

MIN_WIDTH = 60  # characters; a narrower table would drop figures, where a terminal wraps lines


@cache
def stdout() -> Console:
    """Console for results."""
    return _console(stderr=False)


@cache
def stderr() -> Console:
    """Console for messages, warnings and progress."""
    return _console(stderr=True)


def say(text: str) -> None:
    """One line for the reader, on stderr."""
    stderr().print(text, soft_wrap=True)


def warn(text: str) -> None:
    """One warning line, on stderr."""
    _labelled("warning", "yellow", text)


def error(text: str) -> None:
    """One error line, on stderr."""
    _labelled("error", "bold red", text)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    narrow = console.width < MIN_WIDTH
    if narrow:  # else the width goes on following the terminal's
        console.width = MIN_WIDTH
    return console


def _labelled(label: str, style: str, text: str) -> None:
    from rich.text import Text

    stderr().print(Text.assemble((f"{label}: ", style), text), soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout, nothing else."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")
    sys.stdout.flush()
