"""What the stages of a run cost alone in one thread: read, solve, encode, digest.

    python benchmarks/stages_alone.py REPEATS RAW OUT [options of RunOptions as JSON] [bits]

Prints JSON. Reading goes through every row of every image into one strip; solving takes strips that
lie in memory; encoding writes the solved maps of a whole stack. No plan, no record, no manifest.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mvps.capture import Overrides
from mvps.images import open_rows
from mvps.pipeline.inputs import describe_inputs, input_states
from mvps.pipeline.options import STRIP_ROWS, RunOptions
from mvps.pipeline.plan import PlannedStack, make_plan
from mvps.pipeline.sink import MapSink
from mvps.stereo import Backend, Problem, StripOut, get_backend, prepare


@dataclass
class Clock:
    """Wall and CPU seconds by stage."""

    wall: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall[name] = self.wall.get(name, 0.0) + time.perf_counter() - wall
        self.cpu[name] = self.cpu.get(name, 0.0) + time.process_time() - cpu


class StagesAlone:
    """The stages of one stack after another, with buffers that the next one uses again."""

    def __init__(self, first: PlannedStack, options: RunOptions, backend: Backend) -> None:
        info = first.stack.infos[0]
        self._options, self._backend = options, backend
        self._white = first.stack.sample_format.white(info)
        self._problem: Problem = prepare(
            first.stack.lights, channels=1, dtype=info.dtype, white=self._white
        )
        self._size = (first.width, first.height)
        pixels = first.width * first.height
        self._samples = np.zeros((len(first.stack.images), pixels), info.dtype)
        self._solved = StripOut.empty(pixels, self._problem, quality=False)

    def run(self, planned: PlannedStack, folder: Path) -> Clock:
        clock = Clock()
        with clock.stage("read"):
            self._read(planned)
        self._fill(planned)
        with clock.stage("solve"):
            self._solve()
        self._backend.solve_strip(self._problem, self._samples, None, self._solved)
        with clock.stage("encode"):
            self._encode(folder)
        with clock.stage("digest"):
            describe_inputs(planned.stack, input_states(planned.stack))
        return clock

    def _strips(self) -> Iterator[tuple[int, int]]:
        height = self._size[1]
        for y0 in range(0, height, STRIP_ROWS):
            yield y0, min(y0 + STRIP_ROWS, height)

    def _read(self, planned: PlannedStack) -> None:
        strip = np.empty((STRIP_ROWS, self._size[0]), self._samples.dtype)
        for ref in planned.stack.images:
            with closing(open_rows(ref)) as reader:
                for y0, y1 in self._strips():
                    reader.read_rows(y0, y1, strip[: y1 - y0])

    def _fill(self, planned: PlannedStack) -> None:
        width, height = self._size
        for ref, plane in zip(planned.stack.images, self._samples, strict=True):
            with closing(open_rows(ref)) as reader:
                reader.read_rows(0, height, plane.reshape(height, width))

    def _solve(self) -> None:
        width = self._size[0]
        out = StripOut.empty(width * STRIP_ROWS, self._problem, quality=False)
        for y0, y1 in self._strips():
            samples = self._samples[:, y0 * width : y1 * width]
            self._backend.solve_strip(self._problem, samples, None, out.head(samples.shape[1]))

    def _encode(self, folder: Path) -> None:
        width = self._size[0]
        sink = MapSink(folder, self._size, self._problem, self._white, self._options)
        for y0, y1 in self._strips():
            sink.write(self._solved.part(y0 * width, y1 * width), y1 - y0)
        sink.commit()


def overrides(bits: int) -> Overrides:
    """What the user states for a case of 12 bits."""
    return Overrides(bits=12, align="right") if bits == 12 else Overrides()


def main(repeats: str, raw: str, out: str, options: str = "{}", bits: str = "8") -> None:
    wanted = RunOptions(**json.loads(options))
    plan = make_plan(Path(raw), Path(out), overrides(int(bits)), wanted)
    first = plan.runnable[0]
    stages = StagesAlone(first, wanted, get_backend(wanted.device))
    clocks = []
    for _ in range(int(repeats) + 1):
        clocks.append(stages.run(first, first.folder))
        shutil.rmtree(first.folder)
    print(json.dumps(best(clocks[1:])))  # the first has imported and faulted in what is left


def best(clocks: list[Clock]) -> dict[str, Any]:
    """Least seconds of each stage."""
    return {
        kind: {name: min(getattr(clock, kind)[name] for clock in clocks) for name in clocks[0].wall}
        for kind in ("wall", "cpu")
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
