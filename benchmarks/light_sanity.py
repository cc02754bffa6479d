"""How often wrong lights are noticed, and how often right ones are suspected.

    python benchmarks/light_sanity.py [--quick] [--out FILE]

Captures: random subsets of the lights of the DiLiGenT ball (where MVPS_TEST_DATA or
../shared/data has it), of crops of the five views of the sample capture, and rendered surfaces with
cast shadows, gloss, noise, unequal lamps and near lights, from 3 to 16 lights. The seeds are not
those that the thresholds were chosen with. Swapped pairs are drawn at least 15 degrees apart.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import platform
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import mvps
from mvps.capture import Overrides, discover
from mvps.files import write_json
from mvps.images import read_image
from mvps.pipeline.lightcheck import examine
from mvps.pipeline.lightpatches import SATURATED
from mvps.stereo.problem import LUMINANCE
from mvps.stereo.sanity import Patch

ROOT = Path(__file__).resolve().parents[1]
BALL = Path(os.environ.get("MVPS_TEST_DATA", ROOT / "../shared/data")) / "diligent_ball"
SEED = 2_000_000
MOVED = (1.0, -2.5)  # px to the right and downwards
WORST_CONDITION = 15.0


@dataclass(frozen=True)
class Capture:
    kind: str
    values: np.ndarray  # (K, h, w) grey over intensity
    usable: np.ndarray  # (h, w)
    directions: np.ndarray  # (K, 3)

    def patch(self, values: np.ndarray | None = None) -> Patch:
        values = self.values if values is None else values
        return Patch(np.ascontiguousarray(values, np.float32), self.usable)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="30 captures instead of 600")
    parser.add_argument("--out", type=Path, help="JSON file")
    options = parser.parse_args()
    count = 30 if options.quick else 600
    answers: Counter[tuple[str, str, str, str]] = Counter()
    shifts: list[dict[str, Any]] = []
    seconds = 0.0
    for number, capture in enumerate(captures(count)):
        rng = np.random.default_rng([SEED, number])
        K = len(capture.directions)
        lights = f"K = {K}" if K <= 4 else ("K = 5 to 8" if K <= 8 else "K > 8")
        for fault, name, directions in faults(capture.directions, rng):
            start = time.process_time()
            verdict, _ = examine([capture.patch()], directions)
            seconds += time.process_time() - start
            answers[capture.kind, lights, fault, verdict.answer] += 1
            named = verdict.answer == "wrong" and name in verdict.words
            answers[capture.kind, lights, fault, "named"] += named
        shifts += moved_captures(capture, rng)
    record = {
        "benchmark": "light_sanity",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "mvps": mvps.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "captures": count,
        "cpu_ms_per_verdict": round(
            1000 * seconds / sum(n for key, n in answers.items() if key[3] != "named"), 1
        ),
        "rows": table(answers),
        "shifts": shift_table(shifts),
    }
    show(record)
    name = "light_sanity-quick.json" if options.quick else "light_sanity.json"
    out = options.out or ROOT / "benchmarks/results" / name
    write_json(out, record)
    print(f"written to {out}")


def faults(L: np.ndarray, rng: np.random.Generator) -> Iterator[tuple[str, str, np.ndarray]]:
    """The right lights, then wrong ones, and the words that should be found for each."""
    yield "right", "", L
    yield "rolled by one", "rolled by one", np.roll(L, 1, axis=0)
    apart = np.argwhere(np.triu(np.degrees(np.arccos(np.clip(L @ L.T, -1, 1))) > 15, 1))
    if len(apart):
        i, j = apart[rng.integers(len(apart))]
        order = np.arange(len(L))
        order[[i, j]] = j, i
        yield "two rows swapped", f"rows {i + 1} and {j + 1} swapped", L[order]
    yield "reversed", "reversed", L[::-1]
    yield "y flipped", "y flipped", L * [1, -1, 1]
    yield "x and y exchanged", "x and y exchanged", L[:, [1, 0, 2]]


def moved_captures(capture: Capture, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Shifts with nothing moved, one image moved, and all images from one on moved."""
    K = len(capture.directions)
    if K < 4:
        return []
    light, first = int(rng.integers(K)), int(rng.integers(1, K))
    found = []
    cases = {"nothing moved": [], "one image moved": [light], "moved once": [*range(first, K)]}
    for name, rows in cases.items():
        values = capture.values.copy()
        for k in rows:
            matrix = np.array([[1, 0, MOVED[0]], [0, 1, MOVED[1]]])
            size = values.shape[:0:-1]
            border = cv2.BORDER_REPLICATE
            values[k] = cv2.warpAffine(
                capture.values[k], matrix, size, flags=cv2.INTER_CUBIC, borderMode=border
            )
        verdict, shifts = examine([capture.patch(values)], capture.directions)
        alarms = [s for s in shifts if s.alarming]
        hit = [s for s in alarms if s.light == light]
        error = np.hypot(hit[0].x - MOVED[0], hit[0].y - MOVED[1]) if hit else None
        found.append(
            {
                "case": name,
                "kind": capture.kind,
                "lights": K,
                "called_wrong": verdict.answer == "wrong",
                "measured": len(shifts) > 0,
                "alarm": bool(alarms),
                "error": None if error is None or name != "one image moved" else float(error),
            }
        )
    return found


