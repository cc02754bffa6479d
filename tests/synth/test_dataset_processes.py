"""Work spread over processes: results, faults, and ends that leave nobody behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import spread_tasks

from mvps.errors import DiskFullError, MvpsError
from mvps.synth.processes import run_tasks, workers_for

WAITING = """
import sys
from pathlib import Path
import spread_tasks
from mvps.synth.processes import run_tasks
if __name__ == "__main__":
    list(run_tasks(spread_tasks.wait, [Path(sys.argv[1])] * 2, 2))
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_is_answered_whatever_the_number_of_processes(workers: int) -> None:
    done = list(run_tasks(spread_tasks.square, [1, 2, -3, 4], workers))
    assert sorted((d.task, d.result) for d in done if not d.fault) == [(1, 1), (2, 4), (4, 16)]
    (fault,) = [d.fault for d in done if d.fault]
    assert fault == "number: -3 is negative; give another"


def test_several_processes_share_the_work() -> None:
    assert len({d.result for d in run_tasks(spread_tasks.process, range(6), 2)}) == 2
    assert {d.result for d in run_tasks(spread_tasks.process, [0], 1)} == {os.getpid()}


def test_a_worker_that_is_killed_ends_the_run_in_one_line() -> None:
    with pytest.raises(MvpsError, match=r"a worker was killed.*--workers"):
        list(run_tasks(spread_tasks.die, [1, 2, 3], 2))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_ends_the_run_rather_than_one_task(workers: int) -> None:
    with pytest.raises(DiskFullError, match="no space left"):
        list(run_tasks(spread_tasks.fill, [1, 2, 3], workers))


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_their_parent(tmp_path: Path, number: int) -> None:
    script = tmp_path / "waiting.py"
    script.write_text(WAITING)
    places = os.pathsep.join(path for path in sys.path if path)
    run = subprocess.Popen(
        [sys.executable, script, tmp_path],
        env=os.environ | {"PYTHONPATH": places},
        # A shell that runs the tests in the background hands down an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
        stderr=subprocess.DEVNULL,
    )
    workers = _when(lambda: found if len(found := _processes(tmp_path)) == 2 else None)
    run.send_signal(number)
    run.wait(60)
    assert _when(lambda: not any(map(_alive, workers)))


@pytest.mark.parametrize(("tasks", "asked", "given"), [(10, 3, 3), (2, 8, 2), (0, 0, 1), (1, 0, 1)])
def test_there_are_never_more_processes_than_tasks(tasks: int, asked: int, given: int) -> None:
    assert workers_for(tasks, asked) == given


def _processes(folder: Path) -> list[int]:
    return [int(path.stem) for path in folder.glob("*.pid")]


def _alive(process: int) -> bool:
    with suppress(OSError):
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return False


def _when(asked, seconds: float = 30):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if answer := asked():
            return answer
        time.sleep(0.1)
    raise AssertionError("did not happen in time")
