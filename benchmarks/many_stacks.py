"""Thousands of small stacks: what a stack costs beyond its own work, and whether memory stays flat.

    python benchmarks/many_stacks.py [--stacks 2000] [--profile 25]

Every stack is a folder of hard links to the same four images of 256 x 256 (TIFF, 8 bit), solved by
one worker in this process. Own work is that of the stages alone; the rest is overhead: finding,
checking, planning, digests, record, manifest.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from captures import all_cases, link_stacks
from children import BENCHMARKS, RESULTS, machine, python, run_child
from end_to_end_report import STAGES
from stages_alone import StagesAlone

from mvps.capture import Overrides
from mvps.files import write_json
from mvps.pipeline.options import RunOptions, Schedule
from mvps.pipeline.plan import Plan, make_plan
from mvps.pipeline.run import run_plan
from mvps.stereo import get_backend

CASE = next(case for case in all_cases() if case.name == "tiff8-none-k4")
SIZE = (256, 256)
EARLY = 100  # stacks after which memory is looked at first
OVERHEAD_GOAL_MS = 5.0
GROWTH_GOAL_BYTES = 16 << 20
OPTIONS = RunOptions(device="cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stacks", type=int, default=2000)
    parser.add_argument("--profile", type=int, default=0, metavar="N", help="list N functions")
    parser.add_argument("--work", type=Path, help="folder for captures and maps (temporary)")
    parser.add_argument("--out", type=Path, help="JSON file (default: in results/)")
    options = parser.parse_args()
    record: dict[str, Any] = machine() | {"stacks": options.stacks, "size": SIZE, "lights": 4}
    with tempfile.TemporaryDirectory(dir=options.work, prefix="mvps-bench-") as folder:
        raw, out = Path(folder) / "raw", Path(folder) / "out"
        make_capture(Path(folder), raw, options.stacks)
        if options.profile:
            profile(raw, out, options.profile)
            return
        record |= measure(raw, out, options.stacks)
    show(record)
    quick = "" if options.stacks >= 2000 else "-quick"
    target = options.out or RESULTS / f"many_stacks{quick}.json"
    write_json(target, record)
    print(f"written to {target}")


def make_capture(folder: Path, raw: Path, stacks: int) -> None:
    """In children, so that what they need does not count as memory of the run."""
    script, scene = BENCHMARKS / "captures.py", folder / "scene"
    run_child(python(script, "scene", scene, *SIZE))
    run_child(python(script, "images", CASE.name, scene, folder / "base"))
    link_stacks(folder / "base", raw, stacks)


def measure(raw: Path, out: Path, stacks: int) -> dict[str, Any]:
    whole = run(raw, out, Schedule(workers=1, overwrite=True))
    resumed = run(raw, out, Schedule(workers=1))
    shards = [
        run(raw, out.with_name(f"shard-{i}"), Schedule(workers=1, overwrite=True, shard=(i, 2)))
        for i in (1, 2)
    ]
    own = own_work(make_plan(raw, out, Overrides(), OPTIONS), out.with_name("alone"))
    spent = {"wall": whole["plan_s"] + whole["run_s"], "cpu": whole["cpu_s"]}
    return {
        "whole": whole,
        "resumed": resumed,
        "shards": shards,
        "own_work_s": own,
        "overhead_ms": {
            kind: (seconds - sum(own[kind][stage] for stage in STAGES)) / stacks * 1e3
            for kind, seconds in spent.items()
        },
        "growth_bytes": whole["resident_end"] - whole["resident_early"],
    }


def run(raw: Path, out: Path, schedule: Schedule) -> dict[str, Any]:
    """One run through the pipeline's own interface, planning and solving timed apart."""
    os.sync()  # what the last run wrote is on the disk
    start, cpu = time.perf_counter(), time.process_time()
    plan = make_plan(raw, out, Overrides(), OPTIONS, schedule)
    planned = time.perf_counter()
    states: Counter[str] = Counter()
    early = resident()
    for count, result in enumerate(run_plan(plan, get_backend(OPTIONS.device), no_progress), 1):
        states[result.status] += 1
        if count == EARLY:
            early = resident()
    return {
        "plan_s": planned - start,
        "run_s": time.perf_counter() - planned,
        "cpu_s": time.process_time() - cpu,
        "stacks": dict(states),
        "resident_early": early,
        "resident_end": resident(),
    }


