"""Captures on disk against light files that are right, rolled, swapped and flipped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import bumps, write_diligent, write_directions, write_image

from mvps.capture import Overrides
from mvps.pipeline import lightcheck
from mvps.pipeline.lightcheck import check_stack, reports
from mvps.pipeline.lightpatches import read_patches
from mvps.pipeline.options import RunOptions
from mvps.pipeline.plan import Plan, PlannedStack, make_plan
from mvps.pipeline.run import run_plan
from mvps.stereo import get_backend
from mvps.stereo.sanity import Patch, judge

SAMPLE = Path(__file__).resolve().parents[2] / "examples/sample_capture"
FAULTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "rolled by one (image 1 with row 2)": lambda L: np.roll(L, 1, axis=0),
    "with rows 3 and 6 swapped": lambda L: L[[0, 1, 5, 3, 4, 2, *range(6, len(L))]],
    "with y flipped": lambda L: L * [1, -1, 1],
}


def plan_of(raw: Path, **overrides: object) -> Plan:
    return make_plan(raw, raw / "out", Overrides(**overrides), RunOptions())  # type: ignore[arg-type]


@pytest.mark.data
def test_the_ball_is_right_and_its_faults_are_named(test_data: Callable[[str], Path]) -> None:
    plan = plan_of(test_data("diligent_ball"))
    (planned,) = plan.runnable
    patches, L = read_patches(planned, plan.options), planned.stack.lights.directions
    intensities = planned.stack.lights.intensities.mean(axis=1)

    assert judge(patches, L, intensities).answer == "right"
    for words, fault in FAULTS.items():
        # The directions alone, as in a DiLiGenT folder, and with the intensities, as in JSON.
        moved = fault(np.column_stack([intensities] * 3))[:, 0]
        for stated in (intensities, moved):
            verdict = judge(rescaled(patches, intensities / stated), fault(L), stated)
            assert verdict.answer == "wrong"
            assert words in verdict.words


def rescaled(patches: list[Patch], factors: np.ndarray) -> list[Patch]:
    scale = factors.astype(np.float32)[:, None, None]
    return [Patch(patch.values * scale, patch.usable) for patch in patches]


@pytest.mark.parametrize("view", ["top", "left", "right", "front", "back"])
def test_the_sample_capture_is_right_and_its_faults_are_named(view: str) -> None:
    plan = plan_of(SAMPLE)
    (planned,) = (p for p in plan.runnable if p.stack.name == f"part_01/{view}")
    patches, L = read_patches(planned, plan.options), planned.stack.lights.directions

    assert check_stack(planned, plan.options).findings == ()
    assert judge(patches, L).answer == "right"
    for words, fault in FAULTS.items():
        verdict = judge(patches, fault(L))
        assert verdict.answer == "wrong"
        assert words in verdict.words


def test_one_stack_of_each_set_of_lights_is_looked_at(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_diligent(tmp_path / name, bumps(96, 96))
    for name in ("b", "c"):
        (tmp_path / name / "light_directions.txt").unlink()
    shutil.move(tmp_path / "a" / "light_directions.txt", tmp_path)
    plan = plan_of(tmp_path)

    assert [report.stack for _, report in reports(plan)] == ["a"]
    assert [report.stack for _, report in reports(plan, every=True)] == ["a", "b", "c"]


def test_a_flat_plate_is_inconclusive(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    directions = bumps(128, 128).directions
    for k, (_, _, facing) in enumerate(directions):
        image = rng.normal(40_000 * facing, 200, (128, 128))
        write_image(tmp_path / f"{k}.tif", image.astype(np.uint16))
    write_directions(tmp_path, directions)
    plan = plan_of(tmp_path)

    report = check_stack(plan.runnable[0], plan.options)

    assert report.verdict.answer == "inconclusive"
    assert report.findings == ()


def test_a_stack_that_cannot_be_read_is_left_to_the_run(tmp_path: Path) -> None:
    write_diligent(tmp_path, bumps(96, 96))
    plan = plan_of(tmp_path)
    (tmp_path / "003.tif").unlink()

    assert list(reports(plan)) == []
    (result,) = run_plan(plan, get_backend("cpu"), lambda pixels: None)
    assert "003.tif" in result.error


def test_a_moved_image_is_named_and_recorded(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(SAMPLE, raw)
    path = raw / "part_01/top/L04.png"
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    matrix = np.array([[1, 0, 1.0], [0, 1, -2.5]])
    cv2.imwrite(str(path), cv2.warpAffine(image, matrix, image.shape[::-1]))
    plan = make_plan(raw, tmp_path / "out", Overrides(), RunOptions())

    results = list(run_plan(plan, get_backend("cpu"), lambda pixels: None))

    (top,) = (result for result in results if result.stack == "part_01/top")
    (warning,) = top.warnings
    assert "L04.png lies +" in warning
    assert sum(bool(result.warnings) for result in results) == 1
    record = json.loads((tmp_path / "out/part_01/top/stack.json").read_text("utf-8"))
    assert record["warnings"] == [warning]


def test_wrong_lights_are_named_in_every_stack_under_them_though_one_is_looked_at(
    tmp_path: Path,
) -> None:
    raw, scene = tmp_path / "raw", bumps(96, 96)
    for name in ("a", "b", "c"):
        write_diligent(raw / name, scene)
        write_directions(raw / name, np.roll(scene.directions, 1, axis=0))
    plan = make_plan(raw, tmp_path / "out", Overrides(), RunOptions())

    results = list(run_plan(plan, get_backend("cpu"), lambda pixels: None))

    assert len(results) == 3
    assert len({result.warnings for result in results}) == 1
    assert all("rolled by one" in result.warnings[0] for result in results)
    assert all(result.warnings[0].startswith("a: ") for result in results)


def rolled_capture(raw: Path, suffix: str = ".tif", shape: tuple[int, int] = (450, 430)) -> None:
    """Three stacks under one set of wrong lights, larger than their patches."""
    for number, name in enumerate("abc"):
        scene = bumps(*shape, seed=number)
        write_diligent(raw / name, scene, suffix=suffix)
        write_directions(raw / name, np.roll(scene.directions, 1, axis=0))


def warnings_of(out: Path) -> dict[str, list[str]]:
    records = (json.loads(path.read_text("utf-8")) for path in out.glob("*/stack.json"))
    return {record["stack"]: record["warnings"] for record in records}


def solve(raw: Path, out: Path, **options: object) -> Plan:
    plan = make_plan(raw, out, Overrides(), RunOptions(**options))  # type: ignore[arg-type]
    list(run_plan(plan, get_backend("cpu"), lambda pixels: None, debug=True))
    return plan


def read_for_the_check(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the stacks whose files are read for the check alone, as they are."""
    read: list[str] = []
    patches = lightcheck.read_patches

    def reading(planned: PlannedStack, options: RunOptions) -> list[Patch]:
        read.append(planned.stack.name)
        return patches(planned, options)

    monkeypatch.setattr(lightcheck, "read_patches", reading)
    return read


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_a_run_takes_the_patches_that_the_command_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    rolled_capture(raw, suffix)
    read = read_for_the_check(monkeypatch)
    plan = solve(raw, out)

    assert read == []
    (report,) = (report for _, report in reports(plan))
    messages = [finding.message for finding in report.findings]
    assert "rolled by one" in messages[0]
    assert warnings_of(out) == dict.fromkeys("abc", messages)


