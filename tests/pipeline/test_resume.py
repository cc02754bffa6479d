"""What is done stays done, what is not is done again, and shards add up."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import bumps, write_diligent, write_image
from test_run import run

from mvps.capture import Overrides
from mvps.errors import InputError
from mvps.pipeline.options import Schedule, parse_shard


def statuses(raw: Path, out: Path, **options: object) -> dict[str, str]:
    return {result.stack: result.status for result in run(raw, out, **options)}  # type: ignore[arg-type]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    for name in "abc":
        write_diligent(tmp_path / "raw" / name, bumps(40, 30, seed=ord(name)))
    return tmp_path / "raw"


def manifest(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def test_a_second_run_has_nothing_to_do(raw: Path, tmp_path: Path) -> None:
    assert set(statuses(raw, tmp_path / "out").values()) == {"done"}
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")}

    assert set(statuses(raw, tmp_path / "out").values()) == {"skipped"}

    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*")} == before
    assert len(manifest(tmp_path / "out")) == 3


def test_overwrite_solves_again(raw: Path, tmp_path: Path) -> None:
    run(raw, tmp_path / "out")

    again = statuses(raw, tmp_path / "out", schedule=Schedule(overwrite=True))

    assert set(again.values()) == {"done"}


def test_only_what_changed_is_solved_again(raw: Path, tmp_path: Path) -> None:
    run(raw, tmp_path / "out")
    write_image(raw / "b" / "002.tif", bumps(40, 30, seed=9).images()[1])

    assert statuses(raw, tmp_path / "out") == {"a": "skipped", "b": "done", "c": "skipped"}


def test_touched_but_equal_images_are_not_solved_again(raw: Path, tmp_path: Path) -> None:
    run(raw, tmp_path / "out")
    os.utime(raw / "a" / "001.tif", ns=(1, 1))

    assert set(statuses(raw, tmp_path / "out").values()) == {"skipped"}


def test_other_options_lights_masks_and_curves_are_solved_again(raw: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    curve = tmp_path / "curve.txt"
    curve.write_text("0\n0.4\n1\n")
    run(raw, out)

    assert set(statuses(raw, out, quality=True).values()) == {"done"}
    bits = Overrides(bits=12, align="right")
    assert set(statuses(raw, out, quality=True, overrides=bits).values()) == {"done"}
    bent = Overrides(response=str(curve))
    assert set(statuses(raw, out, overrides=bent).values()) == {"done"}
    assert set(statuses(raw, out, overrides=bent).values()) == {"skipped"}
    curve.write_text("0\n0.5\n1\n")
    assert set(statuses(raw, out, overrides=bent).values()) == {"done"}
    text = (raw / "a" / "light_directions.txt").read_text().splitlines()
    (raw / "a" / "light_directions.txt").write_text("\n".join([*text[1:], text[0]]))
    assert statuses(raw, out, overrides=bent)["a"] == "done"


@pytest.mark.parametrize("damage", ["missing map", "short map", "bad record", "foreign record"])
def test_damaged_results_are_solved_again(raw: Path, tmp_path: Path, damage: str) -> None:
    run(raw, tmp_path / "out")
    folder = tmp_path / "out" / "b"
    whole = (folder / "normals.tif").read_bytes()
    if damage == "missing map":
        (folder / "albedo.tif").unlink()
    elif damage == "short map":
        (folder / "normals.tif").write_bytes(whole[:-10])
    else:
        (folder / "stack.json").write_text('{"half' if damage == "bad record" else "[1]")

    assert statuses(raw, tmp_path / "out") == {"a": "skipped", "b": "done", "c": "skipped"}
    assert (folder / "normals.tif").read_bytes() == whole


def test_a_stack_that_failed_is_tried_again(raw: Path, tmp_path: Path) -> None:
    image = (raw / "c" / "003.tif").read_bytes()
    (raw / "c" / "003.tif").write_bytes(image[:500])
    run(raw, tmp_path / "out")
    (raw / "c" / "003.tif").write_bytes(image)

    assert statuses(raw, tmp_path / "out") == {"a": "skipped", "b": "skipped", "c": "done"}
    last = {line["stack"]: line["status"] for line in manifest(tmp_path / "out")}
    assert last == {"a": "done", "b": "done", "c": "done"}


def test_a_manifest_cut_by_a_crash_is_completed(raw: Path, tmp_path: Path) -> None:
    run(raw, tmp_path / "out")
    path = tmp_path / "out" / "manifest.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[1][:20])

    run(raw, tmp_path / "out")

    kept = []
    for line in path.read_text().splitlines():
        try:
            kept.append(json.loads(line)["stack"])
        except ValueError:
            continue
    assert sorted(kept) == ["a", "b", "c"]


def test_leftovers_of_a_dead_process_are_removed(raw: Path, tmp_path: Path) -> None:
    dead, living = ".normals.tif.999999999-1.part", f".normals.tif.{os.getppid()}-1.part"
    (tmp_path / "out" / "a").mkdir(parents=True)
    for name in (dead, living):
        (tmp_path / "out" / "a" / name).write_text("half")

    run(raw, tmp_path / "out")

    assert [path.name for path in (tmp_path / "out" / "a").glob(".*")] == [living]


def test_shards_are_exactly_the_whole(raw: Path, tmp_path: Path) -> None:
    for name in "defghij":
        write_diligent(raw / name, bumps(20, 20, seed=ord(name)))
    run(raw, tmp_path / "whole")

    parts = [
        statuses(raw, tmp_path / "parts", schedule=Schedule(shard=(index, 3)))
        for index in (1, 2, 3)
    ]

    names = [name for part in parts for name in part]
    assert sorted(names) == sorted("abcdefghij")
    assert all(parts)
    for name in names:
        whole, part = (tmp_path / kind / name / "normals.tif" for kind in ("whole", "parts"))
        assert whole.read_bytes() == part.read_bytes()


@given(st.text(max_size=30), st.integers(1, 20))
def test_a_stack_is_in_one_shard(name: str, parts: int) -> None:
    assert sum(Schedule(shard=(index + 1, parts)).takes(name) for index in range(parts)) == 1


@pytest.mark.parametrize("text", ["", "1", "0/2", "3/2", "a/b", "-1/2", "1/0", "1/2/3"])
def test_a_shard_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--shard"):
        Schedule(shard=parse_shard(text))


def test_what_shapes_no_map_solves_nothing_again(raw: Path, tmp_path: Path) -> None:
    curve = tmp_path / "curve.txt"
    curve.write_text("0\n0.4\n1\n")
    run(raw, tmp_path / "out", overrides=Overrides(response=str(curve)))
    moved = curve.rename(tmp_path / "moved.txt")

    again = statuses(
        raw, tmp_path / "out", overrides=Overrides(response=str(moved)), max_pixels=10**6
    )

    assert set(again.values()) == {"skipped"}


def test_files_that_mvps_did_not_write_are_left_alone(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "a").mkdir(parents=True)
    foreign = tmp_path / "out" / "a" / "normals.exr"
    foreign.write_text("somebody's own")

    run(raw, tmp_path / "out")

    assert foreign.read_text() == "somebody's own"


def test_an_image_that_changes_while_it_is_read_fails_its_stack(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mvps.pipeline import stream

    solved = stream._stream

    def stream_and_replace(source, problem, sink, *others, **more):  # type: ignore[no-untyped-def]
        figures = solved(source, problem, sink, *others, **more)
        if sink.folder.name == "b":
            write_image(raw / "b" / "002.tif", bumps(40, 30, seed=7).images()[1])
        return figures

    monkeypatch.setattr(stream, "_stream", stream_and_replace)

    found = {result.stack: result for result in run(raw, tmp_path / "out")}

    assert [found[name].status for name in "abc"] == ["done", "failed", "done"]
    assert "002.tif: changed while it was read" in found["b"].error
    assert not list((tmp_path / "out" / "b").iterdir())


def test_latency_gives_the_same_maps(raw: Path, tmp_path: Path) -> None:
    run(raw, tmp_path / "a")
    run(raw, tmp_path / "b", schedule=Schedule(latency=True))

    for name in "abc":
        first, second = (
            np.fromfile(tmp_path / kind / name / "normals.tif", np.uint8) for kind in "ab"
        )
        assert np.array_equal(first, second)
