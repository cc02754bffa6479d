"""What the solver costs: definition, lstsq, NumPy plain and tiled, compiled core, a copy, a GPU.

    python benchmarks/solve.py [--quick] [--out FILE]

Single thread; CPU seconds are the best of several repeats. Bandwidth counts every byte that a solve
has to read or write once: samples in, normals, albedo and valid out. The ceiling is a copy
(memcpy) of half as many bytes, which so reads and writes as many bytes in total.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import mvps
from mvps import native
from mvps.files import write_json
from mvps.stereo import Problem, StripOut, cuda, get_backend, prepare

FULL_SIZE = (3648, 5472)
QUICK_SIZE = (912, 1368)
RESULTS = Path(__file__).resolve().parent / "results"
COPY, CORE, PLAIN, LSTSQ = "copy of the same bytes", "compiled core", "plain NumPy", "lstsq"


def main() -> None:
    np.seterr(invalid="ignore")  # plain NumPy divides dark pixels by zero
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a sixteenth of the pixels")
    parser.add_argument(
        "--out", type=Path, help="JSON file (default: benchmarks/results/solve*.json)"
    )
    options = parser.parse_args()
    height, width = QUICK_SIZE if options.quick else FULL_SIZE
    record: dict[str, Any] = {"size": [height, width], "threads": 1} | machine()
    print(f"{height} x {width}, {record['processor']}, load {record['load_average_before']}")
    record["cases"] = [run_case(K, bits, height * width) for K in (4, 12) for bits in (8, 16)]
    record["load_average_after"] = load_average()
    record["claims"] = judge(record["cases"])
    for claim in record["claims"]:
        verdict = {True: "met", False: "MISSED", None: "unmeasured"}[claim["met"]]
        print(f"{claim['claim']}: {claim['measured']} ({verdict})")
    out = options.out or RESULTS / ("solve-quick.json" if options.quick else "solve.json")
    write_json(out, record)
    print(f"written to {out}")


def run_case(K: int, bits: int, pixels: int) -> dict[str, Any]:
    """Measure every solver on one stack and print its table."""
    problem, samples = make_stack(K, bits, pixels)
    out = StripOut.empty(pixels, problem, quality=False)
    for array in (out.normals, out.albedo, out.valid):
        array.fill(0)  # the pages are there before anything is timed
    traffic = samples.nbytes + out.normals.nbytes + out.albedo.nbytes + out.valid.nbytes
    rows = {}
    for name, (work, repeats) in solvers(problem, samples, out).items():
        rows[name] = measure(work, repeats)
    rows[COPY] = measure(copy_of(traffic), 7)
    case: dict[str, Any] = {"lights": K, "bits": bits, "bytes": traffic, "rows": rows}
    if CORE in rows:
        core = get_backend("cpu")
        case["core_extra_bytes"] = extra_memory(
            lambda: core.solve_strip(problem, samples, None, out)
        )
    case["gpu"] = measure_gpu(problem, samples)
    show(case)
    return case


def make_stack(K: int, bits: int, pixels: int) -> tuple[Problem, np.ndarray]:
    """Lambertian shading of random normals, one light after the other."""
    rng = np.random.default_rng(K)
    turn, slant = np.arange(K) * 2.399963, np.linspace(0.35, 0.9, K)
    directions = np.stack(
        [np.sin(slant) * np.cos(turn), np.sin(slant) * np.sin(turn), np.cos(slant)], axis=1
    )
    dtype = np.dtype(f"uint{bits}")
    white = float(np.iinfo(dtype).max)
    normals = rng.normal(0, 0.3, (3, pixels)).astype(np.float32)
    normals[2] += 1
    normals *= np.float32(0.8 * white) / np.linalg.norm(normals, axis=0)
    samples = np.empty((K, pixels), dtype)
    for k in range(K):
        shade = directions[k].astype(np.float32) @ normals
        np.clip(shade, 0, white, out=samples[k], casting="unsafe")
    rig = mvps.LightRig(directions, np.ones(K))
    return prepare(rig, channels=1, dtype=dtype, white=white), samples


def solvers(
    problem: Problem, samples: np.ndarray, out: StripOut
) -> dict[str, tuple[Callable[[], Any], int]]:
    """What is compared, with its number of repeats."""
    L, scale = problem.directions, problem.gain[0, 0]

    def by_lstsq() -> Any:
        g = np.linalg.lstsq(L, samples.astype(np.float64) * scale, rcond=None)[0]
        norm = np.linalg.norm(g, axis=0)
        return g / norm, norm

    def by_plain_numpy() -> Any:
        g = np.linalg.pinv(L) @ samples.astype(np.float64)
        norm = np.linalg.norm(g, axis=0)
        return g / norm, norm * scale

    def by(device: str) -> Callable[[], None]:
        backend = get_backend(device)
        return lambda: backend.solve_strip(problem, samples, None, out)

    found = {
        "reference, float64": (by("reference"), 2),
        LSTSQ: (by_lstsq, 2),
        PLAIN: (by_plain_numpy, 3),
        "NumPy tiled, float32": (by("numpy"), 3),
    }
    if native.library():
        found[CORE] = (by("cpu"), 7)
        images = samples.reshape(len(samples), 1, -1)
        found["mvps.solve, new arrays"] = (
            lambda: mvps.solve(images, problem_rig(problem), device="cpu", threads=1),
            3,
        )
    return found


def problem_rig(problem: Problem) -> Any:
    return mvps.LightRig(problem.directions, np.ones(problem.lights))


def copy_of(traffic: int) -> Callable[[], None]:
    source, target = np.ones(traffic // 2, np.uint8), np.ones(traffic // 2, np.uint8)
    return lambda: np.copyto(target, source)


def measure(work: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Best CPU and wall seconds."""
    cpu, wall = [], []
    for _ in range(repeats):
        cpu_start, wall_start = time.process_time(), time.perf_counter()
        work()
        cpu.append(time.process_time() - cpu_start)
        wall.append(time.perf_counter() - wall_start)
    return {"cpu_s": min(cpu), "wall_s": min(wall), "repeats": repeats}


