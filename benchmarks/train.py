"""What training and scoring cost: epochs from the cache and epochs that encode, one scored image.

    python benchmarks/train.py [--quick] [--out FILE]

Every part runs in a process of its own, whose peak memory is stated with it. An epoch is timed
from the end of its first step. Its bound is (encode + train step) / train step, where encoding
includes decoding the image files; both are timed alone in the same process. The encoder is
``focus-vits14`` where it is imported (examples/fetch_encoder.py), else a ViT-S of random weights.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from children import RESULTS, machine, python, run_child

from mvps import console
from mvps.files import write_json

ENCODER, MODEL = "focus-vits14", "vit_small_patch14_dinov2.lvd142m"
SIDE, FULL = (392, 392), (5472, 3648)  # width and height in px
TILE, OVERLAP = 1400, 100
SMALL = Path(__file__).resolve().parents[1] / "examples" / "small_dataset"
PARTS = ("epoch_392", "epoch_20mp", "score", "tiled", "accuracy")
SHARE, SCORE_LIMIT = 0.85, 1.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer images, one repeat, 4 steps")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one; repeatable")
    parser.add_argument("--child", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="JSON file (default: in benchmarks/results/)")
    options = parser.parse_args()
    if options.child:
        console.print_json(measured(options.child, options.quick))
        return
    out = options.out or RESULTS / ("train-quick.json" if options.quick else "train.json")
    record: dict[str, Any] = machine() | {"quick": options.quick, "parts": {}}
    if options.part and out.is_file():  # the other parts stay as they were measured
        record["parts"] = json.loads(out.read_text(encoding="utf-8"))["parts"]
    for name in options.part or PARTS:
        words = ("--quick",) if options.quick else ()
        cost, said = run_child(python(__file__, "--child", name, *words))
        figures = json.loads(said.splitlines()[-1])
        record["parts"][name] = figures | {"peak_mb": cost.peak_bytes / 1e6}
        record["claims"] = judge(record["parts"])
        write_json(out, record)  # the other parts can be measured later
    show(record)
    console.say(f"written to {out}")


def measured(part: str, quick: bool) -> dict[str, Any]:
    """Figures of one part, measured in this process."""
    encoder, name = make_encoder(224 if part == "accuracy" else 392)
    with TemporaryDirectory() as place:
        folder = Path(place)
        work: dict[str, Callable[[], dict[str, Any]]] = {
            "epoch_392": lambda: epochs(encoder, folder, SIDE, 4 if quick else 8),
            "epoch_20mp": lambda: epochs(encoder, folder, FULL, 2 if quick else 4),
            "score": lambda: score_one(encoder, folder, 1 if quick else 7),
            "tiled": lambda: score_tiled(encoder, folder),
            "accuracy": lambda: accuracy(encoder, folder, 4 if quick else 40),
        }
        return {"encoder": name} | work[part]()


def make_encoder(size: int) -> tuple[Any, str]:
    """The encoder and what to call it."""
    from mvps.detect.encoder import DEFAULT_LAYERS, Encoder, EncoderFacts, load_encoder
    from mvps.detect.weights import create_vit
    from mvps.errors import InputError

    try:
        return load_encoder(ENCODER, size=size, device="cpu"), ENCODER
    except InputError:
        model = create_vit(MODEL, pretrained=False, img_size=size).eval().requires_grad_(False)
        facts = EncoderFacts(MODEL, MODEL, "random", DEFAULT_LAYERS, 384, 6, 14, size, False)
        return Encoder(model, facts, "cpu"), f"{MODEL}, random weights"


def make_records(folder: Path, size: tuple[int, int], count: int) -> tuple[Any, ...]:
    """Records of noisy colour and of normals that tilt slowly, as 8-bit PNG files."""
    import cv2
    import numpy as np

    from mvps.datasets import GOOD, Record

    records = []
    for number in range(count):
        rng = np.random.default_rng(number)
        coarse = rng.integers(40, 200, (12, 12, 3)).astype(np.uint8)
        colour = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
        colour += rng.integers(0, 8, colour.shape, np.uint8)
        slopes = cv2.resize(rng.normal(0, 0.3, (12, 12, 2)).astype(np.float32), size)
        vectors = np.dstack([np.ones_like(slopes[..., 0]), slopes])
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        rgb, normals = folder / f"{number}_rgb.png", folder / f"{number}_normals.png"
        cv2.imwrite(str(rgb), colour)
        cv2.imwrite(str(normals), np.rint((vectors + 1) * 127.5).astype(np.uint8))
        names = ("part", f"S{number}", "", "train", 0, GOOD)
        records.append(Record(*names, rgb, normals, None, "opengl"))
    return tuple(records)


def source_of(encoder: Any, records: Any, cache: Any = None, **tiling: int) -> Any:
    from mvps.datasets import NORMALS, RGB
    from mvps.detect.features import FeatureSource
    from mvps.detect.preprocess import Preprocess

    crop = encoder.facts.size
    resize = 448 if crop == 392 else crop
    return FeatureSource(
        records, (RGB, NORMALS), encoder, Preprocess(resize, crop, **tiling), cache
    )


class Held:
    """A source whose only batch is in memory: what a training costs without its images."""

    def __init__(self, features: Any) -> None:
        self.features = features

    def __len__(self) -> int:
        return len(self.features.names)

    def batch(self, _: Any) -> Any:
        return self.features


def make_detector(encoder: Any, batch: int, name: str = "cprn") -> Any:
    from mvps.detect.recipe import Recipe
    from mvps.detect.run_settings import RunSettings, build_detector
    from mvps.detect.workers import native_precision

    options = {"most": 1000, "reservoir": 10_000} if name == "patchcore" else {}
    recipe = Recipe(batch=batch)
    settings = RunSettings(name, options=options, recipe=recipe)
    return build_detector(replace(settings, precision=native_precision("cpu")), encoder.facts)


def fit(detector: Any, source: Any, steps: int) -> list[float]:
    """Train; the clock at the end of each step."""
    from mvps.detect.detector import Budget

    clock: list[float] = []
    budget = Budget(steps, progress=lambda _: clock.append(time.perf_counter()))
    detector.fit(source, None, seed=0, device="cpu", budget=budget)
    return clock


def epochs(encoder: Any, folder: Path, size: tuple[int, int], count: int) -> dict[str, Any]:
    """An epoch from the cache and one that encodes, a batch of four images a step."""
    from mvps.detect.cache import FeatureCache

    batch, per_epoch = min(4, count), count // min(4, count)
    records = make_records(folder, size, count)
    cached = source_of(encoder, records, FeatureCache(folder / "cache"))
    plain = source_of(encoder, records)
    cached.warm()
    held = Held(cached.batch(range(batch)))

    def epoch(source: Any, repeats: int) -> float:
        clock = fit(make_detector(encoder, batch), source, 1 + repeats * per_epoch)
        return min(clock[(i + 1) * per_epoch] - clock[i * per_epoch] for i in range(repeats))

    step = epoch(held, 3)
    parts = [range(at, at + batch) for at in range(0, count, batch)]
    encode = best(lambda: [plain.batch(part) for part in parts], 2)
    from_cache, encoding = epoch(cached, 3), epoch(plain, 2)
    bound = (encode + step) / step
    gain = encoding / from_cache
    return {
        "images": count,
        "px": size,
        "batch": batch,
        "train_steps_s": step,
        "encode_s": encode,
        "cached_epoch_s": from_cache,
        "encoding_epoch_s": encoding,
        "gain": gain,
        "bound": bound,
        "share_of_bound": gain / bound,
    }


def best(work: Callable[[], Any], repeats: int) -> float:
    """Least wall seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def score_one(encoder: Any, folder: Path, repeats: int) -> dict[str, Any]:
    """One image scored, and two encoder passes and one forward alone, in turns."""
    import numpy as np

    from mvps.detect.scoring import score_source

    source = source_of(encoder, make_records(folder, SIDE, 1))
    features = source.batch([0])
    detector = make_detector(encoder, 1)
    fit(detector, Held(features), 1)
    image = np.zeros((1, 3, encoder.facts.size, encoder.facts.size), np.float32)

    def alone() -> None:
        encoder(image)
        encoder(image)
        detector.score(features)

    turns = [
        (best(lambda: list(score_source(detector, source)), 1), best(alone, 1))
        for _ in range(repeats + 1)
    ][1:]
    scored, bare = (min(column) for column in zip(*turns, strict=True))
    return {"repeats": repeats, "scored_s": scored, "alone_s": bare, "ratio": scored / bare}


