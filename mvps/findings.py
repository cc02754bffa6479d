"""Finding: what a check found, of a stack, of a camera or of a set of lights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """What a check found: an error makes the result wrong, a warning makes it poor.

    Attributes
    ----------
    level : "error" or "warning"
    code : short name of the check, for programs
    message : one line that names the file
    """

    level: Literal["error", "warning"]
    code: str
    message: str
