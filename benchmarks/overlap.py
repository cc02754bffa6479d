"""Draws two workers at work, from the times of every strip: docs/images/overlap.png.

    python benchmarks/overlap.py [--quick] [--out FILE]

Two stacks of 8 lights, full width, a few strips high; one panel a format. A box is one stage of one
strip; what is white is neither of the three.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from captures import Case, all_cases, link_stacks, make_scene, write_images
from children import BENCHMARKS
from many_stacks import no_progress
from stages_alone import overrides

from mvps.pipeline import stream
from mvps.pipeline.options import STRIP_ROWS, RunOptions, Schedule
from mvps.pipeline.plan import make_plan
from mvps.pipeline.run import run_plan
from mvps.stereo import get_backend

PICTURE = BENCHMARKS.parent / "docs" / "images" / "overlap.png"
STRIPS, WIDTH, QUICK_WIDTH = 12, 5472, 1368
PANELS = (("png8-k8", "png16", "PNG to 16-bit PNG"), ("tiff8-none-k8", "tiff", "TIFF to TIFF"))
# Blue, orange and green of the Okabe-Ito palette, which colour-blind readers tell apart; BGR.
COLOURS = {"read": (178, 114, 0), "solve": (0, 94, 213), "encode": (115, 158, 0)}
INK, PALE = (40, 40, 40), (225, 225, 225)
SCALE = 2  # drawn larger, then reduced: smooth letters and edges
CANVAS_WIDTH, LEFT, RIGHT, LANE, GAP, PANEL = 1200, 110, 20, 44, 14, 190


@dataclass(frozen=True)
class Event:
    """One stage of one strip in one worker; seconds of ``time.perf_counter``, the same in all."""

    worker: int
    stage: str
    start: float
    stop: float


@dataclass
class Recorder(stream.Stopwatch):
    """A stopwatch that also tells when, through a file that workers inherit."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        with super().stage(name):
            yield
        line = json.dumps([os.getpid(), name, start, time.perf_counter()]) + "\n"
        os.write(TOLD.fileno(), line.encode())


TOLD = tempfile.TemporaryFile("w+")  # noqa: SIM115 (as long as the process)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of the width")
    parser.add_argument("--work", type=Path, help="folder for captures and maps (temporary)")
    parser.add_argument("--out", type=Path, default=PICTURE, help="PNG file")
    options = parser.parse_args()
    width = QUICK_WIDTH if options.quick else WIDTH
    stream.Stopwatch = Recorder  # type: ignore[misc]
    cases = {case.name: case for case in all_cases()}
    with tempfile.TemporaryDirectory(dir=options.work, prefix="mvps-bench-") as folder:
        scene = Path(folder) / "scene"
        make_scene(scene, STRIPS * STRIP_ROWS, width)
        panels = []
        for name, encoding, title in PANELS:
            events = record(cases[name], scene, Path(folder) / name, encoding)
            panels.append((f"{title}, K = 8, 8 bit, {width} px wide", events))
            print(f"{title}: {shares(events)}")
    cv2.imwrite(str(options.out), draw(panels))
    print(f"written to {options.out}")


def record(case: Case, scene: Path, folder: Path, encoding: str) -> list[Event]:
    """Events of two stacks on two workers; a first run warms caches and imports."""
    write_images(case, scene, folder / "base")
    link_stacks(folder / "base", folder / "raw", 2)
    plan = make_plan(
        folder / "raw",
        folder / "out",
        overrides(case.bits),
        RunOptions(device="cpu", encoding=encoding, picture=False),
        Schedule(workers=2, overwrite=True, light_check=False),
    )
    for _ in range(2):
        TOLD.seek(0)
        TOLD.truncate()
        results = list(run_plan(plan, get_backend("cpu"), no_progress))
        assert all(result.status == "done" for result in results)
    TOLD.seek(0)
    events = [Event(*json.loads(line)) for line in TOLD]
    return [event for event in events if event.stage in COLOURS]


def shares(events: list[Event]) -> str:
    """How much of the two workers' time each stage takes."""
    span = max(e.stop for e in events) - min(e.start for e in events)
    workers = len({e.worker for e in events})
    parts = []
    for stage in COLOURS:
        seconds = sum(e.stop - e.start for e in events if e.stage == stage)
        parts.append(f"{stage} {seconds / span / workers:.0%}")
    return f"{span * 1e3:.0f} ms, " + ", ".join(parts)


def draw(panels: list[tuple[str, list[Event]]]) -> np.ndarray:
    height = PANEL * len(panels) + 40
    canvas = np.full((height * SCALE, CANVAS_WIDTH * SCALE, 3), 255, np.uint8)
    for row, (title, events) in enumerate(panels):
        draw_panel(canvas, row * PANEL, title, events)
    x = LEFT
    for stage, colour in COLOURS.items():
        box(canvas, (x, height - 32), (x + 18, height - 16), colour)
        text(canvas, stage, (x + 26, height - 18))
        x += 110
    size = (CANVAS_WIDTH, height)
    return cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)


def draw_panel(canvas: np.ndarray, top: int, title: str, events: list[Event]) -> None:
    begin = min(event.start for event in events)
    span = max(event.stop for event in events) - begin
    per_second = (CANVAS_WIDTH - LEFT - RIGHT) / span
    text(canvas, title, (LEFT, top + 26), bold=True)
    lanes = list(dict.fromkeys(event.worker for event in events))
    for lane, worker in enumerate(lanes):
        y = top + 40 + lane * (LANE + GAP)
        text(canvas, f"worker {lane + 1}", (16, y + LANE // 2 + 6))
        box(canvas, (LEFT, y), (CANVAS_WIDTH - RIGHT, y + LANE), PALE, outline=True)
        for event in (e for e in events if e.worker == worker):
            x0, x1 = (LEFT + (t - begin) * per_second for t in (event.start, event.stop))
            box(canvas, (x0, y), (x1, y + LANE), COLOURS[event.stage])
    below = top + 40 + 2 * (LANE + GAP)
    step = tick_step(span)
    for tick in np.arange(0, span - step / 2, step):
        x = LEFT + tick * per_second
        box(canvas, (x, below - GAP), (x + 1, below - GAP + 6), INK)
        text(canvas, f"{tick * 1e3:.0f} ms", (x + 4, below + 6), size=0.4)


def tick_step(span: float) -> float:
    """1, 2 or 5 times a power of ten, five to twelve ticks."""
    steps = (m * 10.0**p for p in range(-5, 3) for m in (1, 2, 5))
    return next(step for step in steps if span / step <= 10)


def box(canvas, start, stop, colour, *, outline: bool = False) -> None:
    (x0, y0), (x1, y1) = start, stop
    corners = [(round(x * SCALE), round(y * SCALE)) for x, y in ((x0, y0), (x1, y1))]
    if outline:
        cv2.rectangle(canvas, *corners, colour, 1)
    else:
        canvas[
            corners[0][1] : corners[1][1], corners[0][0] : max(corners[1][0], corners[0][0] + 1)
        ] = colour


def text(canvas, words: str, place, *, bold: bool = False, size: float = 0.5) -> None:
    where = tuple(round(value * SCALE) for value in place)
    font, width = cv2.FONT_HERSHEY_SIMPLEX, SCALE + bold
    cv2.putText(canvas, words, where, font, size * SCALE, INK, width, cv2.LINE_AA)


if __name__ == "__main__":
    main()
