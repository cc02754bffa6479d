"""Stacks over processes: the same maps as in threads, whatever becomes of a worker."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest
from scenes import bumps, write_diligent, write_many

from mvps.capture import Overrides
from mvps.pipeline.lightboard import LightBoard
from mvps.pipeline.options import RunOptions, Schedule
from mvps.pipeline.plan import Plan, make_plan
from mvps.pipeline.record import StackResult
from mvps.pipeline.run import run_plan
from mvps.pipeline.workers import SharedFlag, can_fork
from mvps.stereo import get_backend

pytestmark = pytest.mark.skipif(not can_fork(), reason="workers are threads on this system")


def plan_of(raw: Path, out: Path, workers: int = 2) -> Plan:
    return make_plan(raw, out, Overrides(), RunOptions(), Schedule(workers=workers))


def solve(plan: Plan, told: list[int] | None = None) -> list[StackResult]:
    progress = (lambda pixels: None) if told is None else told.append
    return list(run_plan(plan, get_backend("cpu"), progress))


def maps(out: Path) -> dict[str, bytes]:
    found = [*out.rglob("*.tif"), *out.rglob("preview.png")]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in found}


def messages(out: Path) -> dict[str, list[str]]:
    records = out.rglob("stack.json")
    return {path.parent.name: json.loads(path.read_text())["warnings"] for path in records}


def test_workers_write_what_one_process_writes_and_count_every_pixel(tmp_path: Path) -> None:
    write_many(tmp_path / "raw", 7)
    told: list[int] = []
    results = solve(plan_of(tmp_path / "raw", tmp_path / "two"), told)
    solve(plan_of(tmp_path / "raw", tmp_path / "one", workers=1))

    assert {result.status for result in results} == {"done"}
    assert len({result.stack for result in results}) == 7
    assert sum(told) == sum(result.raw_pixels for result in results)
    assert maps(tmp_path / "two") == maps(tmp_path / "one")
    assert len(maps(tmp_path / "two")) == 3 * 7


def test_a_wrong_order_of_lights_is_told_of_every_stack_by_whichever_worker(tmp_path: Path) -> None:
    for number in range(4):
        scene = bumps(192, 256, seed=number)
        write_diligent(tmp_path / "raw" / f"s{number}", scene)
        lights = tmp_path / "raw" / f"s{number}" / "light_directions.txt"
        rows = lights.read_text().splitlines()
        lights.write_text("\n".join([*rows[1:], rows[0]]) + "\n")
    for workers in (1, 2, 3):
        solve(plan_of(tmp_path / "raw", tmp_path / f"out{workers}", workers))

    alone = messages(tmp_path / "out1")
    assert all("check the order and axes" in " ".join(said) for said in alone.values())
    assert messages(tmp_path / "out2") == alone == messages(tmp_path / "out3")


def test_a_killed_worker_fails_its_stack_alone(tmp_path: Path, monkeypatch) -> None:
    from mvps.pipeline import run as module

    write_many(tmp_path / "raw", 6)
    plan = plan_of(tmp_path / "raw", tmp_path / "out")
    victim, parent = plan.runnable[2].stack.name, os.getpid()

    def killed(planned, job):
        if planned.stack.name == victim and os.getpid() != parent:
            part = planned.folder / f".normals.tif.{os.getpid()}-1.part"
            part.parent.mkdir(parents=True)
            part.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        return unharmed(planned, job)

    unharmed = module.run_stack
    monkeypatch.setattr(module, "run_stack", killed)
    results = {result.stack: result for result in solve(plan)}

    assert len(results) == 6
    assert [name for name, result in results.items() if result.status == "failed"] == [victim]
    assert "worker was killed" in results[victim].error
    assert "use fewer --workers" in results[victim].error
    assert not list((tmp_path / "out").rglob("*.part"))

    monkeypatch.undo()
    again = {result.stack: result.status for result in solve(plan)}
    assert [name for name, status in again.items() if status == "done"] == [victim]


def test_closing_a_run_ends_its_workers_without_leftovers(tmp_path: Path) -> None:
    write_many(tmp_path / "raw", 30)
    plan = plan_of(tmp_path / "raw", tmp_path / "out", workers=3)
    before = set(multiprocessing.active_children())
    running = run_plan(plan, get_backend("cpu"), lambda pixels: None)
    first = next(running)
    workers = set(multiprocessing.active_children()) - before
    running.close()

    assert first.status == "done"
    assert len(workers) == 3
    assert not any(worker.is_alive() for worker in workers)
    assert not list((tmp_path / "out").rglob("*.part"))
    assert len(list((tmp_path / "out").rglob("stack.json"))) < 30


def test_a_flag_and_a_board_are_seen_across_a_fork() -> None:
    flag, board = SharedFlag(), LightBoard(3)
    board.claim(1, 7)
    board.claim(2, 7)

    def child() -> None:
        flag.set()
        board.publish(1, {"verdict": "wrong"})
        board.publish(2, "x" * 100_000)  # too long to share: whoever asks makes it again

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()

    assert flag.is_set()
    assert board.wait(1, 3) == (True, {"verdict": "wrong"})
    assert board.wait(2, 3) == (False, None)
    board.claim(0, 5)
    board.forget(5)
    assert board.wait(0, 3) == (False, None)
