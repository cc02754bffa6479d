"""From one command to maps and lists that others read, with no hand work between."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rendered_set import read_list
from running import mvps, only_error

from mvps.datasets import read_dataset, read_record_normals

pytest.importorskip("mitsuba", reason="rendering needs the extra 'synth'")

WORDS = (
    *("--categories", "block", "--normal", 3, "--defective", 2, "--defects", "dent,discoloration"),
    *("--views", 2, "--size", 112, "--samples", 4, "--raw", 2, "--truth", "--seed", 5),
)


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rendered") / "set"
    result = mvps("synth", "dataset", root, *WORDS, "--workers", 1, "--json")
    assert result.returncode == 0, result.stderr
    (row,) = json.loads(result.stdout)["rows"]
    assert (row["train"], row["test_normal"], row["test_defective"]) == (2, 1, 2)
    return root


def test_lists_name_files_of_one_size_for_training_and_testing(rendered: Path) -> None:
    train, test = (read_list(rendered, "block", part) for part in ("train", "test"))
    assert len(train) == 2 * 2
    assert len(test) == 3 * 2
    assert {row.entry["anomaly_class"] for row in train} == {"OK"}
    assert {row.entry["anomaly_class"] for row in test} == {"OK", "dent", "discoloration"}
    for row in train + test:
        assert row.rgb.shape == row.normals.shape == (112, 112, 3)
        lengths = np.linalg.norm(row.normals, axis=2)
        assert np.abs(lengths - 1).max() < 0.01  # 8 bits
        assert row.normals[..., 2].mean() > 0.5  # towards the camera


def test_every_defect_is_marked_in_some_view_and_nothing_of_sound_parts_is(
    rendered: Path,
) -> None:
    for part in ("train", "test"):
        for row in read_list(rendered, "block", part):
            assert (row.mask is None) == (row.entry["anomaly_class"] == "OK")
            assert (row.entry["defects"] == []) == (row.mask is None)
    defective = [row for row in read_list(rendered, "block", "test") if row.mask is not None]
    for sample in {row.entry["sample"] for row in defective}:
        masks = [row.mask for row in defective if row.entry["sample"] == sample]
        assert {int(value) for mask in masks for value in np.unique(mask)} <= {0, 255}
        assert max((mask > 0).sum() for mask in masks) >= 24


def test_a_dent_shows_in_the_normals_and_a_stain_does_not(rendered: Path) -> None:
    angles = {}
    for row in read_list(rendered, "block", "test"):
        if row.mask is None or (row.mask > 0).sum() < 24:
            continue
        inside = row.mask > 0
        middle = np.median(row.normals[inside], axis=0)
        spread = np.linalg.norm(row.normals[inside] - middle, axis=1)
        angles.setdefault(row.entry["anomaly_class"], []).append(np.percentile(spread, 90))
    assert max(angles["dent"]) > 2 * max(angles["discoloration"])


def test_raw_stacks_are_solved_and_judged_with_no_hand_work(rendered: Path, tmp_path: Path) -> None:
    done = mvps("normals", rendered / "raw" / "block", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    stacks = {result["stack"] for result in json.loads(done.stdout)["results"]}
    assert stacks == {"S0001/top", "S0001/front", "S0004/top", "S0004/front"}
    truth = rendered / "truth" / "block"
    judged = mvps("evaluate", "normals", tmp_path / "out", "--truth", truth, "--json")
    assert judged.returncode == 0, judged.stderr
    for comparison in json.loads(judged.stdout):
        # Shot noise of 10500 electrons and a plastic's gloss; without either it is below 0.05.
        assert comparison["median"] < 6, comparison["stack"]


def test_maps_of_the_set_are_those_that_mvps_normals_makes_of_its_stacks(
    rendered: Path, tmp_path: Path
) -> None:
    raw = rendered / "raw" / "block"
    mvps("normals", raw, tmp_path, "--format", "png8", "--no-preview")
    import cv2

    (row,) = [
        row
        for row in read_list(rendered, "block", "train")
        if (row.entry["sample"], row.entry["view"]) == ("S0001", "C1")
    ]
    again = cv2.imread(str(tmp_path / "S0001" / "top" / "normals.png"))[..., ::-1]
    assert np.abs((row.normals + 1) * 127.5 - again).max() <= 1


def test_the_reader_of_data_sets_takes_it_as_it_is(rendered: Path) -> None:
    found = read_dataset(rendered)
    assert [finding.message for finding in found.findings] == []
    for part in ("train", "test"):
        rows = read_list(rendered, "block", part)
        records = {(r.sample, r.view): r for r in found.records if r.split == part}
        assert len(records) == len(rows)
        for row in rows:
            view = {"C1": "top", "C2": "front"}[row.entry["view"]]
            record = records[row.entry["sample"], view]
            assert record.label == (row.entry["anomaly_class"] != "OK")
            normals, valid = read_record_normals(record)
            assert valid.all()
            assert np.abs(normals - row.normals).max() < 0.01


def test_the_sheet_and_the_records_of_every_picture_are_there(rendered: Path) -> None:
    assert (rendered / "contact.png").stat().st_size > 10_000
    for path in (rendered / "records" / "block").glob("*.json"):
        record = json.loads(path.read_text())
        assert [view["faults"] for view in record["views"].values()] == [[], []]
        for view in record["views"].values():
            assert len(view["histograms"]["lights"]) == 4


def test_a_seed_gives_the_same_bytes_with_any_number_of_processes(
    rendered: Path, tmp_path: Path
) -> None:
    result = mvps("synth", "dataset", tmp_path / "set", *WORDS, "--workers", 2)
    assert result.returncode == 0, result.stderr
    assert digests(tmp_path / "set") == digests(rendered)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
def test_a_killed_run_ends_in_the_same_bytes(rendered: Path, tmp_path: Path) -> None:
    root = tmp_path / "set"
    words = [sys.executable, "-m", "mvps", "synth", "dataset", root, *WORDS, "--workers", 1]
    run = subprocess.Popen([str(word) for word in words], stderr=subprocess.DEVNULL)
    end = time.monotonic() + 110
    while not list((root / "block").glob("OK/*/*PS*")) and time.monotonic() < end:
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    unfinished = len(list((root / "records").rglob("*.json")))
    assert unfinished < 5
    os.truncate(next((root / "block").rglob("*PS*")), 100)  # as a crash of the machine may leave it
    again = mvps("synth", "dataset", root, *WORDS, "--workers", 1)
    assert again.returncode == 0, again.stderr
    assert digests(root) == digests(rendered)


def test_a_finished_set_is_not_rendered_again(rendered: Path) -> None:
    before = digests(rendered)
    result = mvps("synth", "dataset", rendered, *WORDS)
    assert result.returncode == 0
    assert "0 rendered" in result.stderr
    assert digests(rendered) == before


def test_the_options_in_the_set_render_it_again(rendered: Path) -> None:
    result = mvps("synth", "dataset", rendered, "--config", rendered / "dataset.yml")
    assert result.returncode == 0, result.stderr
    assert "0 rendered" in result.stderr


def test_a_folder_of_other_options_is_refused(rendered: Path) -> None:
    result = mvps("synth", "dataset", rendered, *WORDS, "--seed", 6)
    assert result.returncode == 2
    assert "was rendered with seed 5, not 6" in only_error(result)
