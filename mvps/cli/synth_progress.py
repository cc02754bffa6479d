"""The progress of rendering: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time

from mvps import console
from mvps.cli.progress import LINE_EVERY, OnScreen, clock_text


class TaskProgress(OnScreen):
    """Tasks done, tasks a minute and time left."""

    def __init__(self, total: int, noun: str) -> None:
        self._total, self._noun, self._done = total, noun, 0
        self._started = self._spoken = time.perf_counter()
        super().__init__(
            "{task.completed:.0f}/{task.total:.0f} {task.fields[noun]}",
            "{task.percentage:>3.0f}% {task.fields[rate]:>6.1f}/min",
        )
        self._task = self._bar.add_task("", total=total, noun=noun, rate=0.0)

    def advance(self) -> None:
        """Count a task; off a terminal, say so from time to time."""
        self._done += 1
        now = time.perf_counter()
        elapsed = max(now - self._started, 1e-9)
        rate = 60 * self._done / elapsed
        self._bar.update(self._task, advance=1, rate=rate)
        if not self._bar.disable and self._bar.live.is_started:
            return
        if now - self._spoken >= LINE_EVERY and self._done < self._total:
            self._spoken = now
            left = elapsed * (self._total - self._done) / self._done
            counted = f"{self._done}/{self._total} {self._noun}"
            console.say(f"{counted}, {rate:.1f}/min, {clock_text(left)} left")
