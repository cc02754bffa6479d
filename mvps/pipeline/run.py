"""The run: stacks over workers, results in the order in which they end.

One stack belongs to one worker from its first strip to its last, so no queue stands between the
stages. Workers are processes where they can be, else threads.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from threading import Event

from mvps.errors import DiskFullError, InputError, MvpsError
from mvps.files import MANIFEST
from mvps.machine import cores
from mvps.pipeline.lightwatch import LightWatch
from mvps.pipeline.plan import Plan, PlannedStack
from mvps.pipeline.record import StackResult, append_manifest
from mvps.pipeline.resume import finished_before, in_manifest, remove_leftovers
from mvps.pipeline.stream import CancelledError, Job, Progress, run_stack
from mvps.pipeline.workers import SharedFlag, can_fork, in_processes
from mvps.stereo import Backend


def run_plan(
    plan: Plan, backend: Backend, progress: Progress, *, debug: bool = False
) -> Generator[StackResult]:
    """Solve every runnable stack; yields each result as it ends, failures included.

    Parameters
    ----------
    progress : called after every strip, from worker threads, or now and then for processes
    debug : let an unexpected exception through instead of failing its stack

    Notes
    -----
    Closing the generator (or an interrupt in its consumer) cancels the stacks under way at their
    next strip, removes their temporary files and waits for that.
    """
    # One stack at a time leaves cores idle, so its lights are read side by side.
    spare = plan.schedule.workers or cores()
    readers = ThreadPoolExecutor(spare) if plan.workers == 1 and spare > 1 else None
    lights = LightWatch(plan) if plan.schedule.light_check else None
    # A device has one context, which a fork does not survive; a debugger wants one process.
    forked = plan.workers > 1 and backend.name == "cpu" and can_fork() and not debug
    job = Job(plan, backend, progress, SharedFlag() if forked else Event(), readers, lights)
    listed = _open_manifest(plan)
    if forked and lights is not None:
        lights.share()
    results = in_processes(plan, job, _guarded) if forked else _in_threads(plan, job, debug)
    try:
        with closing(results):
            for result in results:
                if result is None:
                    continue
                fresh = result.status != "skipped" or result.stack not in listed
                yield _list(plan, result) if fresh else result
    finally:
        if readers is not None:
            readers.shutdown(wait=True)


def _in_threads(plan: Plan, job: Job, debug: bool) -> Generator[StackResult | None]:
    workers = ThreadPoolExecutor(plan.workers, thread_name_prefix="stack")
    pending: set[Future[StackResult | None]] = set()
    stacks = iter(plan.runnable)
    try:
        while True:
            # A few at a time: thousands of queued stacks would delay an interrupt.
            while len(pending) < 2 * plan.workers and (planned := next(stacks, None)):
                pending.add(workers.submit(_guarded, planned, job, debug))
            if not pending:
                return
            finished, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    finally:
        job.cancel.set()
        workers.shutdown(wait=True, cancel_futures=True)


def _open_manifest(plan: Plan) -> set[str]:
    """Make the output folder, list what cannot be solved; names of the stacks listed as done."""
    try:
        plan.out.mkdir(parents=True, exist_ok=True)
        listed = in_manifest(plan.out)
    except OSError as error:
        raise InputError(plan.out, f"cannot be written ({error.strerror})") from None
    for fault in plan.failures:
        _list(plan, StackResult(fault.stack, plan.out / fault.stack, "failed", fault.message))
    return listed


def _list(plan: Plan, result: StackResult) -> StackResult:
    """Add a result to the manifest; where that fails the maps are still whole, so only warn."""
    try:
        append_manifest(plan.out, result)
    except OSError as error:
        warning = f"{plan.out / MANIFEST}: cannot be written ({error.strerror})"
        return replace(result, warnings=(*result.warnings, warning))
    return result


def _guarded(planned: PlannedStack, job: Job, debug: bool = False) -> StackResult | None:
    """Run one stack; a fault ends that stack, not the run. None where the run is called off."""
    if job.cancel.is_set():
        return None
    started = time.perf_counter()
    read = 0

    def progress(raw_pixels: int) -> None:
        nonlocal read
        read += raw_pixels
        job.progress(raw_pixels)

    left = False
    try:
        left = remove_leftovers(planned.folder)
        if not job.plan.schedule.overwrite:
            before = finished_before(planned, job.plan.options)
            if before is not None:
                return before
        return run_stack(planned, replace(job, progress=progress))
    except CancelledError:
        return None
    except Exception as error:
        if debug and not isinstance(error, (MvpsError, MemoryError, OSError)):
            raise
        if _is_full(error):
            job.cancel.set()
        message = _in_one_line(error, planned)
    finally:
        if left:  # by a run that was killed a moment ago
            remove_leftovers(planned.folder)
    seconds = time.perf_counter() - started
    return StackResult(
        planned.stack.name, planned.folder, "failed", message, seconds=seconds, raw_pixels=read
    )


def _is_full(error: Exception) -> bool:
    """Whether no other stack can be written either."""
    full = isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}
    return full or isinstance(error, DiskFullError)


def _in_one_line(error: Exception, planned: PlannedStack) -> str:
    title = planned.stack.title
    match error:
        case DiskFullError():
            return f"{error}, then give the same command: what is done stays done"
        case MvpsError():
            return str(error)
        case MemoryError():
            return f"{title}: out of memory; use --workers 1, --roi or --bin"
        case OSError():
            place = error.filename or planned.folder
            if _is_full(error):
                return f"{place}: no space left on the disk; free some, then give the same command"
            return f"{place}: {error.strerror or error}; check the folder and the files"
        case _:
            reason = repr(error)[:200]
            return f"{title}: internal error ({reason}); see it whole with --debug"
