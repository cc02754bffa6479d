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


@cache
def stdout() -> Console:
    """Console for results."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


@cache
def stderr() -> Console:
    """Console for messages, warnings and progress."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def say(text: str) -> None:
    """One line for the reader, on stderr."""
    stderr().print(text, soft_wrap=True)


def warn(text: str) -> None:
    """One warning line, on stderr."""
    _labelled("warning", "yellow", text)


def error(text: str) -> None:
    """One error line, on stderr."""
    _labelled("error", "bold red", text)


def _labelled(label: str, style: str, text: str) -> None:
    from rich.text import Text

    stderr().print(Text.assemble((f"{label}: ", style), text), soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout, nothing else."""
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")
    sys.stdout.flush()
