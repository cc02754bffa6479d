"""What heights cost and how right they are: 20 megapixels, memory, steps that are kept.

    python benchmarks/surface.py [--quick] [--out FILE] [--picture FILE]

The cosine transform is measured beside a bare pair of SciPy's, in the same precision and with as
many threads. Memory is the peak beyond what was there before the call, the slopes included there.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import fft, ndimage
from solve import FULL_SIZE, QUICK_SIZE, RESULTS, extra_memory, load_average, machine, measure

from mvps.files import write_json
from mvps.machine import cores, release_memory
from mvps.surface import Slopes, integrate, orthographic_slopes
from mvps.surface.job import peak_memory
from mvps.surface.poisson import dct_height, frankot_height

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from reliefs import cap, closed_step, normals_of, rms_share, slopes_of, slot, sphere

REPEATS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a sixteenth of the pixels")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/...)")
    parser.add_argument("--picture", type=Path, help="draw a slot, Poisson and bilateral")
    options = parser.parse_args()
    if options.picture:
        draw(options.picture)
        return
    size = QUICK_SIZE if options.quick else FULL_SIZE
    record: dict[str, Any] = {"size": list(size), "threads": cores()} | machine()
    record["versions"]["scipy"] = __import__("scipy").__version__
    print(f"{size[0]} x {size[1]}, {record['processor']}, load {record['load_average_before']}")
    record["transforms"] = transforms(size)
    record["sparse"] = masked(size, "sparse")
    record["bilateral"] = masked(size, "bilateral")
    record["accuracy"] = accuracy()
    record["load_average_after"] = load_average()
    record["claims"] = judge(record)
    for claim in record["claims"]:
        print(f"{claim['claim']}: {claim['measured']} ({'met' if claim['met'] else 'MISSED'})")
    out = options.out or RESULTS / ("surface-quick.json" if options.quick else "surface.json")
    write_json(out, record)
    print(f"written to {out}")


def dome(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Part of a sphere that fills a frame: normals and height, in float32 to spare memory."""
    rows, columns = (np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2) for n in size)
    radius = np.float32(0.8 * max(size))
    height = np.sqrt(radius**2 - (rows**2)[:, None] - columns**2)
    normals = np.empty((*size, 3), np.float32)
    normals[..., 0] = columns / radius
    normals[..., 1] = -rows[:, None] / radius
    normals[..., 2] = height / radius
    return normals, height


def transforms(size: tuple[int, int]) -> list[dict[str, Any]]:
    """Time and memory of whole frames beside a bare pair of transforms."""
    normals, _ = dome(size)
    slopes = orthographic_slopes(normals)
    plane = np.random.default_rng(0).normal(size=size).astype(np.float32)

    def bare(threads: int) -> Callable[[], Any]:
        return lambda: fft.idctn(
            fft.dctn(plane, workers=threads), overwrite_x=True, workers=threads
        )

    rows = []
    for threads in sorted({1, cores()}):
        ways: dict[str, Callable[[], Any]] = {
            "bare SciPy DCT pair": bare(threads),
            "dct_height": lambda n=threads: dct_height(slopes, threads=n),
            "normals to height, dct": lambda n=threads: dct_height(
                orthographic_slopes(normals), threads=n
            ),
            "frankot_height": lambda n=threads: frankot_height(slopes, threads=n),
        }
        for name, work in ways.items():
            row = {"name": name, "threads": threads} | measure(work, REPEATS)
            release_memory()
            row["extra_bytes"] = extra_memory(work)
            rows.append(row)
            memory = (row["extra_bytes"] or 0) / 2**20
            print(f"  {name}, {threads} threads: {row['wall_s']:.2f} s, {memory:.0f} MiB")
    return rows


def masked(size: tuple[int, int], method: str) -> dict[str, Any]:
    """A disc with 40 holes: time, memory and error of an iterative solver."""
    slopes, height = holed_dome(size)
    found: dict[str, Any] = {}

    def work() -> None:
        started = time.perf_counter()
        surface = integrate(slopes, method, threads=cores())
        found["wall_s"] = time.perf_counter() - started
        found["surface"] = surface

    release_memory()
    extra = extra_memory(work)
    surface = found.pop("surface")
    found["figures"] = surface.figures
    # Where holes overlap, single pixels may be left, whose offset is their own.
    found["rms_share"] = rms_share(surface.height, height, surface.regions.labels == 1)
    row = {
        "method": method,
        "size": list(size),
        "valid": int(np.count_nonzero(slopes.valid)),
        "extra_bytes": extra,
        "process_peak_bytes": peak_memory(),
    } | found
    print(
        f"  {method}, {size[0]} x {size[1]}: {row['wall_s']:.1f} s, {(extra or 0) / 2**30:.2f} GiB "
        f"beyond the slopes, {row['process_peak_bytes'] / 2**30:.2f} GiB in all, "
        f"error {row['rms_share']:.1e} of the range"
    )
    return row


