"""What a run left behind, read without trust: the manifest and the records of its stacks.

A record may be cut short, foreign or missing, and a name may hold anything; none of it stops the
report, it only makes a stack incomplete.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, Literal

from mvps.errors import InputError
from mvps.files import MANIFEST, RECORD, natural_key, read_text

_TRACES = ("normals.", ".normals.")  # a finished map, or one that was never finished

Status = Literal["done", "failed", "incomplete"]


@dataclass(frozen=True)
class Figures:
    """Numbers of one stack; None where its record does not say.

    Attributes
    ----------
    pixels, valid, masked, degenerate : of the maps
    residual_rms : over valid pixels, in units of albedo
    saturated_share, black_share : of the samples
    seconds : wall time of the stack
    """

    width: int | None = None
    height: int | None = None
    lights: int | None = None
    pixels: int | None = None
    valid: int | None = None
    written_valid: int | None = None
    masked: int | None = None
    degenerate: int | None = None
    mean_albedo: float | None = None
    residual_rms: float | None = None
    saturated_share: float | None = None
    black_share: float | None = None
    seconds: float | None = None

    @property
    def valid_share(self) -> float | None:
        """Share of the pixels of the maps that have a normal."""
        if not self.pixels or self.shown is None:
            return None
        return self.shown / self.pixels

    @property
    def shown(self) -> int | None:
        """Pixels of the maps that have a normal."""
        return self.valid if self.written_valid is None else self.written_valid

    @property
    def solved_share(self) -> float | None:
        """Share of the pixels inside the mask that have a normal."""
        wanted = (self.pixels or 0) - (self.masked or 0)
        return None if wanted <= 0 or self.valid is None else self.valid / wanted


@dataclass(frozen=True)
class StackEntry:
    """One stack as the report tells of it.

    Attributes
    ----------
    folder : relative to the output folder, with ``/``; None where the manifest names none in it
    reason : why it failed or is incomplete
    stages : wall seconds by stage
    frames : what took part beside the photographs: mask, dark, ambient, flat
    """

    name: str
    folder: str | None
    status: Status
    reason: str = ""
    warnings: tuple[str, ...] = ()
    figures: Figures = Figures()
    albedo_scale: float = 1.0
    stages: dict[str, float] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    device: dict[str, str] = field(default_factory=dict)
    frames: tuple[str, ...] = ()
    finished: datetime | None = None


@dataclass(frozen=True)
class Collection:
    """Every stack under an output folder, in natural order of their names.

    Attributes
    ----------
    broken_lines : lines of the manifest that are not whole, as a crash leaves them
    """

    out: Path
    entries: tuple[StackEntry, ...]
    broken_lines: int

    def _with(self, status: Status) -> tuple[StackEntry, ...]:
        return tuple(entry for entry in self.entries if entry.status == status)

    @property
    def done(self) -> tuple[StackEntry, ...]:
        """Stacks with a record that vouches for their maps."""
        return self._with("done")

    @property
    def failed(self) -> tuple[StackEntry, ...]:
        """Stacks whose last line in the manifest says failed."""
        return self._with("failed")

    @property
    def incomplete(self) -> tuple[StackEntry, ...]:
        """Stacks that left a trace but no record."""
        return self._with("incomplete")


def collect(out: Path) -> Collection:
    """Read what ``mvps normals`` left under ``out``.

    Raises
    ------
    InputError
        ``out`` is no folder, or holds no trace of a run.
    """
    if not out.is_dir():
        what = "is a file, not a folder" if out.exists() else "no such folder"
        raise InputError(out, what, "give what mvps normals wrote")
    lines, broken = _read_manifest(out / MANIFEST)
    keys = sorted(set(lines) | set(_folders_with_traces(out)), key=natural_key)
    if not keys:
        raise InputError(out, "holds nothing that mvps normals wrote", "give its output folder")
    entries = (_entry(out, key, lines.get(key)) for key in keys)
    return Collection(out, tuple(entries), broken)


def _read_manifest(path: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """Last line of each stack, by the stack's folder; and how many lines are no such line."""
    lines: dict[str, dict[str, Any]] = {}
    broken = 0
    try:
        with path.open("rb") as file:
            for raw in file:
                line = _json_object(raw.decode("utf-8", "replace"))
                if isinstance(line.get("stack"), str):
                    lines[_folder(line) or line["stack"]] = line
                elif raw.strip():
                    broken += 1
    except OSError:
        pass  # the folders speak for themselves
    return lines, broken


