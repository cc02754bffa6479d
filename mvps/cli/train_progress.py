"""The progress of a training: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mvps import console
from mvps.cli.progress import LINE_EVERY, OnScreen

if TYPE_CHECKING:
    from mvps.detect.run_train import Event

_NOUNS = {
    "encode": "encoded",
    "fit": "steps",
    "place": "sound images scored",
    "score": "held-out images scored",
}


class TrainProgress(OnScreen):
    """The stage, what is done of it, and the latest loss."""

    def __init__(self) -> None:
        super().__init__("{task.fields[text]}", "{task.percentage:>3.0f}% {task.fields[loss]}")
        self._task = self._bar.add_task("", total=None, text="", loss="")
        self._stage: tuple[str, str] = ("", "")
        self._loss = ""
        self._spoken = time.perf_counter()

    def show(self, event: Event) -> None:
        """Draw an event; off a terminal, say it from time to time."""
        if event.stage == "look":
            watched = event.figures.get("held_out", event.figures["total"])
            self._loss = f"loss {watched:.4f}"
            return
        if (event.model, event.stage) != self._stage:
            self._stage = event.model, event.stage
            self._loss = ""
            self._bar.reset(self._task, total=event.total)
        where = f"{event.model}: " if event.model else ""
        text = f"{where}{event.done:,}/{event.total:,} {_NOUNS[event.stage]}"
        self._bar.update(
            self._task, completed=event.done, total=event.total, text=text, loss=self._loss
        )
        now = time.perf_counter()
        if not console.stderr().is_terminal and now - self._spoken >= LINE_EVERY:
            self._spoken = now
            console.say(f"{text} {self._loss}".rstrip())