def own_work(plan: Plan, out: Path) -> dict[str, dict[str, float]]:
    """Wall and CPU seconds of each stage alone, over all stacks."""
    os.sync()
    stages = StagesAlone(plan.runnable[0], OPTIONS, get_backend(OPTIONS.device))
    stages.run(plan.runnable[0], out / "warm-up")
    wall, cpu = Counter[str](), Counter[str]()
    for planned in plan.runnable:
        clock = stages.run(planned, out / planned.stack.name)
        wall.update(clock.wall)
        cpu.update(clock.cpu)
    return {"wall": dict(wall), "cpu": dict(cpu)}


def profile(raw: Path, out: Path, lines: int) -> None:
    """Where the time of planning and of solving goes, by own time and by time with callees.

    The threads of the pool are not seen by a profiler, so the stacks run in this one.
    """
    from concurrent.futures import Future

    from mvps.pipeline import plan as plan_module
    from mvps.pipeline import run as run_module

    class Here:
        """An executor that runs a task where it is submitted."""

        def __init__(self, *_: Any, **__: Any) -> None: ...

        def __enter__(self) -> Here:
            return self

        def __exit__(self, *_: object) -> None: ...

        def submit(self, task: Any, *words: Any) -> Future[Any]:
            done: Future[Any] = Future()
            done.set_result(task(*words))
            return done

        map = staticmethod(map)

        def shutdown(self, **_: Any) -> None: ...

    for module in (plan_module, run_module):
        module.ThreadPoolExecutor = Here  # type: ignore[attr-defined]
    schedule = replace(Schedule(), workers=1, overwrite=True)
    backend = get_backend(OPTIONS.device)
    stages = {"planning": lambda: plans.append(make_plan(raw, out, Overrides(), OPTIONS, schedule))}
    stages["solving"] = lambda: list(run_plan(plans[0], backend, no_progress))
    plans: list[Plan] = []
    for title, work in stages.items():
        profiler = cProfile.Profile()
        profiler.runcall(work)
        print(f"\n== {title}")
        for order in ("tottime", "cumulative"):
            pstats.Stats(profiler).strip_dirs().sort_stats(order).print_stats(lines)


def no_progress(_: int) -> None:
    """Nobody watches."""


def resident() -> int:
    """Resident bytes of this process (Linux)."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def show(record: dict[str, Any]) -> None:
    stacks, whole = record["stacks"], record["whole"]
    print(f"{stacks} stacks of 256 x 256, K = 4, 1 worker, load {record['load_average_before']}")
    seconds = {"whole run": whole, "resumed": record["resumed"]}
    seconds |= {f"shard {i}/2": shard for i, shard in enumerate(record["shards"], 1)}
    print(f"{'':14}{'stacks':>8}{'plan s':>9}{'run s':>9}{'ms/stack':>10}")
    for name, entry in seconds.items():
        count = sum(entry["stacks"].values())
        total = entry["plan_s"] + entry["run_s"]
        print(
            f"{name:14}{count:8}{entry['plan_s']:9.2f}{entry['run_s']:9.2f}"
            f"{total / count * 1e3:10.2f}  {entry['stacks']}"
        )
    shards = sum(shard["plan_s"] + shard["run_s"] for shard in record["shards"])
    print(f"both shards together: {shards / (whole['plan_s'] + whole['run_s']):.2f} of the whole")
    for kind, own in record["own_work_s"].items():
        parts = ", ".join(f"{name} {value / stacks * 1e3:.2f}" for name, value in own.items())
        overhead = record["overhead_ms"][kind]
        met = "met" if overhead < OVERHEAD_GOAL_MS else "MISSED"
        print(f"own work, {kind} ms a stack: {parts} (digests count as overhead)")
        print(f"overhead, {kind}: {overhead:.2f} ms a stack, goal below {OVERHEAD_GOAL_MS} ({met})")
    met = "met" if record["growth_bytes"] <= GROWTH_GOAL_BYTES else "MISSED"
    print(
        f"resident: {whole['resident_early'] / 1e6:.1f} MB after {EARLY} stacks, "
        f"{whole['resident_end'] / 1e6:.1f} MB at the end ({met})"
    )


if __name__ == "__main__":
    main()