def extra_memory(work: Callable[[], Any]) -> int | None:
    """Peak resident bytes during a call beyond those before it; None where Linux does not tell."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        before = resident("VmRSS")
        work()
        return max(0, resident("VmHWM") - before)
    except OSError:
        return None


def resident(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise OSError(field)


def measure_gpu(problem: Problem, samples: np.ndarray) -> dict[str, Any]:
    """Kernel time by events, transfers apart, and the device's own copy as the ceiling."""
    usable, reason = cuda.available()
    if not usable:
        return {"measured": False, "reason": reason}
    import cupy as cp

    backend = cuda.CudaBackend(0)
    images = backend.on_device(samples)
    out = StripOut.empty(images.shape[1], problem, quality=False, allocate=backend.empty)
    results = (out.normals, out.albedo, out.valid)
    traffic = images.nbytes + sum(array.nbytes for array in results)
    source, target = (cp.zeros(traffic // 2, cp.uint8) for _ in range(2))
    pairs = {
        "kernel_s": lambda: backend.solve_strip(problem, images, None, out),
        "copy_s": lambda: cp.copyto(target, source),
        "upload_s": lambda: images.set(samples),
        "download_s": lambda: [array.get() for array in results],
    }
    seconds = {name: by_events(cp, work) for name, work in pairs.items()}
    share = seconds["copy_s"] / seconds["kernel_s"]
    name = cp.cuda.runtime.getDeviceProperties(0)["name"].decode()
    return {"measured": True, "device": name, "share_of_copy_bandwidth": share} | seconds


def by_events(cp: Any, work: Callable[[], Any], repeats: int = 10) -> float:
    """Best seconds between two events, after one call to compile and warm up."""
    work()
    best = float("inf")
    for _ in range(repeats):
        start, stop = cp.cuda.Event(), cp.cuda.Event()
        start.record()
        work()
        stop.record()
        stop.synchronize()
        best = min(best, cp.cuda.get_elapsed_time(start, stop) / 1000)
    return best


def show(case: dict[str, Any]) -> None:
    rows, traffic = case["rows"], case["bytes"]
    print(f"\nK = {case['lights']}, {case['bits']} bit, {traffic / 1e6:.0f} MB in and out")
    print(f"{'':26}{'CPU s':>9}{'wall s':>9}{'GB/s':>8}{'of copy':>9}{'speed-up':>10}")
    for name, row in rows.items():
        share = rows[COPY]["cpu_s"] / row["cpu_s"]
        print(
            f"{name:26}{row['cpu_s']:9.4f}{row['wall_s']:9.4f}{traffic / row['cpu_s'] / 1e9:8.2f}"
            f"{share:9.1%}{rows[PLAIN]['cpu_s'] / row['cpu_s']:9.1f}x"
        )
    extra = case.get("core_extra_bytes")
    held = "unmeasured" if extra is None else f"{extra / 1e6:.1f} MB"
    print(f"core beyond input and output: {held}")
    gpu = case["gpu"]
    if gpu["measured"]:
        print(
            f"{gpu['device']}: kernel {gpu['kernel_s'] * 1e3:.3f} ms, "
            f"{gpu['share_of_copy_bandwidth']:.0%} of the device's copy, "
            f"up {gpu['upload_s'] * 1e3:.1f} ms, down {gpu['download_s'] * 1e3:.1f} ms"
        )
    else:
        print(f"GPU: unmeasured ({gpu['reason']})")


def judge(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The claims, each with its worst case here."""

    def ratio(slow: str, fast: str, lights: int, bits: tuple[int, ...]) -> list[float]:
        return [
            case["rows"][slow]["cpu_s"] / case["rows"][fast]["cpu_s"]
            for case in cases
            if case["lights"] == lights and case["bits"] in bits and fast in case["rows"]
        ]

    def claim(text: str, values: list[float], bound: float, *, at_most: bool = False) -> None:
        worst = (max if at_most else min)(values) if values else None
        met = None if worst is None else (worst < bound if at_most else worst >= bound)
        measured = "nothing" if worst is None else round(worst, 3)
        claims.append({"claim": text, "bound": bound, "measured": measured, "met": met})

    claims: list[dict[str, Any]] = []
    both = (8, 16)
    claim("K = 4, core at least 12 x plain NumPy", ratio(PLAIN, CORE, 4, both), 12)
    claim("K = 4, core at least 50 x lstsq", ratio(LSTSQ, CORE, 4, both), 50)
    claim("K = 12, 8 bit, core at least 30 x plain NumPy", ratio(PLAIN, CORE, 12, (8,)), 30)
    shares = ratio(COPY, CORE, 4, both) + ratio(COPY, CORE, 12, both)
    claim("core at least 0.45 of copy bandwidth", shares, 0.45)
    extras = [e / 1e6 for case in cases if (e := case.get("core_extra_bytes")) is not None]
    claim("core under 32 MB beyond input and output", extras, 32, at_most=True)
    return claims


def machine() -> dict[str, Any]:
    """Where and when, and with what."""
    names = (
        [
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ]
        if Path("/proc/cpuinfo").exists()
        else []
    )
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": names[0] if names else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "instruction_set": native.instruction_set() or f"none ({native.reason()})",
        "versions": {
            "mvps": mvps.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "load_average_before": load_average(),
    }


def load_average() -> list[float] | None:
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None


if __name__ == "__main__":
    main()
