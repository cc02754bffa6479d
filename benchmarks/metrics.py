"""What pixel metrics cost: the histogram, exact sorting, a threshold sweep and other packages.

    python benchmarks/metrics.py [--quick] [--out FILE]

200 maps of 392 x 392, made like a detector's: distances of 28 x 28 tokens, enlarged, blurred with
sigma 4; every other one has defects, some of them thin scratches. One thread; CPU seconds are the
best of several repeats; memory is what a call takes beyond the maps. The sweep is the one of
published code: 100 thresholds from the lowest to the highest score, regions one after the other.
scikit-learn, torchmetrics and anomalib are timed where they are installed.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import tracemalloc
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
from numpy.typing import NDArray
from solve import RESULTS, extra_memory, load_average, machine, measure

from mvps import native
from mvps.files import write_json
from mvps.metrics import exact_pixel_metrics, pixel_metrics

MAPS, QUICK_MAPS, SIDE, TOKENS, SIGMA = 200, 30, 392, 28, 4
LIMIT, STEPS = 0.3, 100
PACKAGES = ("scikit-learn", "torch", "torchmetrics", "anomalib")
ONE_PASS, BOUNDED, PLAIN = "histogram, one pass", "histogram, bound 1e-5", "the same in NumPy"
EXACT, SWEEP, TIGHT = "exact sort, float64", "sweep of 100", "sweep of 100, tight"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_MAPS} maps")
    parser.add_argument("--out", type=Path, help="JSON file (default: in benchmarks/results/)")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    count = QUICK_MAPS if options.quick else MAPS
    maps, masks = make_set(count)
    record: dict[str, Any] = {"maps": [count, SIDE, SIDE], "threads": 1} | machine()
    record["versions"] |= {name: installed(name) for name in PACKAGES}
    print(f"{count} maps of {SIDE} x {SIDE}, {record['processor']}, {record['instruction_set']}")
    print(f"{'':34}{'CPU s':>9}{'slower':>8}{'P-AUROC':>10}{'AUPRO':>10}{'MB':>8}")
    rows = record["rows"] = []
    for name, (work, repeats, slow) in ours(maps, masks).items():
        rows.append(timed(name, work, repeats, slow))
        show(rows[-1], rows[0])
    exact = next(row for row in rows if row["name"] == EXACT)
    for name, make in others(maps, masks).items():
        try:
            work = make()
        except (ImportError, RuntimeError) as error:  # torchvision built for another torch
            rows.append({"name": name, "skipped": str(error).splitlines()[0]})
            print(f"{name:34}skipped: {rows[-1]['skipped']}")
            continue
        rows.append(timed(name, work, 1, slow=True))
        show(rows[-1], rows[0])
    record["pitfalls"] = pitfalls(maps, masks, exact)
    record["load_average_after"] = load_average()
    record["claims"] = judge(record["rows"])
    for claim in record["claims"]:
        print(f"{claim['claim']}: {claim['measured']} ({'met' if claim['met'] else 'MISSED'})")
    out = options.out or RESULTS / ("metrics-quick.json" if options.quick else "metrics.json")
    write_json(out, record)
    print(f"written to {out}")


def make_set(count: int) -> tuple[list[NDArray[np.float32]], list[NDArray[np.uint8]]]:
    rng = np.random.default_rng(392)
    maps, masks = [], []
    for number in range(count):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for _ in range(int(rng.integers(1, 4)) * (number % 2)):
            at, to = (tuple(int(v) for v in rng.integers(0, SIDE, 2)) for _ in range(2))
            if rng.random() < 0.05:
                cv2.line(mask, at, to, 255, 1)
            else:
                cv2.circle(mask, at, int(rng.integers(3, 25)), 255, -1)
        tokens = rng.gamma(6, 0.03, (TOKENS, TOKENS)).astype(np.float32)
        share = cv2.resize(mask.astype(np.float32) / 255, (TOKENS, TOKENS), None, 0, 0, 3)
        tokens += share * np.float32(rng.uniform(0, 0.5))
        large = cv2.resize(tokens, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        maps.append(cv2.GaussianBlur(large, (0, 0), SIGMA))
        masks.append(mask)
    return maps, masks


def ours(maps: Any, masks: Any) -> dict[str, tuple[Callable[[], Any], int, bool]]:
    """What is timed, how often, and whether it is too slow to be traced for memory."""

    def in_numpy() -> Any:
        with mock.patch.object(native, "library", lambda: None):
            return pixel_metrics(maps, masks, LIMIT)

    return {
        ONE_PASS: (lambda: pixel_metrics(maps, masks, LIMIT, np.inf), 7, False),
        BOUNDED: (lambda: pixel_metrics(maps, masks, LIMIT), 7, False),
        PLAIN: (in_numpy, 5, False),
        EXACT: (lambda: exact_pixel_metrics(maps, masks, LIMIT), 3, True),
        SWEEP: (lambda: sweep(maps, masks), 2, True),
        TIGHT: (lambda: tight_sweep(maps, masks), 3, True),
    }


def sweep(maps: Any, masks: Any) -> dict[str, float]:
    """AUPRO and P-AUROC from 100 thresholds, as the scripts of published detectors do it."""
    scores, normal = np.stack(maps), np.stack(masks) == 0
    regions = list_regions(masks)
    points = []
    for threshold in np.linspace(scores.max(), scores.min(), STEPS):
        flagged = scores >= threshold
        overlaps = [flagged[image][region].mean() for image, region in regions]
        false = np.logical_and(normal, flagged).sum() / normal.sum()
        true = np.logical_and(~normal, flagged).sum() / (~normal).sum()
        points.append((false, true, np.mean(overlaps)))
    return areas(np.array(points))


def tight_sweep(maps: Any, masks: Any) -> dict[str, float]:
    """The same from pixels gathered beforehand: what a sweep needs at least."""
    scores, normal = np.stack(maps), np.stack(masks) == 0
    regions = [scores[image][region] for image, region in list_regions(masks)]
    inside, outside = np.concatenate(regions), scores[normal]
    sizes = np.array([len(region) for region in regions])
    starts = np.cumsum(sizes) - sizes
    true_all = np.flatnonzero(~normal).size
    points = []
    for threshold in np.linspace(scores.max(), scores.min(), STEPS):
        flagged = inside >= threshold
        overlap = np.mean(np.add.reduceat(flagged, starts, dtype=np.int64) / sizes)
        false = np.count_nonzero(outside >= threshold) / outside.size
        points.append((false, np.count_nonzero(flagged) / true_all, overlap))
    return areas(np.array(points))


def list_regions(masks: Any, connectivity: int = 8) -> list[tuple[int, Any]]:
    found = []
    for image, mask in enumerate(masks):
        count, labels = cv2.connectedComponents(mask, connectivity=connectivity)
        found += [(image, np.nonzero(labels == label)) for label in range(1, count)]
    return found


def areas(points: NDArray[np.float64]) -> dict[str, float]:
    """Published code drops what lies beyond the limit, and stretches the rest over it."""
    false, true, overlap = points.T
    kept = false < LIMIT
    stretched = false[kept] / false[kept].max()
    return {
        "auroc": float(np.trapezoid(true, false)),
        "aupro": float(np.trapezoid(overlap[kept], stretched)),
    }


def others(maps: Any, masks: Any) -> dict[str, Callable[[], Callable[[], Any]]]:
    """Makers of what is timed with other packages: imports and tensors are not timed."""
    return {
        "scikit-learn, P-AUROC alone": lambda: with_sklearn(maps, masks),
        "torchmetrics, P-AUROC alone": lambda: with_torchmetrics(maps, masks),
        "anomalib, AUPRO alone": lambda: with_anomalib(maps, masks),
    }


def with_sklearn(maps: Any, masks: Any) -> Callable[[], Any]:
    from sklearn.metrics import roc_auc_score

    scores, labels = np.stack(maps).ravel(), np.stack(masks).ravel() > 0
    return lambda: {"auroc": float(roc_auc_score(labels, scores))}


def with_torchmetrics(maps: Any, masks: Any) -> Callable[[], Any]:
    scores, labels = tensors(maps, masks)
    from torchmetrics.functional.classification import binary_auroc

    return lambda: {"auroc": float(binary_auroc(scores.flatten(), labels.flatten()))}


def with_anomalib(maps: Any, masks: Any) -> Callable[[], Any]:
    scores, labels = tensors(maps, masks)
    from anomalib.metrics.aupro import _AUPRO

    def work() -> Any:
        metric = _AUPRO(fpr_limit=LIMIT)
        metric.update(scores, labels)
        return {"aupro": float(metric.compute())}

    return work


def tensors(maps: Any, masks: Any) -> tuple[Any, Any]:
    """Maps and labels for torch, whose companion torchvision is mended first."""
    from mvps.detect.torch_door import require_timm

    require_timm()
    import torch

    torch.set_num_threads(1)
    return torch.from_numpy(np.stack(maps)), torch.from_numpy(np.stack(masks) > 0).long()


def timed(name: str, work: Callable[[], Any], repeats: int, slow: bool) -> dict[str, Any]:
    """One row: what a call costs and what it answers."""
    answers: list[Any] = []
    row: dict[str, Any] = {"name": name} | measure(lambda: answers.append(work()), repeats)
    answer = answers[-1]
    for metric in ("auroc", "aupro", "ap"):
        found = answer.get(metric) if isinstance(answer, dict) else getattr(answer, metric)
        if found is not None and not isinstance(found, float):
            row[f"{metric}_bound"] = found.bound
            found = found.value
        row[metric] = found
    if not isinstance(answer, dict):
        row |= {"method": answer.method, "passes": answer.passes}
    resident = extra_memory(work)
    row["extra_memory_bytes"] = resident if slow else max(resident or 0, traced(work))
    return row


def show(row: dict[str, Any], base: dict[str, Any]) -> None:
    shown = [
        f"{row[metric]:10.6f}" if row[metric] is not None else f"{'':10}"
        for metric in ("auroc", "aupro")
    ]
    memory = f"{row['extra_memory_bytes'] / 2**20:8.1f}" if row["extra_memory_bytes"] else ""
    slower = row["cpu_s"] / base["cpu_s"]
    print(f"{row['name']:34}{row['cpu_s']:9.3f}{slower:7.1f}x{''.join(shown)}{memory}")


def traced(work: Callable[[], Any]) -> int:
    """Peak bytes that NumPy and Python allocate during a call."""
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def pitfalls(maps: Any, masks: Any, exact: dict[str, Any]) -> dict[str, float]:
    """What AUPRO and P-AUROC come to by mistakes that are in use, beside the exact values."""
    found = {"AUPRO, exact": exact["aupro"], "P-AUROC, exact": exact["auroc"]}
    four = [mask.copy() for mask in masks]
    with mock.patch("mvps.metrics.regions.CONNECTIVITY", 4):
        found["AUPRO, 4-connected"] = pixel_metrics(maps, four, LIMIT).aupro.value
    found["AUPRO, 100 thresholds"] = sweep(maps, masks)["aupro"]
    try:
        scores, labels = tensors(maps, masks)
        from torchmetrics.classification import BinaryAUROC
    except (ImportError, RuntimeError):
        pass
    else:
        # Distances go from 0 to 2: some batches leave [0, 1], and those alone are squashed.
        highest = np.quantile(scores.amax((1, 2)), 0.93)
        metric, raw = BinaryAUROC(), scores / float(highest)
        for at in range(0, len(raw), 8):
            metric.update(raw[at : at + 8].flatten(), labels[at : at + 8].flatten())
        found["P-AUROC, torchmetrics batch by batch"] = float(metric.compute())
    for name, value in found.items():
        print(f"  {name}: {value:.6f}")
    return found


def installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def judge(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The claims, each with what was measured here."""
    of = {row["name"]: row for row in rows}
    claims = []

    def claim(text: str, measured: float, met: bool) -> None:
        claims.append({"claim": text, "measured": float(f"{measured:.3g}"), "met": bool(met)})

    for name in (BOUNDED, ONE_PASS):
        rivals = [(EXACT, 20), (SWEEP, 8)] + [(TIGHT, 8)] * (name == ONE_PASS)
        for rival, least in rivals:
            ratio = of[rival]["cpu_s"] / of[name]["cpu_s"]
            claim(f"{name}: at least {least} x faster than {rival}", ratio, ratio >= least)
        memory = of[name]["extra_memory_bytes"] / 2**20
        claim(f"{name}: under 32 MB beyond the maps", memory, memory < 32)
        for metric in ("auroc", "aupro", "ap"):
            off = abs(of[name][metric] - of[EXACT][metric])
            bound = of[name][f"{metric}_bound"]
            claim(f"{name}: {metric} within its bound of {bound:.1e}", off, off <= bound + 1e-12)
            if name == BOUNDED:
                claim(f"{name}: {metric} within 1e-5", off, off <= 1e-5)
    return claims


if __name__ == "__main__":
    main()
