"""What every detector promises, asked of every detector."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_vit import LAYERS, SIZE, tiny_encoder, write_records

from mvps.datasets import NORMALS, RGB
from mvps.detect.cache import FeatureCache
from mvps.detect.cprn import CprnConfig
from mvps.detect.cprn_detector import CprnDetector
from mvps.detect.detector import Budget, Detector, Scores
from mvps.detect.features import FeatureSource
from mvps.detect.patchcore import PatchCore, PatchCoreConfig, coreset, nearest_of
from mvps.detect.preprocess import Preprocess
from mvps.detect.recipe import Recipe

RECIPE = Recipe(batch=4, warm_up=2, check_every=4)


def cprn(**options: object) -> Callable[[], Detector]:
    network = CprnConfig(dim=64, heads=4, layers=len(LAYERS), **options)  # type: ignore[arg-type]
    return lambda: CprnDetector(network, RECIPE)


DETECTORS = {
    "cprn": cprn(),
    "cprn-rgb": cprn(fusion="rgb"),
    "cprn-paper": lambda: CprnDetector(
        CprnConfig(64, 4, len(LAYERS), reconstruct="rgb", loss="paper", map_from="last"),
        RECIPE,
        image_score="paper",
    ),
    "patchcore": lambda: PatchCore(PatchCoreConfig(share=0.5)),
    "patchcore-nv": lambda: PatchCore(PatchCoreConfig((NORMALS,), share=0.5, neighbours=0)),
}


@pytest.fixture(params=list(DETECTORS))
def make(request: pytest.FixtureRequest) -> Callable[[], Detector]:
    return DETECTORS[request.param]


@pytest.fixture
def source(tiny_store: Path) -> FeatureSource:
    records = write_records(tiny_store / "images", 9)
    cache = FeatureCache(tiny_store / "features")
    return FeatureSource(records, (RGB, NORMALS), tiny_encoder(), Preprocess(SIZE, SIZE), cache)


def fitted(make: Callable[[], Detector], source: FeatureSource, seed: int = 0) -> Detector:
    detector = make()
    figures = detector.fit(source, None, seed=seed, device="cpu", budget=Budget(steps=8))
    json.dumps(figures)
    return detector


def scores(detector: Detector, source: FeatureSource, batch: int) -> Scores:
    parts = [detector.score(features) for features in source.batches(batch)]
    images = [p.images for p in parts if p.images is not None]
    return Scores(torch.cat([p.tokens for p in parts]), torch.cat(images) if images else None)


def assert_close(a: Scores, b: Scores) -> None:
    torch.testing.assert_close(a.tokens, b.tokens, atol=1e-5, rtol=1e-5)
    assert (a.images is None) == (b.images is None)
    if a.images is not None:
        torch.testing.assert_close(a.images, b.images, atol=1e-5, rtol=1e-5)


def test_a_batch_of_one_and_of_eight_score_alike(
    make: Callable[[], Detector], source: FeatureSource
) -> None:
    detector = fitted(make, source)
    assert_close(scores(detector, source, 1), scores(detector, source, 8))


def test_scores_do_not_depend_on_the_order_of_the_test_images(
    make: Callable[[], Detector], source: FeatureSource
) -> None:
    detector = fitted(make, source)
    forwards = scores(detector, source, 4).tokens
    order = [5, 0, 8, 3, 1, 7, 2, 6, 4]
    parts = [detector.score(features).tokens for features in source.batches(4, order)]
    torch.testing.assert_close(torch.cat(parts), forwards[order], atol=1e-5, rtol=1e-5)


def test_a_saved_and_loaded_detector_scores_alike(
    make: Callable[[], Detector], source: FeatureSource
) -> None:
    detector = fitted(make, source)
    other = make()
    other.load({k: v.clone() for k, v in detector.tensors().items()}, "cpu")
    assert json.loads(json.dumps(other.config)) == json.loads(json.dumps(detector.config))
    assert torch.equal(scores(other, source, 4).tokens, scores(detector, source, 4).tokens)


def test_a_seed_gives_one_model_and_another_seed_another(
    make: Callable[[], Detector], source: FeatureSource
) -> None:
    first, again, other = (fitted(make, source, seed) for seed in (3, 3, 4))
    same = [torch.equal(a, again.tensors()[n]) for n, a in first.tensors().items()]
    assert all(same)
    changed = [not torch.equal(a, other.tensors()[n]) for n, a in first.tensors().items()]
    assert any(changed)


def test_scoring_does_not_change_the_detector(
    make: Callable[[], Detector], source: FeatureSource
) -> None:
    detector = fitted(make, source)
    before = {k: v.clone() for k, v in detector.tensors().items()}
    scores(detector, source, 4)
    assert all(torch.equal(v, before[k]) for k, v in detector.tensors().items())


def test_a_normal_token_kept_in_the_memory_is_at_no_distance(source: FeatureSource) -> None:
    detector = PatchCore(PatchCoreConfig(share=1.0))
    detector.fit(source, None, seed=0, device="cpu", budget=Budget(0))
    assert scores(detector, source, 4).tokens.max() < 0.05


def test_the_coreset_spreads_as_a_plain_loop_says() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(60, 5, generator=generator)
    got = coreset(tokens, 10, torch.Generator().manual_seed(1)).tolist()
    chosen = [int(torch.randint(60, (1,), generator=torch.Generator().manual_seed(1)))]
    while len(chosen) < 10:
        reach = [min(float((t - tokens[c]).norm()) for c in chosen) for t in tokens]
        chosen.append(max(range(60), key=reach.__getitem__))
    assert got == chosen


def test_nearest_is_what_a_plain_loop_finds() -> None:
    tokens, memory = torch.randn(50, 7), torch.randn(90, 7)
    distance, index = nearest_of(tokens, memory)
    full = torch.tensor([[float((t - m).norm()) for m in memory] for t in tokens])
    torch.testing.assert_close(distance, full.min(1).values, atol=1e-5, rtol=1e-5)
    assert torch.equal(index, full.min(1).indices)
