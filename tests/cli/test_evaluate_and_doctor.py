"""``mvps evaluate normals`` and ``mvps doctor`` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from running import mvps, only_error
from scenes import bumps, write_diligent, write_image


def solved(tmp_path: Path, *words: str) -> tuple[Path, np.ndarray]:
    """A solved capture and its true normals."""
    scene = bumps(64, 48)
    write_diligent(tmp_path / "raw", scene)
    assert mvps("normals", tmp_path / "raw", tmp_path / "out", *words).returncode == 0
    np.save(tmp_path / "truth.npy", scene.normals.astype(np.float32))
    return tmp_path / "out", scene.normals


def test_a_known_turn_is_measured_and_drawn(tmp_path: Path) -> None:
    out, truth = solved(tmp_path)
    angle = np.radians(3.0)
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    np.save(tmp_path / "truth.npy", (truth @ turn.T).astype(np.float32))

    result = mvps("evaluate", "normals", out, "--truth", tmp_path / "truth.npy", "--json")
    (entry,) = json.loads(result.stdout)

    # A turn by 3 degrees about x moves a normal by at most that, less near the axis.
    expected = np.degrees(np.arccos(np.clip((truth * (truth @ turn.T)).sum(-1), -1, 1)))
    assert entry["mean"] == pytest.approx(expected.mean(), abs=2e-3)
    assert entry["max"] == pytest.approx(expected.max(), abs=5e-3)
    assert entry["count"] == 64 * 48
    picture = cv2.imread(entry["picture"])
    assert picture.shape[0] >= 64


def test_the_table_names_the_stack_and_the_picture(tmp_path: Path) -> None:
    out, _ = solved(tmp_path)

    result = mvps("evaluate", "normals", out, "--truth", tmp_path / "truth.npy")

    assert result.returncode == 0
    assert "mean" in result.stdout
    assert "0.00" in result.stdout
    assert "error.png" in result.stderr.replace("\n", "")


def test_a_region_of_interest_is_compared_with_its_part_of_the_truth(tmp_path: Path) -> None:
    out, _ = solved(tmp_path, "--roi", "5,7,30,40")

    (entry,) = json.loads(
        mvps("evaluate", "normals", out, "--truth", tmp_path / "truth.npy", "--json").stdout
    )

    assert entry["count"] == 30 * 40
    assert entry["max"] < 0.01


def test_a_mask_limits_what_is_judged(tmp_path: Path) -> None:
    out, _ = solved(tmp_path)
    mask = np.zeros((64, 48), np.uint8)
    mask[:10] = 1
    write_image(tmp_path / "mask.png", mask)

    (entry,) = json.loads(
        mvps(
            "evaluate",
            "normals",
            out / "normals.tif",
            "--truth",
            tmp_path / "truth.npy",
            "--mask",
            tmp_path / "mask.png",
            "--json",
        ).stdout
    )

    assert entry["count"] == 480


@pytest.mark.parametrize(
    ("truth", "words", "fault"),
    [
        ("nowhere.npy", [], "nowhere.npy"),
        ("small.npy", [], "48x64"),
        ("empty", [], "no truth for this stack"),
        ("truth.npy", ["--limit", "0"], "--limit"),
        ("truth.npy", ["--truth-convention", "unity"], "unity"),
    ],
)
def test_bad_truth_is_named(tmp_path: Path, truth: str, words: list[str], fault: str) -> None:
    out, _ = solved(tmp_path)
    np.save(tmp_path / "small.npy", np.ones((5, 5, 3), np.float32))
    (tmp_path / "empty").mkdir()

    result = mvps("evaluate", "normals", out, "--truth", tmp_path / truth, *words)

    assert result.returncode == 2
    assert fault in only_error(result)


def test_a_folder_without_maps_is_named(tmp_path: Path) -> None:
    result = mvps("evaluate", "normals", tmp_path, "--truth", tmp_path)

    assert result.returncode == 2
    assert "stack.json" in only_error(result)


def test_doctor_answers_for_every_part() -> None:
    facts = json.loads(mvps("doctor", "--json").stdout)

    assert facts["versions"]["numpy"] == np.__version__
    assert facts["codecs"]["zstd"] == "yes"
    assert facts["data files"]["kernels"].endswith("kernels")
    assert facts["CUDA"]
    assert "free disk" in mvps("doctor").stdout


def test_doctor_says_why_the_compiled_core_is_off() -> None:
    core = json.loads(mvps("doctor", "--json", MVPS_NATIVE="off").stdout)["compiled core"]

    assert core["state"].startswith("off: ")
    assert "MVPS_NATIVE" in core["state"]