def captures(count: int) -> Iterator[Capture]:
    """A third each of the ball, the sample views and rendered surfaces."""
    ball, views = load_ball(), load_views()
    for number in range(count):
        rng = np.random.default_rng([SEED + 1, number])
        if number % 3 == 0 and ball is not None:
            yield subset(ball, int(rng.integers(3, 17)), rng)
        elif number % 3 == 1:
            view = subset(views[rng.integers(len(views))], int(rng.integers(3, 9)), rng)
            y, x, edge = rng.integers(0, 100), rng.integers(0, 140), rng.integers(110, 225)
            part = (slice(y, y + edge), slice(x, x + edge))
            yield Capture(view.kind, view.values[:, *part], view.usable[part], view.directions)
        else:
            yield rendered(rng)


def subset(whole: Capture, K: int, rng: np.random.Generator) -> Capture:
    """K of the lights, not too near one plane."""
    while True:
        rows = np.sort(rng.choice(len(whole.directions), K, replace=False))
        if np.linalg.cond(whole.directions[rows]) < WORST_CONDITION:
            return Capture(whole.kind, whole.values[rows], whole.usable, whole.directions[rows])


def load_ball() -> Capture | None:
    return load(discover(BALL, Overrides()).stacks[0], "ball") if BALL.is_dir() else None


def load_views() -> list[Capture]:
    found = discover(ROOT / "examples/sample_capture", Overrides())
    return [load(stack, "sample") for stack in found.stacks]


def load(stack: Any, kind: str) -> Capture:
    images = np.stack([read_image(ref) for ref in stack.images]).astype(np.float32) / 65535
    usable = (images < SATURATED).reshape(*images.shape[:3], -1).all(axis=(0, 3))
    if images.ndim == 4:
        weights = np.array(LUMINANCE) / stack.lights.intensities
        images = np.einsum("khwc,kc->khw", images, weights)
    mask = cv2.imread(str(stack.mask), cv2.IMREAD_GRAYSCALE) > 0
    return Capture(kind, images.astype(np.float32), usable & mask, stack.lights.directions)


def rendered(rng: np.random.Generator, size: int = 176, margin: int = 32) -> Capture:
    """A rough surface with steps under 4 to 16 lamps, as a camera would see it."""
    L = lamps(int(rng.integers(4, 17)), rng)
    edge = size + 2 * margin
    height = relief(edge, rng)
    gy, gx = np.gradient(height)
    normals = np.dstack([-gx, gy, np.ones_like(gx)])
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    albedo = rng.uniform(0.3, 0.6) * (1 + rng.uniform(0, 0.4) * noise(edge, 2, rng)).clip(0.1, 2)
    if rng.random() < 0.5:
        albedo = np.where(noise(edge, 5, rng) > 0.5, 0.3, 1) * albedo
    gloss, shine = rng.choice([0, 0.1, 0.4]), rng.uniform(10, 100)
    values = np.empty((len(L), size, size), np.float32)
    for k, light in enumerate(L):
        half = light + np.array([0, 0, 1])
        lobe = np.maximum(normals @ (half / np.linalg.norm(half)), 0) ** shine
        shading = albedo * np.maximum(normals @ light, 0) + gloss * lobe
        values[k] = (shading * lit(height, light))[margin:-margin, margin:-margin]
    ramp = np.linspace(-1, 1, size)
    near = L[:, 0, None, None] * ramp - L[:, 1, None, None] * ramp[:, None]
    values *= 1 + rng.uniform(0, 0.08) * near
    values *= 1 + rng.uniform(0, 0.03) * rng.standard_normal((len(L), 1, 1))
    return Capture("rendered", *digitised(values, rng), L)


