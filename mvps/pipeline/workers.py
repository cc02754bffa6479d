"""Stacks over worker processes, one stack a process from its first strip to its last.

Threads would wait for one another at the interpreter lock between the native calls: with two of
them a fifth of the time is lost, with more all of what they add. Workers are forked, so that they
start at once and share what is imported; a few bytes of shared memory carry the progress, the wish
to stop and the answers on the lights, a pipe each the stacks to do and their results.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import multiprocessing
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from typing import Any

from mvps.machine import release_memory, return_large_blocks
from mvps.pipeline.plan import Plan, PlannedStack
from mvps.pipeline.record import StackResult
from mvps.pipeline.resume import remove_leftovers
from mvps.pipeline.stream import Job

LOOK_EVERY = 0.1  # seconds between two looks at the progress
_COUNT = 8  # bytes of one worker's progress
_PARENT_DEATH = 1  # PR_SET_PDEATHSIG of Linux's prctl.h

Solve = Callable[[PlannedStack, Job], StackResult | None]


def can_fork() -> bool:
    """Whether workers can be forked that end with this process."""
    return sys.platform == "linux" and not multiprocessing.current_process().daemon


class SharedFlag:
    """A flag that one process sets and all see; as a `threading.Event`, but nobody can wait."""

    def __init__(self) -> None:
        self._byte = mmap.mmap(-1, 1)

    def set(self) -> None:
        """Raise the flag, for good."""
        self._byte[0] = 1

    def is_set(self) -> bool:
        """Whether somebody raised it."""
        return self._byte[0] != 0


@dataclass
class _Worker:
    number: int
    process: Any
    pipe: Connection
    stack: PlannedStack | None = None


def in_processes(plan: Plan, job: Job, solve: Solve) -> Generator[StackResult | None]:
    """Results of every runnable stack as they come; None for one that was called off.

    Parameters
    ----------
    job : shared by all stacks; its flag and its light check must be those of shared memory
    solve : what a worker does with a stack; it must not raise

    Notes
    -----
    Closing the generator cancels the stacks under way and waits for their workers. A worker that
    is killed fails its stack alone; another takes its place.
    """
    with _pool(plan, job, solve) as pool:
        yield from pool.results()


class _Pool:
    def __init__(self, plan: Plan, job: Job, solve: Solve) -> None:
        self._job, self._solve = job, solve
        self._runnable = plan.runnable
        self._waiting = iter(range(len(plan.runnable)))
        self._counts = mmap.mmap(-1, _COUNT * plan.workers)
        self._told = 0
        self.workers: list[_Worker] = []

    def results(self) -> Iterator[StackResult | None]:
        while busy := [worker for worker in self.workers if worker.stack is not None]:
            ready = wait([worker.pipe for worker in busy], LOOK_EVERY)
            self._tell()
            for worker in busy:
                if worker.pipe in ready:
                    yield self._result_of(worker)
                    self.give(worker)
        self._tell()

    def start(self, number: int) -> None:
        """Fork one worker and give it its first stack."""
        ours, theirs = multiprocessing.Pipe()
        pipes = [ours, *(worker.pipe for worker in self.workers)]
        process = multiprocessing.get_context("fork").Process(
            target=self._serve, args=(number, theirs, pipes), daemon=True, name=f"stack-{number}"
        )
        process.start()
        theirs.close()
        worker = _Worker(number, process, ours)
        self.workers.append(worker)
        self.give(worker)

    def give(self, worker: _Worker) -> None:
        """The next stack, if there is one, for a worker without."""
        if worker.stack is not None or worker not in self.workers:
            return
        index = None if self._job.cancel.is_set() else next(self._waiting, None)
        if index is not None:
            worker.stack = self._runnable[index]
        with suppress(OSError):  # a worker that is gone is seen at its next result
            worker.pipe.send(index)

    def _result_of(self, worker: _Worker) -> StackResult | None:
        planned, worker.stack = worker.stack, None
        assert planned is not None
        try:
            result: StackResult | None = worker.pipe.recv()
        except (EOFError, OSError):
            return self._lost(worker, planned)
        return result

    def _lost(self, worker: _Worker, planned: PlannedStack) -> StackResult:
        worker.process.join()
        worker.pipe.close()
        self.workers.remove(worker)
        if self._job.lights is not None:
            self._job.lights.forget(worker.number)
        remove_leftovers(planned.folder)
        if not self._job.cancel.is_set():
            self.start(worker.number)
        what = f"its worker was killed (exit code {worker.process.exitcode})"
        message = f"{planned.stack.title}: {what}, perhaps for want of memory; use fewer --workers"
        return StackResult(planned.stack.name, planned.folder, "failed", message)

    def _tell(self) -> None:
        """Pass on the pixels that all workers have read since the last time."""
        counted = sum(memoryview(self._counts).cast("Q"))
        if counted > self._told:
            self._job.progress(counted - self._told)
            self._told = counted

    def _serve(self, number: int, pipe: Connection, others: Iterable[Connection]) -> None:
        """A worker's whole life."""
        _end_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers the keyboard
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return_large_blocks()
        gc.freeze()  # or the collector would copy every shared page
        for other in others:
            other.close()
        counts = memoryview(self._counts).cast("Q")

        def progress(raw_pixels: int) -> None:
            counts[number] += raw_pixels

        if self._job.lights is not None:
            self._job.lights.serve(number)
        job = replace(self._job, progress=progress)
        with suppress(EOFError, OSError):
            while (index := pipe.recv()) is not None:
                pipe.send(self._solve(self._runnable[index], job))


@contextmanager
def _pool(plan: Plan, job: Job, solve: Solve) -> Iterator[_Pool]:
    pool = _Pool(plan, job, solve)
    try:
        release_memory()  # of imports and the plan: what workers need not share
        with _single_threads():
            for number in range(plan.workers):
                pool.start(number)
        yield pool
    finally:
        job.cancel.set()
        for worker in pool.workers:
            worker.pipe.close()
        for worker in pool.workers:
            worker.process.join()


@contextmanager
def _single_threads() -> Iterator[None]:
    """Fork without OpenCV's threads: a worker would wait for those that it did not inherit."""
    opencv = sys.modules.get("cv2")
    if opencv is None:
        yield
        return
    threads = opencv.getNumThreads()
    opencv.setNumThreads(1)
    try:
        yield
    finally:
        opencv.setNumThreads(threads)


def _end_with_parent() -> None:
    """Have the system kill this process when its parent ends, however that ends."""
    ctypes.CDLL(None).prctl(_PARENT_DEATH, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        signal.raise_signal(signal.SIGKILL)
