"""What near lights cost beside distant ones, and what they mend.

    python benchmarks/near.py [--quick] [--out FILE]

One thread; CPU seconds are the best of several repeats over 3648 x 5472 pixels of 12 lamps, 8 bit.
The accuracy is that of exact renderings (tests/near_scenes.py) with lamps at 150 to 400 mm.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import near_scenes as scenes  # noqa: E402
from solve import FULL_SIZE, QUICK_SIZE, RESULTS, load_average, machine, measure  # noqa: E402

from mvps.calib import Camera  # noqa: E402
from mvps.files import write_json  # noqa: E402
from mvps.native import library  # noqa: E402
from mvps.stereo import Solver, StripOut, get_backend, solve  # noqa: E402
from mvps.stereo.near import ReferenceNear, run  # noqa: E402
from mvps.stereo.near_kernel import CpuNear  # noqa: E402
from mvps.stereo.near_problem import NearStrip, prepare_near  # noqa: E402
from mvps.stereo.near_view import NearView, Plane  # noqa: E402
from mvps.surface.near import solve_near  # noqa: E402
from mvps.surface.near_surface import binned, cell_size, find_surface  # noqa: E402

LAMPS = 12
ROWS = 64
FIELD_MM = 50.0
NOISE = 0.001  # of white
DISTANT = "distant, compiled core"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a sixteenth of the pixels")
    parser.add_argument(
        "--out", type=Path, help="JSON file (default: benchmarks/results/near.json)"
    )
    options = parser.parse_args()
    height, width = QUICK_SIZE if options.quick else FULL_SIZE
    record: dict[str, Any] = {"size": [height, width], "threads": 1, "lamps": LAMPS} | machine()
    print(f"{height} x {width}, {record['processor']}, load {record['load_average_before']}")
    if library() is None:
        raise SystemExit("no compiled core here: nothing to measure")
    record["rows"] = speed(height, width)
    for name, row in record["rows"].items():
        print(f"{name:<48} {row['cpu_s']:8.3f} s CPU {row['wall_s']:8.3f} s")
    record["accuracy"] = [accuracy(*case) for case in cases()]
    for row in record["accuracy"]:
        print(
            f"{row['scene']:<28} distant {row['distant_mean']:6.2f}  near, plane given "
            f"{row['plane_mean']:6.3f}  with depth {row['near_mean']:6.3f} (noise alone "
            f"{row['noise_mean']:.3f}) degrees, {row['rounds']} rounds"
        )
    record["distance"] = [distance(K, share) for K in (4, 8, 12) for share in (0.0, 0.01)]
    for row in record["distance"]:
        print(
            f"{row['lamps']:>2} lamps, intensities off by {row['intensity_error']:.0%}: distance "
            f"{row['assumed_off_mm']:.0f} mm off, then {max(row['found_off_mm']):.2f} at most; "
            f"{max(row['before']):.2f} degrees, then {max(row['after']):.2f}"
        )
    record["load_average_after"] = load_average()
    record["claims"] = judge(record)
    for claim in record["claims"]:
        print(f"{claim['claim']}: {claim['measured']} ({'met' if claim['met'] else 'MISSED'})")
    out = options.out or RESULTS / ("near-quick.json" if options.quick else "near.json")
    write_json(out, record)
    print(f"written to {out}")


def speed(height: int, width: int) -> dict[str, Any]:
    """CPU seconds of one pass in strips of 64 rows, and of finding the surface."""
    focal = scenes.DISTANCE * width / FIELD_MM
    matrix = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    camera = Camera(matrix, np.zeros(12), (width, height))
    bent = replace(camera, distortion=np.array([-0.1, *[0.0] * 11]))
    view = NearView((width, height), Plane.tilted(scenes.DISTANCE, 5, 30), camera)
    strip = rendered(view, scenes.lamps(LAMPS, mu=1.0))
    images = np.empty((LAMPS, height, width), np.uint8)
    for y0 in range(0, height, ROWS):
        images[:, y0 : y0 + ROWS] = strip[:, : min(ROWS, height - y0)]
    samples = images.reshape(LAMPS, -1)
    depth = np.full(samples.shape[1], scenes.DISTANCE, np.float32)
    core = CpuNear()

    def near(mu: float | None, seen: NearView = view, **given: Any) -> Callable[[], None]:
        solver = Solver(given.pop("solver", "ls"))
        surface = given.pop("depth", None)
        backend: Any = given.pop("backend", core)
        problem = prepare_near(
            scenes.lamps(LAMPS, mu=mu), seen, channels=1, dtype=np.uint8, white=255.0, solver=solver
        )
        out = StripOut.empty(samples.shape[1], problem.distant, quality=False)
        out.normals.fill(0)

        def work() -> None:
            for y0 in range(0, height, ROWS):
                part = slice(y0 * width, min(y0 + ROWS, height) * width)
                rows = NearStrip(
                    y0, samples[:, part], depth=None if surface is None else surface[part]
                )
                backend.solve_rows(problem, seen, rows, out.part(part.start, part.stop))

        return work

    problem = prepare_near(
        scenes.lamps(LAMPS, mu=1.0), view, channels=1, dtype=np.uint8, white=255.0
    )
    gated = replace(problem.distant, solver=Solver("gated"))
    cell = cell_size(view)
    small, inside = binned(images, None, cell)
    return {
        DISTANT: measure(distant(problem.distant, samples), 5),
        "distant, gated": measure(distant(gated, samples), 3),
        "near, even lamps, plane": measure(near(None), 3),
        "near, Lambertian lamps (mu 1), plane": measure(near(1.0), 3),
        "near, narrow lamps (mu 2.7), plane": measure(near(2.7), 3),
        "near, mu 1, depth map": measure(near(1.0, depth=depth), 3),
        "near, mu 1, camera with distortion": measure(near(1.0, replace(view, camera=bent)), 2),
        "near, mu 1, gated": measure(near(1.0, solver="gated"), 2),
        "near, mu 1, NumPy float32": measure(near(1.0, backend=ReferenceNear(np.float32)), 1),
        f"means over cells of {cell} px": measure(lambda: binned(images, None, cell), 1),
        "finding the surface on the cells": measure(
            lambda: find_surface(core, problem, view, small, inside), 1
        ),
    }


def distant(problem: Any, samples: np.ndarray) -> Callable[[], None]:
    backend = get_backend("cpu")
    out = StripOut.empty(samples.shape[1], problem, quality=False)
    out.normals.fill(0)
    return lambda: backend.solve_strip(problem, samples, None, out)


def rendered(view: NearView, rig: Any) -> np.ndarray:
    """Rows of the middle of a flat part, (K, ROWS, W) uint8."""
    middle = view.cropped(0, view.size[1] // 2, view.size[0], ROWS)
    return scenes.plane_scene(middle, rig).images(0.8, dtype="uint8")


def cases() -> list[tuple[str, bool, Any]]:
    """Scenes by name, whether a camera sees them, and how they are made."""

    def leaning(view: NearView, rig: Any) -> Any:
        return scenes.plane_scene(view, rig, Plane.tilted(scenes.DISTANCE, 10, 30))

    made = {"plane": scenes.plane_scene, "leaning plane": leaning, "ball": scenes.sphere_scene}
    looks = {"camera": True, "parallel": False}
    return [(f"{what}, {look}", looks[look], made[what]) for what in made for look in looks]


def accuracy(name: str, perspective: bool, scene_of: Any) -> dict[str, Any]:
    """Mean and largest degrees of each model on one scene, 12-bit noise, lobes of mu 1."""
    view = scenes.sight((320, 240), perspective=perspective)
    scene = scene_of(view, scenes.lamps(LAMPS, mu=1.0))
    found: dict[str, Any] = {"scene": name}
    for label, images in (
        ("", scene.images(0.8, dtype="float32")),
        ("noisy_", scene.images(0.8, noise=NOISE, dtype="uint16")),
    ):
        near = solve_near(images, scene.rig, view, mask=scene.mask)
        problem = prepare_near(
            scene.rig, view, channels=1, dtype=images.dtype, white=1.0 if not label else 65535.0
        )
        normals = {
            "distant": solve(images, scenes.as_distant(scene.rig), mask=scene.mask).normals,
            "plane": run(CpuNear(), problem, view, images, mask=scene.mask).normals,
            "given": run(
                CpuNear(), problem, view, images, mask=scene.mask, depth=rows_of(scene)
            ).normals,
            "near": near.solution.normals,
        }
        for model, array in normals.items():
            degrees = scenes.errors(array, scene, scene.mask)
            found |= {
                f"{label}{model}_mean": float(degrees.mean()),
                f"{label}{model}_max": float(degrees.max()),
            }
        if not label:
            off = (near.depth - scene.depth)[scene.mask]
            found |= {
                "rounds": near.surface.rounds,
                "rms_change_mm": list(near.surface.changes),
                "depth_rms_mm": float(off.std()),
                "depth_mean_mm": float(off.mean()),
            }
    return found | {"noise_mean": found["noisy_given_mean"]}


def distance(K: int, share: float) -> dict[str, Any]:
    """A ball assumed 9 mm too near: what the photographs say of it, three trials."""
    off = 9.0
    found: dict[str, Any] = {"lamps": K, "intensity_error": share, "assumed_off_mm": off}
    rows: dict[str, list[float]] = {"found_off_mm": [], "before": [], "after": []}
    for seed in range(3):
        view = scenes.sight(perspective=False)
        scene = scenes.sphere_scene(view, scenes.lamps(K, mu=1.0))
        images = scene.images(0.8, noise=NOISE, dtype="uint16")
        stated = 1 + share * np.random.default_rng([K, seed]).standard_normal(K)
        rig = replace(scene.rig, intensities=scene.rig.intensities * stated)
        wrong = replace(view, plane=Plane(scenes.DISTANCE - off))
        for key, refine in (("before", False), ("after", True)):
            near = solve_near(images, rig, wrong, mask=scene.mask, refine_distance=refine)
            degrees = scenes.errors(near.solution.normals, scene, scene.mask)
            rows[key].append(float(degrees.mean()))
        rows["found_off_mm"].append(abs(near.surface.view.plane.distance_mm - scenes.DISTANCE))
    return found | rows


def rows_of(scene: Any) -> Callable[[int, int], np.ndarray]:
    return lambda y0, y1: scene.depth[y0:y1]


def judge(record: dict[str, Any]) -> list[dict[str, Any]]:
    worst = max(row["near_max"] for row in record["accuracy"])
    least = min(row["distant_mean"] for row in record["accuracy"])
    ratio = (
        record["rows"]["near, mu 1, NumPy float32"]["cpu_s"]
        / record["rows"]["near, Lambertian lamps (mu 1), plane"]["cpu_s"]
    )
    return [
        {
            "claim": "error under 0.3 degrees where the distant model errs by degrees",
            "measured": f"{worst:.3f} at most, distant {least:.1f} or more in the mean",
            "met": worst < 0.3 and least > 2,
        },
        {
            "claim": "compiled core against NumPy tiled of the same maths, 4x",
            "measured": f"{ratio:.1f}x",
            "met": ratio > 4,
        },
    ]


if __name__ == "__main__":
    main()
