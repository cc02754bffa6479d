"""How well masks of defects agree with pictures, over the share of a pixel that must be covered.

    python benchmarks/synth_masks.py [--quick] [--seeds N] [--out FILE]

Defects of every kind are drawn from the generator's own ranges, on parts of the catalogue, in five
views at 256 and 512 px. What a picture shows is taken from noise-free renders (16 samples a pixel,
four lights) with and without the defect, by lights that cast no shadows: a pixel differs when one
of them changes by more than 2%. What a defect shades elsewhere is so left out without any mask.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from solve import RESULTS, machine

from mvps.calib.geometry import project
from mvps.calib.transforms import crop_camera
from mvps.errors import InputError
from mvps.files import write_json
from mvps.synth.defect_draw import draw_defect
from mvps.synth.defects import KINDS, Defect, apply_defect
from mvps.synth.materials import preset
from mvps.synth.mesh import Mesh, bounds
from mvps.synth.parts import Part, load_part
from mvps.synth.placing import Placement, place
from mvps.synth.renderer import Renderer
from mvps.synth.scene import Scene
from mvps.synth.views import View, five_views

PARTS = ("jst_header", "dht11", "barrel_jack", "fuse_holder", "rj45_jack")
SIZES = (256, 512)
SAMPLES = 16
HITS = (1, 2, 3, 4, 6, 8)  # of 16 samples, that are tried as the least
LIT = 0.02  # relative difference of a light image
FEWEST = 40  # pixels of the mask or of the difference
ENOUGH = 0.9  # overlap
MARGIN = 6  # px around what is rendered
FINE, FINE_PX = "fine scratch or crack", 2.0  # at most so wide
LOWEST = 12  # views that are named


@dataclass(frozen=True)
class Case:
    """One defect in one view: overlap of pixel centres, and by ``HITS``."""

    part: str
    kind: str
    seed: int
    size: int
    view: str
    width_px: float
    pixels: int
    centre: float
    overlap: tuple[float, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one part, two defects a kind")
    parser.add_argument("--seeds", type=int, default=8, help="defects of a kind and part")
    parser.add_argument("--out", type=Path, help="JSON file (default: benchmarks/results/...)")
    options = parser.parse_args()
    started = time.process_time()
    parts, seeds = (PARTS[:1], 2) if options.quick else (PARTS, options.seeds)
    cases = [case for name in parts for case in cases_of(name, seeds)]
    table = rows_of(cases)
    for row in table:
        print(text_of(row))
    record: dict[str, Any] = {"parts": parts, "seeds": seeds, "samples": SAMPLES} | machine()
    record |= {"cpu_s": round(time.process_time() - started), "views": len(cases)}
    record |= {"columns": ["median", "least", f"share of {ENOUGH} or more"], "overlap": table}
    cases.sort(key=lambda case: case.overlap[0])
    record["lowest"] = [vars(case) for case in cases[:LOWEST]]
    out = options.out or RESULTS / f"synth_masks{'-quick' if options.quick else ''}.json"
    write_json(out, record)
    print(f"{len(cases)} views in {record['cpu_s']:.0f} CPU s, written to {out}")


def cases_of(name: str, seeds: int) -> Iterator[Case]:
    """Every drawn defect of a part in every view and size that shows enough of it."""
    part = load_part(name)
    sound = scene_of(part, part.mesh, part.looks)
    for kind in KINDS:
        for seed in range(seeds):
            try:
                defect = draw_defect(part, kind, np.random.default_rng((seed, KINDS.index(kind))))
            except InputError as error:
                print(error)
                break
            made = apply_defect(part.mesh, part.looks, defect)
            bad = scene_of(part, made.mesh, made.looks)
            scenes = [bad]
            if made.removed is not None:
                scenes.append(scene_of(part, made.removed, made.looks))
            for size in SIZES:
                for view in views_of(name, size):
                    found = compared(sound, scenes, cropped(view, scenes))
                    if found is not None:
                        width = round(width_of(defect) / mm_per_px(name, size), 2)
                        yield Case(name, kind, seed, size, view.name, width, **found)


def compared(sound: Renderer, scenes: list[Renderer], view: View) -> dict[str, Any] | None:
    """Overlaps in one view, or None where next to nothing is seen."""
    hits = np.max([np.rint(s.coverage(view, SAMPLES) * SAMPLES) for s in scenes], axis=0)
    before, after = sound.light_images(view, SAMPLES), scenes[0].light_images(view, SAMPLES)
    change = np.abs(after - before).max(axis=-1)
    unlike = (change > LIT * np.maximum(before, after).max(axis=-1)).any(axis=0)
    pixels = int(max((hits > 0).sum(), unlike.sum()))
    if pixels < FEWEST:
        return None
    centre = np.any([s.truth(view).label > 0 for s in scenes], axis=0)
    return {
        "pixels": pixels,
        "centre": overlap(centre, unlike),
        "overlap": tuple(overlap(hits >= least, unlike) for least in HITS),
    }


def rows_of(cases: list[Case]) -> list[dict[str, Any]]:
    """A row a kind and size: what :func:`figures` says of pixel centres, and of each share."""
    rows: list[dict[str, Any]] = []
    for size in SIZES:
        for kind in (*KINDS, FINE, "all"):
            mine = [case for case in cases if case.size == size and fits(case, kind)]
            if not mine:
                continue
            row = {"size": size, "kind": kind, "views": len(mine)}
            row["pixel centre"] = figures([case.centre for case in mine])
            for column, hits in enumerate(HITS):
                row[f"{hits}/{SAMPLES}"] = figures([case.overlap[column] for case in mine])
            rows.append(row)
    return rows


def figures(overlaps: list[float]) -> list[float]:
    """Median and least overlap, and the share of views in which it is enough."""
    values = np.array(overlaps)
    three = np.median(values), values.min(), (values >= ENOUGH).mean()
    return [round(float(value), 3) for value in three]


def text_of(row: dict[str, Any]) -> str:
    cells = [value for value in row.values() if isinstance(value, list)]
    shown = "  ".join(f"{middle:.3f} {low:.2f} {share:4.0%}" for middle, low, share in cells)
    return f"{row['size']} {row['kind']:22s}{row['views']:4d}  {shown}"


def fits(case: Case, kind: str) -> bool:
    if kind == FINE:
        return case.kind in {"scratch", "crack"} and case.width_px <= FINE_PX
    return kind in {case.kind, "all"}


def scene_of(part: Part, mesh: Mesh, looks: Any) -> Renderer:
    """The part upright on the plate, lit without cast shadows."""
    standing = place(mesh, Placement(), standing=part.mesh)
    renderer = Renderer(Scene(standing, looks, preset("ground")), seed=5)
    tracer = renderer._world.tracer
    tracer.blocked = lambda _origin, _way, _length, active: active & ~active  # type: ignore[method-assign]
    return renderer


@cache
def views_of(name: str, size: int) -> tuple[View, ...]:
    return five_views(span_of(name), (size, size))


def span_of(name: str) -> float:
    return float(np.linalg.norm(np.ptp(bounds(load_part(name).mesh), axis=0)))


def mm_per_px(name: str, size: int) -> float:
    camera = views_of(name, size)[0].camera
    return float(np.linalg.norm(camera.translation) / camera.matrix[0, 0])


def width_of(defect: Defect) -> float:
    return float(defect.parameters.get("width_mm", defect.size_mm))


def cropped(view: View, scenes: list[Renderer]) -> View:
    """The part of a view in which labelled faces lie, seen or not."""
    corners = [s.scene.part.vertices[s.scene.part.faces[s.scene.part.label > 0]] for s in scenes]
    pixels, _ = project(view.camera, np.concatenate(corners).reshape(-1, 3))
    side = np.array(view.camera.image_size)
    low = np.clip(np.floor(pixels.min(axis=0)) - MARGIN, 0, side - 2).astype(int)
    high = np.clip(np.ceil(pixels.max(axis=0)) + MARGIN, low + 2, side).astype(int)
    camera = crop_camera(view.camera, *low.tolist(), *(high - low).tolist())
    return replace(view, camera=camera)


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return round(float((one & other).sum() / max((one | other).sum(), 1)), 3)


if __name__ == "__main__":
    main()