def lamps(K: int, rng: np.random.Generator) -> np.ndarray:
    """A ring, a ring of two slants, or a dome."""
    while True:
        turn = np.arange(K) * 2 * np.pi / K + rng.uniform(0, 2 * np.pi)
        slant = np.full(K, rng.uniform(25, 50))
        kind = rng.integers(3)
        if kind == 1:
            slant = np.where(np.arange(K) % 2, rng.uniform(25, 38), rng.uniform(40, 55))
        elif kind == 2:
            turn = rng.uniform(0, 2 * np.pi, K)
            slant = np.degrees(np.arcsin(np.sqrt(rng.uniform(0.05, 0.65, K))))
        polar = np.radians(slant)
        L = np.stack(
            [np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=1
        )
        if np.linalg.cond(L) < WORST_CONDITION:
            return L


def relief(edge: int, rng: np.random.Generator) -> np.ndarray:
    """Height (edge, edge) in px, root mean square slope from 0.005 to 0.5."""
    height = sum(rng.uniform() ** 2 * s * noise(edge, s, rng) for s in (2.5, 6, 14, 30))
    for _ in range(rng.integers(0, 6)):
        disc = np.zeros((edge, edge), np.float32)
        centre = tuple(int(c) for c in rng.integers(0, edge, 2))
        cv2.circle(disc, centre, int(rng.integers(6, 30)), 1.0, -1)
        height = height + cv2.GaussianBlur(disc, (0, 0), 1) * rng.uniform(-5, 5)
    gy, gx = np.gradient(height)
    return height * 10 ** rng.uniform(-2.3, -0.3) / np.sqrt((gx**2 + gy**2).mean())


def noise(edge: int, sigma: float, rng: np.random.Generator) -> np.ndarray:
    field = cv2.GaussianBlur(rng.standard_normal((edge, edge)).astype(np.float32), (0, 0), sigma)
    return field / field.std()


def lit(height: np.ndarray, light: np.ndarray) -> np.ndarray:
    """1 where the lamp is seen, 0 in a cast shadow."""
    across = float(np.hypot(light[0], light[1])) + 1e-6
    y, x = np.mgrid[: height.shape[0], : height.shape[1]].astype(np.float32)
    seen = np.ones(height.shape)
    for step in np.arange(1.5, 30):
        dx, dy = step * light[0] / across, -step * light[1] / across
        there = cv2.remap(
            height.astype(np.float32), x + np.float32(dx), y + np.float32(dy), cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        above = there - height - step * light[2] / across
        seen = np.minimum(seen, np.clip(1 - 2 * above, 0, 1))
    return seen


def digitised(values: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Exposed, with shot and read noise, in 8 or 12 bits; and what is not saturated."""
    well, white = rng.choice([3000, 10_000, 30_000]), rng.choice([255, 4095])
    exposed = np.clip(values / (1.15 * np.percentile(values, 99)), 0, None)
    seen = rng.poisson(exposed * well) / well + rng.normal(0, 4 / well, values.shape)
    raw = np.rint(np.clip(seen, 0, 1) * white) / white
    return raw.astype(np.float32), (raw < SATURATED).all(axis=0)


def table(answers: Counter[tuple[str, str, str, str]]) -> list[dict[str, Any]]:
    rows = []
    for kind, lights, fault in sorted({key[:3] for key in answers}):
        counts = {
            answer: answers[kind, lights, fault, answer]
            for answer in ("right", "inconclusive", "wrong", "named")
        }
        rows.append({"capture": kind, "lights": lights, "fault": fault} | counts)
    return rows


def shift_table(shifts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for kind, case in sorted({(s["kind"], s["case"]) for s in shifts}):
        these = [s for s in shifts if (s["kind"], s["case"]) == (kind, case)]
        errors = [s["error"] for s in these if s["error"] is not None]
        rows.append(
            {
                "capture": kind,
                "case": case,
                "captures": len(these),
                "measured": sum(s["measured"] for s in these),
                "alarms": sum(s["alarm"] for s in these),
                "lights_called_wrong": sum(s["called_wrong"] for s in these),
                "median_error_px": round(float(np.median(errors)), 3) if errors else None,
                "p95_error_px": round(float(np.quantile(errors, 0.95)), 3) if errors else None,
            }
        )
    return rows


def show(record: dict[str, Any]) -> None:
    print(f"{record['captures']} captures, {record['cpu_ms_per_verdict']} ms CPU a verdict")
    print(f"{'capture':10}{'lights':12}{'fault':20}{'right':>7}{'unsure':>8}{'wrong':>7}")
    for row in record["rows"]:
        counts = f"{row['right']:7}{row['inconclusive']:8}{row['wrong']:7}"
        print(f"{row['capture']:10}{row['lights']:12}{row['fault']:20}{counts}")
    for fault in dict.fromkeys(row["fault"] for row in record["rows"]):
        for few in (True, False):
            rows = [r for r in record["rows"] if r["fault"] == fault]
            rows = [r for r in rows if (r["lights"] == "K = 3") == few]
            total = sum(r["right"] + r["inconclusive"] + r["wrong"] for r in rows)
            wrong = sum(r["wrong"] for r in rows)
            if total:
                lights = "K = 3" if few else "K > 3"
                named = sum(r["named"] for r in rows)
                print(f"{lights}, {fault}: {wrong} of {total} called wrong, {named} by name")
    for row in record["shifts"]:
        print(
            f"{row['capture']:10}{row['case']:18}{row['alarms']:4} alarms, {row['measured']} of "
            f"{row['captures']} measured, error {row['median_error_px']} px, "
            f"95% {row['p95_error_px']}, lights called wrong {row['lights_called_wrong']}"
        )


if __name__ == "__main__":
    main()
