"""Size, speed and angular error of every way to store a normal map.

    python benchmarks/normal_encodings.py            # 3648 x 5472, as docs/formats.md quotes
    python benchmarks/normal_encodings.py --quick    # 600 x 912, a few seconds

The map is a smooth surface with fine texture and sensor noise. CPU time is that of the whole
process, best of three; the file stays in the page cache, so the disk does not count.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mvps import native
from mvps.files import write_json
from mvps.images.encodings import BLOCK_ROWS, NORMAL_ENCODINGS
from mvps.images.maps import open_normals_writer, read_normals
from mvps.stereo.evaluate import angular_error, summarise

RESULTS = Path(__file__).resolve().parent / "results"
FULL, QUICK = (3648, 5472), (600, 912)
PACKAGES = ("numpy", "opencv-python-headless", "tifffile", "imagecodecs", "OpenEXR")


def realistic_map(height: int, width: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Normals (H, W, 3) of a curved, finely textured part, and the part (H, W)."""
    rng = np.random.default_rng(20)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1.5 : 1.5 : width * 1j].astype(np.float32)

    def rough(slope: NDArray[np.float32]) -> NDArray[np.float32]:
        texture = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), 3)
        return slope + 0.4 * texture + 0.01 * rng.standard_normal((height, width), np.float32)

    slope_x = rough(0.5 * np.sin(4 * x) * np.cos(3 * y))
    slope_y = rough(0.4 * np.cos(5 * x + 1) * np.sin(4 * y))
    normals = np.dstack([-slope_x, -slope_y, np.ones_like(x)])
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    valid = (x / 1.5) ** 8 + y**8 < 0.95
    normals[~valid] = 0
    return normals, valid.astype(np.uint8)


def measure(
    name: str, normals: NDArray[np.float32], valid: NDArray[np.uint8], folder: Path, repeats: int
) -> dict[str, Any]:
    """One line of the table."""
    height, width = valid.shape
    path = folder / f"normals{NORMAL_ENCODINGS[name].suffix}"
    write_s, read_s = [], []
    for _ in range(repeats):
        start = time.process_time()
        writer = open_normals_writer(path, name, width, height)
        for y in range(0, height, BLOCK_ROWS):
            writer.write_rows(normals[y : y + BLOCK_ROWS], valid[y : y + BLOCK_ROWS])
        writer.finish()
        write_s.append(time.process_time() - start)
        start = time.process_time()
        back, _ = read_normals(path)
        read_s.append(time.process_time() - start)
    figures = summarise(angular_error(back, normals))
    megabytes = path.stat().st_size / 1e6
    path.unlink()
    return {
        "encoding": name,
        "write_cpu_ms": round(1000 * min(write_s)),
        "read_cpu_ms": round(1000 * min(read_s)),
        "megabytes": round(megabytes, 1),
        "mean_error_deg": float(f"{figures.mean:.2g}"),
        "max_error_deg": float(f"{figures.max:.2g}"),
        "bound_deg": float(f"{NORMAL_ENCODINGS[name].max_error:.2g}"),
    }


def processor() -> str:
    """Name of the processor, where the system tells it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def quantiser() -> str:
    """What quantises in this process."""
    return f"compiled core, {native.instruction_set()}" if native.library() else "NumPy"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a small map, once")
    parser.add_argument("--out", type=Path, help="JSON file (default: in results/)")
    options = parser.parse_args()
    height, width = QUICK if options.quick else FULL
    cv2.setNumThreads(1)
    normals, valid = realistic_map(height, width)
    rows = []
    print(f"{height} x {width}, {valid.mean():.0%} valid, quantiser: {quantiser()}")
    print(f"{'encoding':9}{'write ms':>9}{'read ms':>9}{'MB':>8}{'mean deg':>10}{'max deg':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name in NORMAL_ENCODINGS:
            row = measure(name, normals, valid, Path(folder), 1 if options.quick else 3)
            rows.append(row)
            print(
                f"{name:9}{row['write_cpu_ms']:9}{row['read_cpu_ms']:9}{row['megabytes']:8}"
                f"{row['mean_error_deg']:10}{row['max_error_deg']:10}"
            )
    name = "normal_encodings-quick.json" if options.quick else "normal_encodings.json"
    out = options.out or RESULTS / name
    out.parent.mkdir(parents=True, exist_ok=True)
    write_json(
        out,
        {
            "command": f"python {Path(__file__).name}" + (" --quick" if options.quick else ""),
            "date": datetime.date.today().isoformat(),
            "processor": processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "packages": {name: version(name) for name in PACKAGES},
            "quantiser": quantiser(),
            "size": [height, width],
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
