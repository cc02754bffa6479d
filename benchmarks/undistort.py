"""What undistorting 20 megapixels costs: this library, its row stream, and OpenCV three ways.

    python benchmarks/undistort.py [--quick] [--out FILE]

The lens is the published cam1 (k3 = -116), fitted to the size. Wall and CPU seconds are the best of
several repeats with one and with two threads; memory is the peak beyond the input. The error of a
coordinate is what comes out of images that hold their own x and y, against float64.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from solve import RESULTS, extra_memory, load_average, machine, measure

from mvps.calib import Camera, published_cameras, read_camera
from mvps.calib.geometry import distort_points, pixel_grid
from mvps.calib.remap import undistort_image, undistort_normals
from mvps.calib.row_warp import STRIP_ROWS, Layer, RowWarp
from mvps.calib.transforms import resize_camera
from mvps.calib.warp import undistortion
from mvps.files import write_json
from mvps.machine import release_memory

SIZE = (3648, 5472)  # width, height
QUICK_SIZE = (912, 1368)
REPEATS = 4
OURS, STREAM = "mvps", "mvps, row stream"
GIVEN, FIXED, BUILT, UNDISTORT = (
    "cv2.remap, float maps given",
    "cv2.remap, fixed-point maps given",
    "cv2.initUndistortRectifyMap + remap",
    "cv2.undistort",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a sixteenth of the pixels")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/...)")
    options = parser.parse_args()
    size = QUICK_SIZE if options.quick else SIZE
    camera = resize_camera(read_camera(published_cameras()["cam1"]), size, allow_aspect=True)
    record: dict[str, Any] = {"size": list(size), "camera": "cam1 fitted to the size"} | machine()
    record["versions"]["opencv"] = cv2.__version__
    record["opencv_threads"] = cv2.getNumThreads()
    print(f"{size[0]} x {size[1]}, {record['processor']}, load {record['load_average_before']}")
    record["coordinate_error_px"] = coordinate_errors(camera)
    record["cases"] = [run_case(name, image, camera) for name, image in images(size)]
    record["load_average_after"] = load_average()
    record["claims"] = judge(record)
    for claim in record["claims"]:
        print(f"{claim['claim']}: {claim['measured']} ({'met' if claim['met'] else 'MISSED'})")
    out = options.out or RESULTS / ("undistort-quick.json" if options.quick else "undistort.json")
    write_json(out, record)
    print(f"written to {out}")


def images(size: tuple[int, int]) -> Any:
    """Noise of every kind that a run meets, one at a time in memory."""
    rng = np.random.default_rng(0)
    width, height = size
    yield "grey, 8 bit", rng.integers(0, 256, (height, width), np.uint8)
    yield "grey, 16 bit", rng.integers(0, 1 << 16, (height, width), np.uint16)
    yield "RGB, 8 bit", rng.integers(0, 256, (height, width, 3), np.uint8)
    normals = rng.normal((0, 0, 2), 0.3, (height, width, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    yield "normal map, float32", normals


def ways(image: np.ndarray, camera: Camera) -> dict[str, Callable[[int], Callable[[], Any]]]:
    """What is compared; each takes a number of threads and gives the work."""
    K, k, size = camera.matrix, camera.distortion, camera.image_size
    marks = np.ones(image.shape[:2], np.bool_)
    is_normals = image.ndim == 3 and image.dtype == np.float32
    maps = cv2.initUndistortRectifyMap(K, k, None, K, size, cv2.CV_32FC1)
    fixed = cv2.initUndistortRectifyMap(K, k, None, K, size, cv2.CV_16SC2)

    def ours(threads: int) -> Callable[[], Any]:
        if is_normals:
            return lambda: undistort_normals(image, marks, camera, threads=threads)
        return lambda: undistort_image(image, camera, threads=threads)

    def opencv(work: Callable[[], Any]) -> Callable[[int], Callable[[], Any]]:
        def with_threads(threads: int) -> Callable[[], Any]:
            cv2.setNumThreads(threads)
            return work

        return with_threads

    def built() -> Any:
        own = cv2.initUndistortRectifyMap(K, k, None, K, size, cv2.CV_32FC1)
        return cv2.remap(image, *own, cv2.INTER_LINEAR)

    return {
        OURS: ours,
        STREAM: lambda threads: lambda: stream(image, camera, is_normals=is_normals),
        GIVEN: opencv(lambda: cv2.remap(image, *maps, cv2.INTER_LINEAR)),
        FIXED: opencv(lambda: cv2.remap(image, *fixed, cv2.INTER_LINEAR)),
        BUILT: opencv(built),
        UNDISTORT: opencv(lambda: cv2.undistort(image, K, k)),
    }


def stream(image: np.ndarray, camera: Camera, *, is_normals: bool) -> None:
    """Rows in, strips out and forgotten, as when they go to a file; one thread."""
    channels = 1 if image.ndim == 2 else 3
    layer = Layer("normals" if is_normals else "linear", channels, image.dtype)
    rows = RowWarp(undistortion(camera), [layer])
    for y in range(0, len(image), STRIP_ROWS):
        for _ in rows.push([image[y : y + STRIP_ROWS]]):
            pass


def run_case(name: str, image: np.ndarray, camera: Camera) -> dict[str, Any]:
    """Measure every way on one image and print its table."""
    rows = {}
    for way, prepare in ways(image, camera).items():
        found: dict[str, Any] = {}
        for threads in (1, 2):
            if way == STREAM and threads > 1:
                continue
            found[f"threads_{threads}"] = measure(prepare(threads), REPEATS)
        work = prepare(1)
        release_memory()  # what was freed before would hide what is taken now
        found["extra_bytes"] = extra_memory(work)
        rows[way] = found
    case = {"image": name, "bytes": image.nbytes, "rows": rows}
    show(case)
    return case


def coordinate_errors(camera: Camera) -> dict[str, dict[str, float]]:
    """Largest and mean error in px of where the samples come from."""
    exact, _ = distort_points(camera, pixel_grid(camera))
    width, height = camera.image_size
    inside = ((exact >= 0) & (exact <= (width - 1, height - 1))).all(axis=-1)
    ramps = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
    found = {}
    for way in (OURS, GIVEN, FIXED, UNDISTORT):
        worst, total = 0.0, 0.0
        for axis in (0, 1):
            # Ramps of 256 keep float32 from adding errors of its own; their seams are left out.
            ramp = np.ascontiguousarray(ramps[..., axis] % 256)
            seen = ways(ramp, camera)[way](1)()
            values = seen[0] if isinstance(seen, tuple) else seen
            middle = inside & (exact[..., axis] % 256 > 1) & (exact[..., axis] % 256 < 254)
            error = np.abs(values - exact[..., axis] % 256)[middle]
            worst, total = max(worst, float(error.max())), total + float(error.mean()) / 2
        found[way] = {"max": worst, "mean": total}
        print(f"{way:38} coordinate error at most {worst:.2e} px, mean {total:.2e} px")
    return found


def show(case: dict[str, Any]) -> None:
    base = case["rows"][UNDISTORT]["threads_1"]["cpu_s"]
    print(f"\n{case['image']}, {case['bytes'] / 1e6:.0f} MB")
    print(f"{'':38}{'CPU s':>8}{'wall s':>8}{'2 thr.':>8}{'extra MB':>10}{'of cv2.undistort':>18}")
    for way, row in case["rows"].items():
        one, two = row["threads_1"], row.get("threads_2")
        both = f"{two['wall_s']:8.3f}" if two else f"{'':8}"
        extra = "" if row["extra_bytes"] is None else f"{row['extra_bytes'] / 1e6:.0f}"
        print(
            f"{way:38}{one['cpu_s']:8.3f}{one['wall_s']:8.3f}{both}{extra:>10}"
            f"{one['cpu_s'] / base:17.2f}x"
        )


def judge(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The claims, each with its worst case here."""
    cases = record["cases"]

    def cpu(case: dict[str, Any], way: str) -> float:
        return float(case["rows"][way]["threads_1"]["cpu_s"])

    ratios = [cpu(case, OURS) / cpu(case, UNDISTORT) for case in cases]
    built = [cpu(case, OURS) / cpu(case, BUILT) for case in cases]
    error = record["coordinate_error_px"][OURS]["max"]
    extras = [case["rows"][STREAM]["extra_bytes"] for case in cases]
    known = [extra / 1e6 for extra in extras if extra is not None]
    return [
        _claim("CPU at most that of cv2.undistort", max(ratios), 1.0),
        _claim("CPU at most that of cv2 maps and remap", max(built), 1.0),
        _claim("coordinates right to 1e-3 px", error, 1e-3),
        _claim("row stream within 64 MB", max(known, default=0.0), 64.0),
    ]


def _claim(text: str, measured: float, bound: float) -> dict[str, Any]:
    return {"claim": text, "bound": bound, "measured": round(measured, 6), "met": measured <= bound}


if __name__ == "__main__":
    main()
