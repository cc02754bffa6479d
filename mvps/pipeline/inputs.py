"""The files that a stack is made from, and whether they are still what they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mvps.capture import Stack
from mvps.files import digest_file


def describe_inputs(stack: Stack) -> list[dict[str, Any]]:
    """Role, path, page, size, time of change and digest of every file that shapes the maps."""
    digests: dict[Path, str] = {}
    entries = []
    for role, path, page in _roles(stack):
        if path not in digests:
            digests[path] = digest_file(path)
        state = path.stat()
        entries.append(
            {
                "role": role,
                "path": str(path),
                "page": page,
                "bytes": state.st_size,
                "mtime_ns": state.st_mtime_ns,
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
    state = path.stat()
    if state.st_size != entry.get("bytes"):
        return False
    if state.st_mtime_ns == entry.get("mtime_ns"):
        return True
    return digest_file(path) == entry.get("digest")


def _roles(stack: Stack) -> Iterator[tuple[str, Path, int]]:
    for ref in stack.images:
        yield "light", ref.path, ref.page
    for ref in stack.flats:
        yield "flat", ref.path, ref.page
    for role, path in (("mask", stack.mask), ("dark", stack.dark), ("ambient", stack.ambient)):
        if path is not None:
            yield role, path, 0
    if stack.response and (curve := Path(stack.response)).is_file():
        yield "response", curve, 0