def score_tiled(encoder: Any, folder: Path) -> dict[str, Any]:
    """One image of 20 MP scored tile by tile."""
    from mvps.detect.scoring import score_source

    records = make_records(folder, FULL, 1)
    whole = source_of(encoder, records)
    detector = make_detector(encoder, 1)
    fit(detector, Held(whole.batch([0])), 1)
    source = source_of(encoder, records, tile=TILE, overlap=OVERLAP)
    seconds = best(lambda: list(score_source(detector, source)), 1)
    return {"px": FULL, "tile": TILE, "tiles": len(source), "scored_s": seconds}


def accuracy(encoder: Any, folder: Path, steps: int) -> dict[str, Any]:
    """I-AUROC of views on the shipped data set, both detectors on the same cached features."""
    from mvps.datasets import read_dataset
    from mvps.detect.cache import FeatureCache
    from mvps.detect.scoring import score_source
    from mvps.metrics import image_metrics

    records = read_dataset(SMALL).records
    cache = FeatureCache(folder / "cache")
    learn = source_of(encoder, [r for r in records if r.split == "train" and not r.label], cache)
    test = source_of(encoder, [r for r in records if r.split == "test"], cache)
    learn.warm()
    test.warm()
    found: dict[str, Any] = {"steps": steps, "images": [len(learn), len(test)]}
    for name in ("patchcore", "cprn"):
        detector = make_detector(encoder, 8, name)
        fit(detector, learn, steps)
        scored = list(score_source(detector, test))
        labels = [one.record.label for one in scored]
        found[name] = float(image_metrics([one.score for one in scored], labels).auroc)
    return found


def judge(parts: dict[str, Any]) -> list[dict[str, Any]]:
    """The claims, each with what was measured here."""
    claims = [
        {"claim": f"{name}: share of the bound", "measured": parts[name]["share_of_bound"]}
        | {"goal": f">= {SHARE}", "met": parts[name]["share_of_bound"] >= SHARE}
        for name in PARTS[:2]
        if name in parts
    ]
    if "score" in parts:
        ratio = parts["score"]["ratio"]
        claims.append(
            {"claim": "score: beside its parts alone", "measured": ratio}
            | {"goal": f"<= {SCORE_LIMIT}", "met": ratio <= SCORE_LIMIT}
        )
    return claims


def show(record: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(
        "part", "figure", "value", title=f"{record['processor']}, {record['cores']} cores"
    )
    for part, figures in record["parts"].items():
        for name, value in figures.items():
            table.add_row(part, name, f"{value:.3f}" if isinstance(value, float) else str(value))
        table.add_section()
    for claim in record["claims"]:
        met = "met" if claim["met"] else "MISSED"
        table.add_row(claim["claim"], claim["goal"], f"{claim['measured']:.3f} {met}")
    console.stdout().print(table)


if __name__ == "__main__":
    main()
