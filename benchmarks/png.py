"""What PNG costs to read and to write: this package against OpenCV and libpng (imagecodecs).

    python benchmarks/png.py [--quick] [--out FILE]

Single thread; CPU milliseconds are the best of several repeats, files stay in the page cache. The
photographs are smooth texture with shot and read noise, 12 bits, of which 8 bit keeps the upper
ones; the normal map is that of normal_encodings.py. What is read was written by OpenCV at its
defaults. Rows are read and written 64 at a time. "inflate alone" is the same ISA-L over the same
pixels, without checksums of chunks, filters or rows.
"""

from __future__ import annotations

import argparse
import tempfile
import zlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
from isal import isal_zlib
from normal_encodings import realistic_map
from numpy.typing import NDArray
from solve import FULL_SIZE, QUICK_SIZE, RESULTS, load_average, machine, measure

from mvps.files import write_json
from mvps.images import ImageRef, open_rows, read_image
from mvps.images.encodings import BLOCK_ROWS, quantise
from mvps.images.png_writer import PngWriter

PACKAGES = ("opencv-python-headless", "imagecodecs", "isal")
OPENCV, LIBPNG, OURS, CODEC = "OpenCV", "libpng", "mvps", "inflate alone"
ELECTRONS, READ_NOISE = 15000.0, 2.5  # full well and noise of a small-pixel sensor
PIECE = 1 << 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a sixteenth of the pixels")
    parser.add_argument("--out", type=Path, help="JSON file (default: in benchmarks/results/)")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    size = QUICK_SIZE if options.quick else FULL_SIZE
    repeats = 2 if options.quick else 5
    record: dict[str, Any] = {"size": size, "threads": 1} | machine()
    record["versions"] |= {name: version(name) for name in PACKAGES}
    print(f"{size[0]} x {size[1]}, {record['processor']}, load {record['load_average_before']}")
    print(f"{'':34}{'CPU ms':>8}{'MB':>8}{'speed-up':>10}{'bytes':>8}")
    with tempfile.TemporaryDirectory() as folder:
        record["cases"] = [
            run_case(name, image, Path(folder), repeats) for name, image in images(*size)
        ]
    record["load_average_after"] = load_average()
    record["claims"] = judge(record["cases"])
    for claim in record["claims"]:
        print(f"{claim['claim']}: {claim['measured']} ({'met' if claim['met'] else 'MISSED'})")
    out = options.out or RESULTS / ("png-quick.json" if options.quick else "png.json")
    write_json(out, record)
    print(f"written to {out}")


def images(height: int, width: int) -> list[tuple[str, NDArray[Any]]]:
    twelve = photograph(height, width)
    normals, valid = realistic_map(height, width)
    return [
        ("8-bit grey", (twelve >> 4).astype(np.uint8)),
        ("16-bit grey", twelve << 4),
        ("16-bit normals", quantise(normals, valid, np.uint16)),
    ]


def photograph(height: int, width: int) -> NDArray[np.uint16]:
    """Grey values of 12 bits (H, W)."""
    rng = np.random.default_rng(12)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1.5 : 1.5 : width * 1j].astype(np.float32)
    fine = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), 3)
    light = 0.45 + 0.2 * np.sin(4 * x) * np.cos(3 * y) + 0.35 * fine
    charge = np.clip(light, 0.01, 1) * (0.9 * ELECTRONS)
    noise = np.sqrt(charge + READ_NOISE**2)
    charge += noise * rng.standard_normal((height, width), np.float32)
    return np.clip(charge * (4095 / ELECTRONS) + 16.5, 0, 4095).astype(np.uint16)


