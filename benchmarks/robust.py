"""What the robust solvers cost: definition, NumPy tiled, compiled core, a GPU; beside PNG decoding.

    python benchmarks/robust.py [--quick] [--out FILE]

Single thread; CPU seconds are the best of several repeats. 8-bit glossy samples with shadows and
noise, at random in every pixel. The PNG files beside them hold a photograph of captures.py, with
the noise of a sensor, as those of end_to_end.py do. The definition and NumPy run on a part of the
pixels and are scaled up to all. On a GPU a kernel stands beside two floors: the device's copy of
the bytes that it has to move, and a loop of as many fused multiply-adds as its normal equations
and residuals take.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import tempfile
from pathlib import Path
from typing import Any

import captures
import cv2
import numpy as np
from png import by_strips
from solve import FULL_SIZE, QUICK_SIZE, RESULTS, by_events, load_average, machine, measure

import mvps
from mvps import native
from mvps.files import write_json
from mvps.stereo import Problem, Solver, StripOut, cuda, get_backend, prepare

GATED, TRIMMED, IRLS = Solver("gated"), Solver("trimmed"), Solver("irls")
REFERENCE, NUMPY, CORE = "definition, float64", "NumPy tiled, float32", "compiled core"
LEAST_RATIO = {"gated": 4.0, "irls": 3.5}
SLOWEST_TRIMMED = 3.0  # times IRLS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a sixteenth of the pixels")
    parser.add_argument("--out", type=Path, help="JSON file (default: in benchmarks/results/)")
    options = parser.parse_args()
    height, width = QUICK_SIZE if options.quick else FULL_SIZE
    record: dict[str, Any] = {"size": [height, width], "threads": 1} | machine()
    print(f"{height} x {width}, {record['processor']}, load {record['load_average_before']}")
    pixels = height * width
    wanted = [(4, GATED, pixels), (12, GATED, pixels), (12, IRLS, pixels), (12, TRIMMED, pixels)]
    wanted += [(96, IRLS, pixels // 4), (96, TRIMMED, pixels // 4)]
    record["cases"] = [run_case(*case) for case in wanted]
    record["decoding"] = decoding(height, width, images=12)
    record["load_average_after"] = load_average()
    record["claims"] = judge(record["cases"], record["decoding"])
    for claim in record["claims"]:
        verdict = {True: "met", False: "MISSED", None: "unmeasured"}[claim["met"]]
        print(f"{claim['claim']}: {claim['measured']} ({verdict})")
    out = options.out or RESULTS / ("robust-quick.json" if options.quick else "robust.json")
    write_json(out, record)
    print(f"written to {out}")


def run_case(K: int, solver: Solver, pixels: int) -> dict[str, Any]:
    """Measure one solver on one stack and print its rows."""
    problem, samples = make_stack(K, solver, pixels)
    out = StripOut.empty(pixels, problem, quality=False)
    for array in (out.normals, out.albedo, out.valid, out.fallback):
        array.fill(0)  # the pages are there before anything is timed
    parts = {REFERENCE: ("reference", pixels // 64, 1), NUMPY: ("numpy", pixels // 16, 2)}
    if native.library():
        parts[CORE] = ("cpu", pixels, 3)
    rows = {}
    for name, (device, count, repeats) in parts.items():
        backend, part = get_backend(device), out.head(count)

        def work(backend: Any = backend, part: StripOut = part, count: int = count) -> None:
            backend.solve_strip(problem, samples[:, :count], None, part)

        seconds = measure(work, repeats)
        scale = pixels / count
        rows[name] = {key: seconds[key] * scale for key in ("cpu_s", "wall_s")}
        rows[name] |= {"pixels": count, "ns_per_pixel": seconds["cpu_s"] / count * 1e9}
    case = {"lights": K, "solver": solver.parameters(), "pixels": pixels, "rows": rows}
    case["gpu"] = measure_gpu(problem, samples)
    show(case)
    return case


def make_stack(K: int, solver: Solver, pixels: int) -> tuple[Problem, np.ndarray]:
    """8-bit samples (K, N): a Lambertian surface with 8% highlights, shadows and noise."""
    rng = np.random.default_rng(K)
    turn, polar = np.arange(K) * 2.399963, np.linspace(0.4, 0.9, K)
    directions = np.stack(
        [np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=1
    )
    block = min(pixels, 1 << 18)  # repeated: what a pixel holds costs nothing, its place does
    normals = rng.normal((0, 0, 1), (0.4, 0.4, 0.1), (block, 3))
    normals *= rng.uniform(60, 200, (block, 1)) / np.linalg.norm(normals, axis=1, keepdims=True)
    light = np.maximum(directions @ normals.T, 0) + rng.normal(0, 1.0, (K, block))
    light += 120 * rng.random((K, block)) * (rng.random((K, block)) < 0.08)
    light[rng.random((K, block)) < 0.05] = 2
    tile = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    samples = np.empty((K, pixels), np.uint8)
    for start in range(0, pixels, block):
        samples[:, start : start + block] = tile[:, : pixels - start]
    rig = mvps.LightRig(directions, np.ones(K))
    return prepare(rig, channels=1, dtype=np.uint8, white=255.0, solver=solver), samples


def decoding(height: int, width: int, images: int) -> dict[str, Any]:
    """CPU seconds to decode so many 8-bit PNG photographs, by rows and by OpenCV."""
    rng = np.random.default_rng(20)
    normals, albedo = captures.surface(height, width, rng)
    light = captures.light_directions(captures.LIGHTS)[0]
    image = captures.photograph(albedo * np.maximum(normals @ light, 0), rng)
    image = (image >> 4).astype(np.uint8)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.png"
        cv2.imwrite(str(path), image)
        ours = measure(lambda: by_strips(path), 3)
        theirs = measure(lambda: cv2.imread(str(path), cv2.IMREAD_UNCHANGED), 2)
        size = path.stat().st_size / image.size
    found: dict[str, Any] = {"images": images, "bytes_per_pixel": round(size, 3)}
    found |= {"mvps": images * ours["cpu_s"], "OpenCV": images * theirs["cpu_s"]}
    print(f"\ndecoding {images} 8-bit PNG: {found['mvps']:.2f} s, OpenCV {found['OpenCV']:.2f} s")
    return found


def measure_gpu(problem: Problem, samples: np.ndarray) -> dict[str, Any]:
    """Kernel time by events beside the device's copy and a loop of multiply-adds."""
    usable, reason = cuda.available()
    if not usable:
        return {"measured": False, "reason": reason}
    import cupy as cp

    backend = cuda.CudaBackend(0)
    images = backend.on_device(samples)
    pixels = images.shape[1]
    out = StripOut.empty(pixels, problem, quality=False, allocate=backend.empty)
    results = (out.normals, out.albedo, out.valid, out.fallback)
    traffic = images.nbytes + sum(array.nbytes for array in results)
    source, target = (cp.zeros(traffic // 2, cp.uint8) for _ in range(2))
    loop = cp.RawKernel(_FMA_LOOP, "fma_loop")
    steps = multiply_adds(problem) // 8
    arguments = (out.albedo, np.int64(pixels), np.int32(steps))
    seconds = {
        "kernel_s": by_events(cp, lambda: backend.solve_strip(problem, images, None, out)),
        "copy_s": by_events(cp, lambda: cp.copyto(target, source)),
        "multiply_adds_s": by_events(cp, lambda: loop((-(-pixels // 256),), (256,), arguments)),
    }
    floor = max(seconds["copy_s"], seconds["multiply_adds_s"])
    name = cp.cuda.runtime.getDeviceProperties(0)["name"].decode()
    return {"measured": True, "device": name, "of_floor": seconds["kernel_s"] / floor} | seconds


_FMA_LOOP = r"""
extern "C" __global__ void fma_loop(float* out, long long n, int steps) {
  long long p = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (p >= n) return;
  float x[8];
  for (int i = 0; i < 8; ++i) x[i] = p + i;
  for (int s = 0; s < steps; ++s)
    for (int i = 0; i < 8; ++i) x[i] = x[i] * 0.999f + 0.5f;
  float sum = 0;
  for (int i = 0; i < 8; ++i) sum += x[i];
  out[p] = sum;
}
"""


def multiply_adds(problem: Problem) -> int:
    """Of the normal equations (12 a light) and residuals (5) of every pass over the lights."""
    solver, K = problem.solver, problem.lights
    passes = {"gated": 2, "trimmed": 1, "irls": 2 + solver.iterations}[solver.name]
    return K * (12 * passes + 5 * (passes - 1))


def show(case: dict[str, Any]) -> None:
    rows, name = case["rows"], case["solver"]["name"]
    print(f"\nK = {case['lights']}, {name}, {case['pixels'] / 1e6:.1f} MP")
    for label, row in rows.items():
        ratio = rows[NUMPY]["cpu_s"] / row["cpu_s"]
        print(
            f"{label:24}{row['cpu_s']:9.3f} s CPU{row['ns_per_pixel']:10.1f} ns a pixel"
            f"{ratio:8.1f}x NumPy"
        )
    gpu = case["gpu"]
    if gpu["measured"]:
        print(
            f"{gpu['device']}: {gpu['kernel_s'] * 1e3:.3f} ms, {gpu['of_floor']:.2f} of its floor"
        )
    else:
        print(f"GPU: unmeasured ({gpu['reason']})")


def judge(cases: list[dict[str, Any]], decode: dict[str, Any]) -> list[dict[str, Any]]:
    """The claims with what was measured here."""
    seconds = {
        (case["lights"], case["solver"]["name"], label): row["cpu_s"]
        for case in cases
        for label, row in case["rows"].items()
    }
    claims: list[dict[str, Any]] = []

    def claim(text: str, value: float | None, bound: float, *, at_most: bool = False) -> None:
        met = None if value is None else (value <= bound if at_most else value >= bound)
        measured = "nothing" if value is None else round(value, 3)
        claims.append({"claim": text, "bound": bound, "measured": measured, "met": met})

    def ratio(slow: tuple[int, str, str], fast: tuple[int, str, str]) -> float | None:
        return seconds[slow] / seconds[fast] if fast in seconds else None

    for name, least in LEAST_RATIO.items():
        value = ratio((12, name, NUMPY), (12, name, CORE))
        claim(f"K = 12, {name}: core at least {least} x NumPy tiled", value, least)
    for K in (12, 96):
        value = ratio((K, "trimmed", CORE), (K, "irls", CORE))
        text = f"K = {K}: trimmed at most {SLOWEST_TRIMMED} x IRLS"
        claim(text, value, SLOWEST_TRIMMED, at_most=True)
    for name in ("trimmed", "irls"):
        for codec in ("OpenCV", "mvps"):
            core = seconds.get((12, name, CORE))
            share = None if core is None else core / decode[codec]
            text = f"K = 12: {name} at most the time in which {codec} decodes its 12 PNG files"
            claim(text, share, 1.0, at_most=True)
    floors = [case["gpu"]["of_floor"] for case in cases if case["gpu"]["measured"]]
    claim("GPU kernels within 1.25 of their floor", max(floors, default=None), 1.25, at_most=True)
    return claims


if __name__ == "__main__":
    main()
