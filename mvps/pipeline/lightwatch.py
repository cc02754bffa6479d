"""The light check of a run: once a set of lights, by the worker that meets them first.

The other workers already solve meanwhile; a stack asks for the answer when its record is written.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future

from mvps.findings import Finding
from mvps.machine import release_memory
from mvps.pipeline.lightcheck import LightReport, LightSet, first_report, light_set
from mvps.pipeline.plan import Plan, PlannedStack


class LightWatch:
    """Reports on the lights of a plan, each made once.

    Parameters
    ----------
    plan : the first readable stack under each set of lights, in its order, speaks for the others
    """

    def __init__(self, plan: Plan) -> None:
        self._options = plan.options
        self._stacks: dict[LightSet, list[PlannedStack]] = {}
        for planned in plan.runnable:
            self._stacks.setdefault(light_set(planned), []).append(planned)
        self._reports: dict[LightSet, Future[LightReport | None]] = {}
        self._lock = threading.Lock()

    def begin(self, planned: PlannedStack) -> None:
        """Make the report on the lights of a stack, unless a worker has it or is making it."""
        lights = light_set(planned)
        with self._lock:
            if lights in self._reports:
                return
            report = self._reports[lights] = Future()
        try:
            report.set_result(first_report(self._stacks[lights], self._options))
        except BaseException as error:
            report.set_exception(error)
            raise
        finally:
            release_memory()  # or it would count against the run, whose arenas are others

    def findings(self, planned: PlannedStack) -> tuple[Finding, ...]:
        """What the report says of a stack; waits for it. Needs :meth:`begin` before.

        A shift belongs to the stack in which it was seen, a wrong order to all under the lights.
        """
        report = self._reports[light_set(planned)].result()
        if report is None:
            return ()
        if planned.stack.name == report.stack:
            return report.findings
        return tuple(finding for finding in report.findings if finding.code == "LIGHT-ORDER")
