"""Checks of the lights of a stack, in the words of its images."""

from __future__ import annotations

from collections.abc import Iterator

from mvps.capture.stack import Stack
from mvps.findings import Finding
from mvps.lights.checks import solvable


def check_lights(stack: Stack) -> Iterator[Finding]:
    """Findings on the light directions alone: whether normals can be solved under them."""
    yield from solvable(
        stack.lights,
        where=stack.lights.source or stack.name,
        images=[ref.path.name for ref in stack.images],
    )