def _folder(line: dict[str, Any]) -> str | None:
    """Folder of a stack below the output; None where the line points out of it."""
    stated = line.get("folder")
    folder = stated if isinstance(stated, str) else line["stack"]
    outside = PurePath(folder).is_absolute() or ".." in PurePath(folder).parts or "\0" in folder
    return None if outside else PurePosixPath(folder).as_posix()


def _folders_with_traces(out: Path) -> Iterator[str]:
    for folder, _, names in os.walk(out):
        if any(name == RECORD or name.startswith(_TRACES) for name in names):
            yield Path(folder).relative_to(out).as_posix()


def _entry(out: Path, key: str, line: dict[str, Any] | None) -> StackEntry:
    folder = key if line is None else _folder(line)
    name = key if line is None else line["stack"]
    if line is not None and line.get("status") == "failed":
        reason = _text(line.get("error")) or "no reason was recorded"
        return StackEntry(name, folder, "failed", reason, _texts(line.get("warnings")))
    if folder is None:
        return StackEntry(name, None, "incomplete", "its maps are outside this folder")
    record, fault = _read_record(out / folder / RECORD)
    if record is None:
        return StackEntry(name, folder, "incomplete", fault)
    return _done(_text(record.get("stack")) or name, folder, record)


def _read_record(path: Path) -> tuple[dict[str, Any] | None, str]:
    """The record, or None and what is wrong with it."""
    if not path.parent.is_dir():
        return None, "its folder is gone"
    if not path.is_file():
        return None, f"no {RECORD}: it was interrupted, or is still under way"
    try:
        record = _json_object(read_text(path))
    except InputError as error:
        return None, f"{RECORD}: {error.what}"
    if not record:
        return None, f"{RECORD} is damaged"
    if not isinstance(record.get("schema"), int) or not isinstance(record.get("figures"), dict):
        return None, f"{RECORD} is not a record of mvps normals"
    return record, ""


def _done(name: str, folder: str, record: dict[str, Any]) -> StackEntry:
    roles = [_text(_mapping(item).get("role")) for item in _sequence(record.get("inputs"))]
    stages = _numbers(record.get("timings"))
    return StackEntry(
        name,
        folder,
        "done",
        warnings=_texts(record.get("warnings")),
        figures=_figures(record, roles.count("light"), stages.pop("total", None)),
        albedo_scale=_number(_mapping(record.get("outputs")).get("albedo_scale")) or 1.0,
        stages=stages,
        options=_mapping(record.get("options")),
        versions=_words(record.get("versions")),
        device=_words(record.get("device")),
        frames=tuple(sorted({role for role in roles if role not in ("", "light")})),
        finished=_moment(record.get("finished")),
    )


def _figures(record: dict[str, Any], lights: int, seconds: float | None) -> Figures:
    size, counted = _mapping(record.get("size")), _numbers(record["figures"])
    whole = {key: int(value) for key, value in counted.items() if value == int(value)}
    return Figures(
        width=_whole(size.get("width")),
        height=_whole(size.get("height")),
        lights=lights or None,
        pixels=whole.get("pixels"),
        valid=whole.get("valid"),
        written_valid=whole.get("written_valid"),
        masked=whole.get("masked"),
        degenerate=whole.get("degenerate"),
        mean_albedo=counted.get("mean_albedo"),
        residual_rms=counted.get("residual_rms"),
        saturated_share=counted.get("saturated_share"),
        black_share=counted.get("black_share"),
        seconds=seconds,
    )


def _json_object(text: str) -> dict[str, Any]:
    """The object that a text holds; empty where it holds something else."""
    try:
        return _mapping(json.loads(text))
    except (ValueError, RecursionError):
        return {}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in _sequence(value) if isinstance(item, str))


def _words(value: object) -> dict[str, str]:
    return {key: str(item) for key, item in _mapping(value).items() if item is not None}


def _number(value: object) -> float | None:
    """A finite, non-negative number; every figure of a record is one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # JSON knows integers that no float can hold.
    usable = 0 <= value < 1e300 and math.isfinite(value)
    return float(value) if usable else None


def _numbers(value: object) -> dict[str, float]:
    pairs = ((key, _number(item)) for key, item in _mapping(value).items())
    return {key: number for key, number in pairs if number is not None}


def _whole(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_text(value))
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
