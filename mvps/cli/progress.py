"""The progress of a run: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mvps import console
from mvps.pipeline.plan import Plan
from mvps.pipeline.record import StackResult

LINE_EVERY = 10.0  # seconds between lines where there is no terminal
DRAW_EVERY = 0.1  # seconds between two numbers on the bar


class OnScreen:
    """A bar that is there as long as its block lasts, and drawn on a terminal alone."""

    def __init__(self, before: str, after: str) -> None:
        self._bar = Progress(
            TextColumn(before),
            BarColumn(bar_width=None),
            TextColumn(after),
            TimeRemainingColumn(compact=True),
            console=console.stderr(),
            disable=not console.stderr().is_terminal,
            transient=True,
            expand=True,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()


class RunProgress(OnScreen):
    """Stacks done, raw megapixels a second and time left."""

    def __init__(self, plan: Plan) -> None:
        self._stacks = len(plan.runnable)
        self._done = 0
        self._sizes = {planned.stack.name: planned.raw_pixels for planned in plan.runnable}
        self._total = sum(self._sizes.values())
        self._pixels = 0
        self._lock = threading.Lock()
        self._started = self._spoken = self._drawn = time.perf_counter()
        super().__init__(
            "{task.fields[stacks]}", "{task.percentage:>3.0f}% {task.fields[rate]:>5.0f} MP/s"
        )
        self._task = self._bar.add_task("", total=self._total, stacks=self._text(), rate=0.0)

    def advance(self, raw_pixels: int) -> None:
        """Count raw pixels; called from worker threads."""
        now = time.perf_counter()
        with self._lock:
            self._pixels += raw_pixels
            done = self._pixels
            if now - self._drawn < DRAW_EVERY and done < self._total:
                return
            self._drawn = now
        rate = done / 1e6 / max(now - self._started, 1e-9)
        self._bar.update(self._task, completed=done, rate=rate)

    def finish(self, result: StackResult) -> None:
        """Count a stack; off a terminal, say so from time to time."""
        self._done += 1
        if result.status == "skipped":
            self._total -= result.raw_pixels
        elif result.status == "failed":
            self._total -= self._sizes[result.stack] - result.raw_pixels
        with self._lock:
            done = self._pixels
        self._bar.update(self._task, stacks=self._text(), total=self._total, completed=done)
        now = time.perf_counter()
        if not self._bar.disable and self._bar.live.is_started:
            return
        if now - self._spoken >= LINE_EVERY and self._done < self._stacks:
            self._spoken = now
            elapsed = now - self._started
            rate = self._pixels / 1e6 / elapsed
            left = elapsed * (self._total - self._pixels) / max(self._pixels, 1)
            console.say(f"{self._text()}, {rate:.0f} MP/s, {clock_text(left)} left")

    def _text(self) -> str:
        return f"{self._done}/{self._stacks} stacks"


def clock_text(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 20 s`` or ``5 h 02 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    seconds = round(seconds)
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return (
            f"{seconds // 60:.0f} min {seconds % 60:02.0f} s" if minutes < 10 else f"{minutes} min"
        )
    return f"{minutes // 60} h {minutes % 60:02d} min"
