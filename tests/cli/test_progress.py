"""The bar of a run ends full, whatever became of the stacks."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenes import bumps, write_diligent

from mvps.capture import Overrides
from mvps.cli.progress import RunProgress
from mvps.pipeline.options import RunOptions, Schedule
from mvps.pipeline.plan import make_plan
from mvps.pipeline.run import run_plan
from mvps.stereo import get_backend


@pytest.mark.parametrize("again", [False, True])
def test_failed_and_skipped_stacks_leave_the_total(tmp_path: Path, again: bool) -> None:
    scene = bumps(200, 30)
    for name in ("a", "b", "c"):
        write_diligent(tmp_path / "raw" / name, scene, suffix=".png")
    backend = get_backend("cpu")
    schedule = Schedule(workers=1, light_check=False)
    plan = make_plan(tmp_path / "raw", tmp_path / "out", Overrides(), RunOptions(), schedule)
    if again:
        list(run_plan(plan, backend, lambda pixels: None))
        (tmp_path / "out/b/stack.json").unlink()
    (tmp_path / "raw/b/004.png").unlink()

    with RunProgress(plan) as progress:
        for result in run_plan(plan, backend, progress.advance):
            progress.finish(result)
        (task,) = progress._bar.tasks

    assert task.finished
    assert task.total == task.completed == (0 if again else 2 * 6 * 200 * 30)