def run_case(name: str, image: NDArray[Any], folder: Path, repeats: int) -> dict[str, Any]:
    """Measure and print one image; OpenCV writes last, for its file is what is read."""
    path, text = folder / "image.png", str(folder / "image.png")
    # OpenCV takes and gives the channels in its own order: their exchange is not counted.
    theirs = image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])
    writing: dict[str, Callable[[], Any]] = {
        LIBPNG: lambda: path.write_bytes(imagecodecs.png_encode(image)),
        OURS: lambda: write(path, image),
        OPENCV: lambda: cv2.imwrite(text, theirs),
    }
    written = {}
    for codec, work in writing.items():
        seconds = measure(work, repeats)
        written[codec] = seconds | {"bytes": path.stat().st_size}
        if not np.array_equal(read_image(ImageRef(path)), image):
            raise SystemExit(f"{name}, {codec}: other samples came back")
    reading: dict[str, Callable[[], Any]] = {
        OPENCV: lambda: cv2.imread(text, cv2.IMREAD_UNCHANGED),
        LIBPNG: lambda: imagecodecs.png_decode(path.read_bytes()),
        OURS: lambda: by_strips(path),
        CODEC: inflation(path.read_bytes()),
    }
    size = written[OPENCV]["bytes"]
    reads = {codec: measure(work, repeats) | {"bytes": size} for codec, work in reading.items()}
    for action, rows in (("read", reads), ("write", written)):
        for codec in sorted(rows, key=[OPENCV, LIBPNG, OURS, CODEC].index):
            show(f"{action} {name}, {codec}", rows[codec], rows[OPENCV])
    return {"image": name, "read": reads, "write": written}


def write(path: Path, image: NDArray[Any]) -> None:
    channels = 1 if image.ndim == 2 else 3
    writer = PngWriter(path, image.shape[1], image.shape[0], channels, image.dtype)
    for y in range(0, len(image), BLOCK_ROWS):
        writer.write_rows(image[y : y + BLOCK_ROWS])
    writer.finish()


def by_strips(path: Path) -> None:
    """Every row once, into one strip, as a run does."""
    reader = open_rows(ImageRef(path))
    height = reader.info.height
    strip = np.empty(reader.info.rows_shape(BLOCK_ROWS), reader.info.dtype)
    for y in range(0, height, BLOCK_ROWS):
        reader.read_rows(y, min(height, y + BLOCK_ROWS), strip[: height - y])
    reader.close()


def inflation(data: bytes) -> Callable[[], None]:
    """ISA-L over the zlib stream of a file, its pieces cut beforehand."""
    stream, at = bytearray(), 8
    while at < len(data):
        count = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            stream += data[at + 8 : at + 8 + count]
        at += 12 + count
    pieces = [bytes(stream[i : i + PIECE]) for i in range(0, len(stream), PIECE)]

    def inflate() -> None:
        inflater = isal_zlib.decompressobj(zlib.MAX_WBITS)
        for piece in pieces:
            inflater.decompress(piece)

    return inflate


def show(name: str, row: dict[str, Any], opencv: dict[str, Any]) -> None:
    print(
        f"{name:34}{row['cpu_s'] * 1e3:8.0f}{row['bytes'] / 1e6:8.1f}"
        f"{opencv['cpu_s'] / row['cpu_s']:9.1f}x{row['bytes'] / opencv['bytes']:8.3f}"
    )


def judge(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The claims, each with what was measured here."""

    def ratio(name: str, action: str, figure: str) -> float:
        rows = next(case for case in cases if case["image"] == name)[action]
        return float(rows[OPENCV][figure] / rows[OURS][figure])

    def claim(text: str, measured: float, met: bool) -> dict[str, Any]:
        return {"claim": text, "measured": round(measured, 3), "met": met}

    claims = []
    for name in ("8-bit grey", "16-bit grey"):
        faster = ratio(name, "read", "cpu_s")
        claims.append(claim(f"reading {name} at least 2 x OpenCV", faster, faster >= 2))
    faster = ratio("16-bit normals", "write", "cpu_s")
    larger = 1 / ratio("16-bit normals", "write", "bytes")
    claims.append(claim("writing 16-bit normals at least 2.5 x OpenCV", faster, faster >= 2.5))
    claims.append(claim("at no more than 1.03 of its bytes", larger, larger <= 1.03))
    return claims


if __name__ == "__main__":
    main()
