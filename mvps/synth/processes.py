"""Work spread over processes that share the cores, and that end when the run ends.

Workers are spawned, not forked: a renderer's threads do not survive a fork. Each gets its share of
the cores; what a worker does must not depend on how many there are.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

from mvps.errors import DiskFullError, MvpsError
from mvps.machine import cores

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
MOST_WORKERS = 64


@dataclass(frozen=True)
class Done(Generic[_Task, _Result]):
    """A task with its result, or with the one line that says why there is none."""

    task: _Task
    result: _Result | None
    fault: str = ""


def workers_for(tasks: int, asked: int = 0) -> int:
    """Processes for a number of tasks; 0 asks for one a core."""
    return max(1, min(asked or cores(), tasks, MOST_WORKERS))


def run_tasks(
    function: Callable[[_Task], _Result], tasks: Sequence[_Task], workers: int
) -> Iterator[Done[_Task, _Result]]:
    """Results as they come, in any order.

    Parameters
    ----------
    function : importable, called with one task
    tasks : picklable
    workers : processes; 1 works in this one

    Raises
    ------
    MvpsError
        A worker was killed, or the disk is full; whatever came before stands.
    """
    from mvps.synth.mitsuba_door import open_mitsuba

    threads = max(1, cores() // workers)
    if workers == 1:
        _limit_threads(threads)
        for task in tasks:
            yield _attempt(function, task)
        return
    open_mitsuba()  # its warnings come once, and workers take the library that it found
    with _pool(workers, threads) as pool:
        futures: dict[Future[Done[_Task, _Result]], _Task] = {}
        for task in tasks:
            futures[pool.submit(_attempt, function, task)] = task
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool:
            what = "a worker was killed, perhaps for want of memory"
            raise MvpsError(f"{what}; run again, with fewer --workers") from None


@contextmanager
def _pool(workers: int, threads: int) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes do not outlive the block, whatever ends it."""
    before = set(multiprocessing.active_children())
    with _environment(threads):
        pool = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(threads,),
        )
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
            raise
        pool.shutdown()


@contextmanager
def _environment(threads: int) -> Iterator[None]:
    """Thread counts that libraries read when they are imported in a worker."""
    names = [f"{library}_NUM_THREADS" for library in ("OPENBLAS", "MKL", "OMP")]
    kept = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(threads)))
    try:
        yield
    finally:
        for name, value in kept.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _begin(threads: int) -> None:
    """A worker leaves the keyboard to its parent, and ends when the parent does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_follow_parent, daemon=True).start()
    _limit_threads(threads)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _limit_threads(threads: int) -> None:
    import cv2

    from mvps.synth.mitsuba_door import use_threads

    cv2.setNumThreads(threads)
    use_threads(threads)


def _attempt(function: Callable[[_Task], _Result], task: _Task) -> Done[_Task, _Result]:
    """The result, or a fault of the user's in one line; a full disk ends the run."""
    try:
        return Done(task, function(task))
    except DiskFullError:
        raise
    except MvpsError as error:
        return Done(task, None, str(error))
