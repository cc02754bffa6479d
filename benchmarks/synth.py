"""What rendering costs: parts in five views with four lights, at 512 x 512 and 16 samples.

    python benchmarks/synth.py [--quick] [--full-size] [--out FILE]

CPU seconds of all threads of this process, its start and the compilation of kernels left out (the
first view is rendered once before it is measured). ``--full-size`` renders one light of a part at
3648 x 5472 in a process of its own and states its peak memory.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from solve import RESULTS, load_average, machine

from mvps.files import write_json
from mvps.machine import cores
from mvps.synth.materials import preset
from mvps.synth.parts import load_part, part_names
from mvps.synth.placing import stand
from mvps.synth.renderer import Renderer
from mvps.synth.scene import Scene
from mvps.synth.views import five_views

SIZE, SAMPLES = (512, 512), 16
FULL = (5472, 3648)
LIMIT_S, LIMIT_GB = 2.0, 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two parts, two views")
    parser.add_argument("--full-size", action="store_true", help="one light at 3648 x 5472 as well")
    parser.add_argument("--peak", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/...)")
    options = parser.parse_args()
    if options.peak:
        print(*full_size())
        return
    record: dict[str, Any] = {"size": SIZE, "samples": SAMPLES, "threads": cores()} | machine()
    names = part_names()[:2] if options.quick else part_names()
    record["parts"] = {name: part(name, 2 if options.quick else 5) for name in names}
    worst = max(each["lights"] + each["truth"] for each in record["parts"].values())
    record["claims"] = [
        {"claim": "four lights and truth, a view", "measured": worst, "met": worst <= LIMIT_S}
    ]
    if options.full_size:
        record["full_size"] = peak()
        met = record["full_size"]["peak_gb"] < LIMIT_GB
        record["claims"].append(
            {"claim": "memory", "measured": record["full_size"]["peak_gb"], "met": met}
        )
    record["load_average_after"] = load_average()
    for claim in record["claims"]:
        print(f"{claim['claim']}: {claim['measured']:.2f} ({'met' if claim['met'] else 'MISSED'})")
    out = options.out or RESULTS / ("synth-quick.json" if options.quick else "synth.json")
    write_json(out, record)
    print(f"written to {out}")


def part(name: str, count: int) -> dict[str, float]:
    """CPU s of building a scene, and of each kind of image of a view (mean over views)."""
    whole = load_part(name)
    mesh = stand(whole.mesh)
    size = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    views = five_views(size, SIZE)[:count]
    scene = Scene(mesh, whole.looks, preset("ground"))
    build, renderer = cpu(lambda: Renderer(scene))
    kinds: dict[str, Callable[[Any], Any]] = {
        "lights": lambda view: renderer.light_images(view, SAMPLES),
        "truth": renderer.truth,
        "diffuse": lambda view: renderer.diffuse(view, SAMPLES),
        "interreflection": lambda view: renderer.light_images(view, SAMPLES, interreflection=True),
    }
    figures = {"faces": float(len(mesh.faces)), "build": build}
    for kind, run in kinds.items():
        run(views[0])
        figures[kind] = float(np.mean([cpu(lambda v=view, r=run: r(v))[0] for view in views]))
    print(name + ": " + ", ".join(f"{key} {value:.2f}" for key, value in figures.items()))
    return figures


def cpu(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def peak() -> dict[str, float]:
    """Figures of :func:`full_size`, measured in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--peak"], capture_output=True, text=True, check=True
    )
    memory, seconds = map(float, done.stdout.split())
    print(f"one light and the truth at {FULL[1]} x {FULL[0]}: {memory:.2f} GB, {seconds:.0f} CPU s")
    return {"peak_gb": memory, "cpu_s": seconds}


def full_size() -> tuple[float, float]:
    """Peak memory in GB and CPU s of one light and the truth at full size, 16 samples."""
    whole = load_part(part_names()[0])
    mesh = stand(whole.mesh)
    size = float(np.linalg.norm(np.ptp(mesh.vertices, axis=0)))
    view = five_views(size, FULL)[1]
    renderer = Renderer(Scene(mesh, whole.looks, preset("ground")))
    seconds, _ = cpu(lambda: (next(renderer.each_light(view, SAMPLES)), renderer.truth(view)))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, seconds


if __name__ == "__main__":
    main()
