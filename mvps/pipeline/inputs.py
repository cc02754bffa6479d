"""The files that a stack is made from, and whether they are still what they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mvps.capture import Stack
from mvps.errors import ImageError
from mvps.files import digest_file


def input_states(stack: Stack) -> dict[Path, tuple[int, int]]:
    """Size and time of change of every file that shapes the maps, taken before it is read."""
    return {path: _state(path) for _, path, _ in _roles(stack)}


def describe_inputs(stack: Stack, before: dict[Path, tuple[int, int]]) -> list[dict[str, Any]]:
    """Role, path, page, size, time of change and digest of every file that shapes the maps.

    Raises
    ------
    ImageError
        A file is not what it was ``before`` it was read.
    """
    digests: dict[Path, str] = {}
    entries = []
    for role, path, page in _roles(stack):
        if path not in digests:
            digests[path] = digest_file(path)
        if _state(path) != before[path]:
            raise ImageError(path, "changed while it was read", "run again")
        entries.append(
            {
                "role": role,
                "path": str(path),
                "page": page,
                "bytes": before[path][0],
                "mtime_ns": before[path][1],
                "digest": digests[path],
            }
        )
    return entries


def same_inputs(stack: Stack, entries: Any) -> bool:
    """Whether the files of a stack are those of a record.

    Equal sizes and times of change settle it; a file that was copied or touched is read again and
    compared by its digest. Paths do not matter, so a capture may move.
    """
    if not isinstance(entries, list):
        return False
    roles = list(_roles(stack))
    if len(roles) != len(entries):
        return False
    return all(
        isinstance(entry, dict) and _same(role, path, page, entry)
        for (role, path, page), entry in zip(roles, entries, strict=True)
    )


def _same(role: str, path: Path, page: int, entry: dict[str, Any]) -> bool:
    if (role, page) != (entry.get("role"), entry.get("page")):
        return False
    size, time_ns = _state(path)
    if size != entry.get("bytes"):
        return False
    if time_ns == entry.get("mtime_ns"):
        return True
    return digest_file(path) == entry.get("digest")


def _state(path: Path) -> tuple[int, int]:
    state = path.stat()
    return state.st_size, state.st_mtime_ns


def _roles(stack: Stack) -> Iterator[tuple[str, Path, int]]:
    for ref in stack.images:
        yield "light", ref.path, ref.page
    for ref in stack.flats:
        yield "flat", ref.path, ref.page
    named = {"mask": stack.mask, "dark": stack.dark, "ambient": stack.ambient, "rgb": stack.rgb}
    for role, path in named.items():
        if path is not None:
            yield role, path, 0
    if stack.response and (curve := Path(stack.response)).is_file():
        yield "response", curve, 0