def test_where_correction_hides_saturation_the_files_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = tmp_path / "raw"
    rolled_capture(raw, shape=(192, 192))
    read = read_for_the_check(monkeypatch)
    solve(raw, tmp_path / "out", bin=2)
    solve(raw, tmp_path / "limited", bin=2, saturation=0.9)

    assert read == ["a"]
    assert all("rolled" in found[0] for found in warnings_of(tmp_path / "out").values())


@pytest.mark.parametrize("left", ["abc", "bc", "ac", "c"])
def test_a_run_taken_up_again_records_what_an_undisturbed_one_does(
    tmp_path: Path, left: str
) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    rolled_capture(raw, shape=(96, 96))
    solve(raw, out)
    before = warnings_of(out)
    for name in left:
        shutil.rmtree(out / name)

    solve(raw, out)

    assert warnings_of(out) == before
    assert all(len(found) == 1 for found in before.values())


def test_where_the_first_stack_fails_the_next_one_speaks(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    rolled_capture(raw, ".png", shape=(96, 96))
    image = raw / "a" / "003.png"
    image.write_bytes(image.read_bytes()[:-2000])

    solve(raw, out)

    found = warnings_of(out)
    assert set(found) == {"b", "c"}
    assert all(message.startswith("b: ") for (message,) in found.values())
