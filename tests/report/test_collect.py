"""What is collected from an output folder, whatever state a run or its user left it in."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from runs import manifest_line, record, write_stack

from mvps.errors import InputError
from mvps.report.collect import StackEntry, collect


def only(out: Path) -> StackEntry:
    (entry,) = collect(out).entries
    return entry


def folder_with(out: Path, text: str | bytes) -> Path:
    out.mkdir(exist_ok=True)
    (out / "stack.json").write_bytes(text.encode() if isinstance(text, str) else text)
    return out


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_stack(tmp_path, "part/top")

    entry = only(tmp_path)

    assert (entry.name, entry.folder, entry.status) == ("part/top", "part/top", "done")
    assert (entry.figures.valid_share, entry.figures.solved_share) == (0.75, 0.9375)
    assert (entry.figures.lights, entry.frames) == (3, ("dark", "mask"))
    assert entry.figures.seconds == 0.5
    assert entry.stages == {"read": 0.25, "solve": 0.125}
    assert entry.finished == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def test_a_stack_may_be_the_output_folder_itself(tmp_path: Path) -> None:
    folder_with(tmp_path, json.dumps(record(".")))
    (tmp_path / "manifest.jsonl").write_text(manifest_line("."))

    assert (only(tmp_path).status, only(tmp_path).folder) == ("done", ".")


def test_the_last_line_of_a_stack_counts(tmp_path: Path) -> None:
    write_stack(tmp_path, "a")
    write_stack(tmp_path, "b")
    failed = manifest_line("a", "failed", error="L1.tif: is truncated")
    ended = manifest_line("b", "failed", error="disk full")
    text = manifest_line("a") + ended + failed + manifest_line("b")
    (tmp_path / "manifest.jsonl").write_text(text)

    found = {entry.name: (entry.status, entry.reason) for entry in collect(tmp_path).entries}

    assert found == {"a": ("failed", "L1.tif: is truncated"), "b": ("done", "")}


def test_a_line_that_a_crash_cut_short_is_passed_over_and_counted(tmp_path: Path) -> None:
    text = manifest_line("a", "failed", error="no lights") + '{"stack": "b", "sta'
    (tmp_path / "manifest.jsonl").write_text(text)

    collection = collect(tmp_path)

    assert [entry.name for entry in collection.entries] == ["a"]
    assert collection.broken_lines == 1


def test_stacks_stand_in_natural_order(tmp_path: Path) -> None:
    lines = [manifest_line(f"part{n}", "failed", error="x") for n in (10, 2, 1)]
    (tmp_path / "manifest.jsonl").write_text("".join(lines))

    assert [entry.name for entry in collect(tmp_path).failed] == ["part1", "part2", "part10"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "damaged"),
        ('{"schema": 1, "figu', "damaged"),
        ("[" * 100_000, "damaged"),
        ("[1, 2]", "damaged"),
        ('{"name": "of another program"}', "not a record"),
        ('{"schema": 1, "figures": [3]}', "not a record"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_a_record_that_cannot_be_used_makes_the_stack_incomplete(
    tmp_path: Path, text: str | bytes, reason: str
) -> None:
    entry = only(folder_with(tmp_path, text))

    assert entry.status == "incomplete"
    assert reason in entry.reason


def test_maps_without_a_record_are_incomplete_also_while_they_are_written(tmp_path: Path) -> None:
    for folder, name in (("a", "normals.tif"), ("b", ".normals.png.123-7f.part")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(b"")

    entries = collect(tmp_path).entries

    assert [(e.name, e.status) for e in entries] == [("a", "incomplete"), ("b", "incomplete")]
    assert "interrupted" in entries[0].reason


def test_a_stack_in_the_manifest_whose_folder_is_gone_is_incomplete(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text(manifest_line("a"))

    assert (only(tmp_path).status, only(tmp_path).reason) == ("incomplete", "its folder is gone")


@pytest.mark.parametrize("folder", ["../elsewhere", "/etc", "a/../../b", "a\0b"])
def test_a_manifest_cannot_lead_out_of_the_folder(tmp_path: Path, folder: str) -> None:
    (tmp_path / "out").mkdir()
    write_stack(tmp_path, "elsewhere")
    (tmp_path / "out" / "manifest.jsonl").write_text(manifest_line("a", folder=folder))

    assert (only(tmp_path / "out").status, only(tmp_path / "out").folder) == ("incomplete", None)


@pytest.mark.parametrize(
    "value", ["NaN", "-Infinity", "-3", '"7"', "true", "null", "1" + "0" * 400]
)
def test_a_figure_that_is_no_figure_is_left_out(tmp_path: Path, value: str) -> None:
    text = json.dumps(record(residual_rms=12345.5)).replace("12345.5", value)

    entry = only(folder_with(tmp_path, text))

    assert entry.status == "done"
    assert entry.figures.residual_rms is None


def test_a_record_with_wrong_kinds_everywhere_is_still_a_stack(tmp_path: Path) -> None:
    wrong = dict.fromkeys(record(), 7) | {"schema": 1, "figures": {"pixels": 0, "valid": "all"}}

    entry = only(folder_with(tmp_path, json.dumps(wrong)))

    assert entry.status == "done"
    assert entry.figures.valid_share is None
    assert (entry.warnings, entry.options, entry.finished) == ((), {}, None)


def test_a_folder_without_a_trace_of_a_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.png").write_bytes(b"")

    with pytest.raises(InputError, match="holds nothing that mvps normals wrote"):
        collect(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        collect(tmp_path / "missing")
    with pytest.raises(InputError, match="not a folder"):
        collect(tmp_path / "holiday.png")