def holed_dome(size: tuple[int, int]) -> tuple[Slopes, np.ndarray]:
    normals, height = dome(size)
    rows, columns = (np.arange(n) - (n - 1) / 2 for n in size)
    mask = ((rows / size[0]) ** 2)[:, None] + (columns / size[1]) ** 2 < 0.24
    rng = np.random.default_rng(1)
    for y, x in rng.uniform(-0.3, 0.3, (40, 2)) * size:
        mask[(rows[:, None] - y) ** 2 + (columns - x) ** 2 < (0.01 * max(size)) ** 2] = False
    return orthographic_slopes(normals, mask), height


def accuracy() -> list[dict[str, Any]]:
    """Root mean square error as a share of the range, exact normals and half a degree of noise."""
    step, disc = closed_step()
    near = ndimage.binary_dilation(disc, iterations=3) & ~ndimage.binary_erosion(disc, iterations=3)
    cases = {
        "sphere that fills the frame": (sphere(256), None),
        "cap in a plate": (cap(256), None),
        "slot, 12 px deep": (slot(128, 12.0), None),
        "slot, 4 px deep": (slot(128, 4.0), None),
        "closed step, disc, 3 px from the wall": (step, disc & ~near),
        "closed step, plate, 3 px from the wall": (step, ~disc & ~near),
    }
    rows = []
    for name, (truth, part) in cases.items():
        for noise in (0.0, 0.01):
            row: dict[str, Any] = {"surface": name, "noise": noise}
            for method in ("dct", "frankot", "sparse", "bilateral"):
                found = integrate(slopes_of(truth, noise=noise), method).height
                inside = np.ones(truth[0].shape, bool) if part is None else part
                row[method] = float(np.std((found - truth[0])[inside]) / np.ptp(truth[0]))
            rows.append(row)
            errors = ", ".join(
                f"{m} {row[m]:.2%}" for m in ("dct", "frankot", "sparse", "bilateral")
            )
            print(f"  {name}, noise {noise}: {errors}")
    return rows


def judge(record: dict[str, Any]) -> list[dict[str, Any]]:
    claims = []
    for threads in sorted({row["threads"] for row in record["transforms"]}):
        seconds = {r["name"]: r["wall_s"] for r in record["transforms"] if r["threads"] == threads}
        for name in ("dct_height", "normals to height, dct"):
            ratio = seconds[name] / seconds["bare SciPy DCT pair"]
            claims.append(
                {
                    "claim": f"{name} within 3x of a bare DCT pair, {threads} threads",
                    "measured": f"{ratio:.2f}x",
                    "met": ratio <= 3,
                }
            )
    peak = record["sparse"]["process_peak_bytes"] / 2**30
    claims.append(
        {
            "claim": "sparse solver under 4 GB, the whole process",
            "measured": f"{peak:.2f} GiB",
            "met": peak * 2**30 < 4e9,
        }
    )
    exact = {row["surface"]: row for row in record["accuracy"] if not row["noise"]}
    for name, bound in (("cap in a plate", 0.001), ("slot, 12 px deep", 0.005)):
        share = exact[name]["bilateral"]
        text = f"{name}: bilateral under {bound:.1%} of the range"
        claims.append({"claim": text, "measured": f"{share:.3%}", "met": share < bound})
    return claims


def draw(path: Path) -> None:
    """Truth, Poisson's height and the bilateral one, with a row through the slot."""
    from mvps.plotting import COLOURS, MAP, new_figure, save_figure

    truth = slot(160, 14.0)
    slopes = orthographic_slopes(normals_of(truth, 0.005))
    found = {m: integrate(slopes, m).height for m in ("dct", "bilateral")}
    shown = {"truth": truth[0]} | {
        {"dct": "Poisson (dct)", "bilateral": "bilateral"}[name]: height
        - np.median((height - truth[0])[:, :40])
        for name, height in found.items()
    }
    figure = new_figure(9.6, 2.9)
    panels = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.35])
    for axes, (name, height) in zip(panels, shown.items(), strict=False):
        image = axes.imshow(height, cmap=MAP, vmin=-14, vmax=1)
        axes.set_title(name)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.axhline(130, color="white", linewidth=0.8)
    figure.colorbar(image, ax=panels[:3], shrink=0.75, label="height (px)", location="left")
    styles = (("black", "-", 3.0), (COLOURS[1], "-", 1.5), (COLOURS[5], "--", 1.5))
    for (name, height), (colour, line, width) in zip(shown.items(), styles, strict=True):
        panels[3].plot(height[130], color=colour, linestyle=line, linewidth=width, label=name)
    panels[3].set_title("along the white line")
    panels[3].set_xlabel("column (px)")
    panels[3].set_ylabel("height (px)")
    panels[3].set_ylim(-21, 1)
    panels[3].legend(fontsize=8, loc="lower left")
    save_figure(figure, path)


if __name__ == "__main__":
    main()
