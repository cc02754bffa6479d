"""The run: stacks over worker threads, results in the order in which they end.

One stack belongs to one thread from its first strip to its last, so no queue stands between the
stages. The codecs and the compiled core release the interpreter lock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from mvps.errors import MvpsError
from mvps.pipeline.plan import Plan, PlannedStack, cores
from mvps.pipeline.record import StackResult, append_manifest
from mvps.pipeline.stream import CancelledError, Job, Progress, run_stack
from mvps.stereo import Backend


def run_plan(
    plan: Plan, backend: Backend, progress: Progress, *, debug: bool = False
) -> Generator[StackResult]:
    """Solve every runnable stack; yields each result as it ends, failures included.

    Parameters
    ----------
    progress : called from worker threads after every strip
    debug : let an unexpected exception through instead of failing its stack

    Notes
    -----
    Closing the generator (or an interrupt in its consumer) cancels the stacks under way at their
    next strip, removes their temporary files and waits for that.
    """
    # A single stack leaves cores idle, so its lights are read side by side.
    spare = plan.options.workers or cores()
    readers = ThreadPoolExecutor(spare) if len(plan.runnable) == 1 and spare > 1 else None
    job = Job(plan, backend, progress, threading.Event(), readers)
    workers = ThreadPoolExecutor(plan.workers, thread_name_prefix="stack")
    pending: set[Future[StackResult]] = set()
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
        if readers is not None:
            readers.shutdown(wait=True)


def _guarded(planned: PlannedStack, job: Job, debug: bool) -> StackResult:
    """Run one stack; a fault ends that stack, not the run."""
    started = time.perf_counter()
    try:
        result = run_stack(planned, job)
        append_manifest(job.plan.out, result)
        return result
    except MvpsError as error:
        message = str(error)
    except MemoryError:
        message = f"{planned.stack.name}: out of memory; use --workers 1, --roi or --bin"
    except OSError as error:
        place = error.filename or planned.folder
        message = f"{place}: {error.strerror or error}; free space or check the permissions"
    except Exception as error:
        if debug or isinstance(error, CancelledError):
            raise
        message = f"{planned.stack.name}: internal error ({error!r}); see it whole with --debug"
    seconds = time.perf_counter() - started
    return StackResult(planned.stack.name, planned.folder, "failed", message, seconds=seconds)
