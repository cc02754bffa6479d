"""The light check of a run: once a set of lights, out of the strips of the first stack under them.

That stack is decoded for its maps anyway, so that the check costs its arithmetic alone. A stack
asks for the answer when its record is written. Where the first one does not stream (an earlier run
has done it, it failed, or correction hides which samples are saturated), its files are read for the
check: the same strips, so that the answer is the same.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress

from mvps.findings import Finding
from mvps.machine import release_memory
from mvps.pipeline.lightboard import LightBoard
from mvps.pipeline.lightcheck import (
    UNREADABLE,
    LightReport,
    LightSet,
    first_report,
    light_set,
    report_on,
)
from mvps.pipeline.lightpatches import PatchGatherer, shows_saturation
from mvps.pipeline.plan import Plan, PlannedStack
from mvps.pipeline.source import Strip, StripSource

Answer = Future[LightReport | None]


class _LeftError(Exception):
    """Whoever was to answer did not: it is for the next."""


class LightWatch:
    """Reports on the lights of a plan, each made once.

    Parameters
    ----------
    plan : the first readable stack under each set of lights, in its order, speaks for the others
    """

    def __init__(self, plan: Plan) -> None:
        self.options = plan.options
        self._stacks: dict[LightSet, list[PlannedStack]] = {}
        for planned in plan.runnable:
            if planned.near is None:  # the check compares distant lights
                self._stacks.setdefault(light_set(planned), []).append(planned)
        self._numbers = {lights: number for number, lights in enumerate(self._stacks)}
        self._answers: dict[LightSet, Answer] = {}
        self._lock = threading.Lock()
        self._board: LightBoard | None = None
        self._worker = 0

    def share(self) -> None:
        """Before workers are forked: each answer is made once among them all."""
        self._board = LightBoard(len(self._stacks))

    def serve(self, number: int) -> None:
        """In a worker, whose number is 0 or above."""
        self._worker = number + 1

    def forget(self, number: int) -> None:
        """In the parent: a worker has ended, and with it whatever it was to answer."""
        if self._board is not None:
            self._board.forget(number + 1)

    @contextmanager
    def look(self, planned: PlannedStack) -> Iterator[StackLook]:
        """What the check sees of one stack, which others may wait for until the block ends."""
        look = StackLook(self, planned)
        try:
            yield look
        finally:
            look.leave()

    def claim(self, planned: PlannedStack) -> Answer | None:
        """The answer that this stack is to give: it is the first under its lights, and none is."""
        lights = light_set(planned)
        with self._lock:
            if lights in self._answers or self._stacks[lights][0] is not planned:
                return None
            answer = self._answers[lights] = Future()
        if self._board is not None:
            self._board.claim(self._numbers[lights], self._worker)
        return answer

    def leave(self, planned: PlannedStack, answer: Answer) -> None:
        """Give back a claim without an answer."""
        lights = light_set(planned)
        with self._lock:
            del self._answers[lights]
        if self._board is not None:
            self._board.release(self._numbers[lights])
        answer.set_exception(_LeftError())

    def give(self, planned: PlannedStack, answer: Answer, report: LightReport | None) -> None:
        """Answer what was claimed."""
        answer.set_result(report)
        if self._board is not None:
            self._board.publish(self._numbers[light_set(planned)], report)

    def report(self, planned: PlannedStack) -> LightReport | None:
        """The report on the lights of a stack: waits for it, or makes it from the files."""
        lights = light_set(planned)
        while True:
            with self._lock:
                mine = lights not in self._answers
                answer = self._answers.setdefault(lights, Future())
            if mine:
                self._make(planned, answer)
            with suppress(_LeftError):
                return answer.result()

    def _make(self, planned: PlannedStack, answer: Answer) -> None:
        """Answer with what another worker found, or from the files."""
        lights = light_set(planned)
        if self._board is not None:
            known, report = self._board.wait(self._numbers[lights], self._worker)
            if known:
                answer.set_result(report)
                return
        try:
            self.give(planned, answer, first_report(self._stacks[lights], self.options))
        except BaseException as error:
            if self._board is not None:
                self._board.release(self._numbers[lights])
            answer.set_exception(error)
            raise
        finally:
            release_memory()  # or it would count against the run, whose arenas are others


class StackLook:
    """One stack under the light check; from :meth:`LightWatch.look`."""

    def __init__(self, watch: LightWatch, planned: PlannedStack) -> None:
        self._watch = watch
        self._planned = planned
        self._answer: Answer | None = None
        self._patches: PatchGatherer | None = None

    def begin(self, source: StripSource) -> None:
        """Before the first strip: gather patches, where this stack speaks for its lights."""
        if shows_saturation(self._planned, source, self._watch.options):
            self._answer = self._watch.claim(self._planned)
            if self._answer is not None:
                self._patches = PatchGatherer(self._planned, source)

    def add(self, row: int, strip: Strip) -> None:
        """See the strip that begins at ``row`` of the maps; strips come in order."""
        if self._patches is not None:
            self._patches.add(row, strip)

    def findings(self) -> tuple[Finding, ...]:
        """What the check says of this stack; waits for it where another one speaks.

        A shift belongs to the stack in which it was seen, a wrong order to all under the lights.
        """
        if self._answer is not None and self._patches is not None:
            release_memory()  # the strips of this stack make room for the check, and it for others
            with suppress(*UNREADABLE):
                found = report_on(self._planned, self._patches.finish())
                self._watch.give(self._planned, self._answer, found)
            self.leave()
            release_memory()
        report = self._watch.report(self._planned)
        if report is None:
            return ()
        if self._planned.stack.name == report.stack:
            return report.findings
        return tuple(finding for finding in report.findings if finding.code == "LIGHT-ORDER")

    def leave(self) -> None:
        """Let others answer what this stack was to and did not."""
        if self._answer is not None and not self._answer.done():
            self._watch.leave(self._planned, self._answer)
        self._answer = self._patches = None
