"""The one-pass histogram against the exact metrics: within its bound, merged, refined, in NumPy."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvps import native
from mvps.errors import InputError
from mvps.metrics import PixelHistogram, exact_pixel_metrics, histogram, pixel_metrics
from mvps.metrics.bins import PREFIXES, Bins

AREAS = ("auroc", "ap", "aupro")
ROUNDING = 1e-12
each_variant = pytest.mark.parametrize(
    "core",
    [None, *native.variants()],
    ids=["numpy", *(core.instruction_set for core in native.variants())],
)


def smooth_set(seed, count, size=(40, 50), low=0.2, spread=0.3):
    """Maps like a detector's, raised over discs; every other one is normal."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    maps, masks = [], []
    for number in range(count):
        mask = np.zeros(size, bool)
        for _ in range(number % 2 * 3):
            centre, radius = rng.uniform(0, size), rng.uniform(1, size[0] / 6)
            mask |= (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < radius**2
        scores = rng.beta(2, 5, size) + 0.25 * mask * rng.random()
        maps.append((low + spread * scores).astype(np.float32))
        masks.append(mask.astype(np.uint8) * 255)
    return maps, masks


def histogram_of(maps, masks, bins=None):
    made = PixelHistogram(bins)
    for scores, mask in zip(maps, masks, strict=True):
        made.add(scores, mask)
    return made


def assert_within_bounds(found, exact, at_most=np.inf):
    for name in AREAS:
        value, bound = getattr(found, name).value, getattr(found, name).bound
        if np.isnan(getattr(exact, name).value):
            assert np.isnan(value)
        else:
            off = abs(value - getattr(exact, name).value)
            assert off <= bound + ROUNDING, name
            assert off <= at_most, name
    if not np.isnan(exact.f1.value):
        gap = exact.f1.value - found.f1.value
        assert -ROUNDING <= gap <= found.f1.bound + ROUNDING


def both_zeros_infinities_and_neighbours():
    one = np.float32(1)
    close = [one, np.nextafter(one, np.float32(2)), np.float32(1.0001), np.float32(-1.0001)]
    return [-np.inf, -3.5, -0.0, 0.0, 1e-45, 7.0, np.inf, *close]


pixels = st.tuples(
    st.one_of(
        st.sampled_from(both_zeros_infinities_and_neighbours()),
        st.floats(0.25, 0.250244140625, width=32),
    ),
    st.booleans(),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(pixels, min_size=12, max_size=40), st.sampled_from([0.05, 0.3, 1.0]))
def test_small_sets_lie_within_their_bounds_and_the_tolerance(cells, limit):
    cells = cells[: len(cells) // 4 * 4]
    scores = np.array([score for score, _ in cells], np.float32).reshape(4, -1)
    mask = np.array([marked for _, marked in cells]).reshape(4, -1)
    exact = exact_pixel_metrics([scores], [mask], limit)
    assert_within_bounds(histogram_of([scores], [mask]).metrics(limit), exact)
    assert_within_bounds(pixel_metrics([scores], [mask], limit), exact, 1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(pixels, min_size=12, max_size=40))
def test_refined_bins_lie_within_their_bounds(cells):
    cells = cells[: len(cells) // 4 * 4]
    scores = np.array([score for score, _ in cells], np.float32).reshape(4, -1)
    mask = np.array([marked for _, marked in cells]).reshape(4, -1)
    exact = exact_pixel_metrics([scores], [mask])
    coarse = histogram_of([scores], [mask])
    fine = histogram_of([scores], [mask], coarse.refined(tolerance=0).bins)
    assert_within_bounds(fine.metrics(), exact)
    assert fine.metrics().bound <= coarse.metrics().bound + ROUNDING


@pytest.mark.parametrize("seed", range(4))
def test_larger_sets_reach_the_tolerance_without_sorting(seed, monkeypatch):
    monkeypatch.setattr(histogram, "SORTED_PIXELS", 0)
    maps, masks = smooth_set(seed, 60)
    found = pixel_metrics(maps, masks)
    assert found.method.startswith("histogram")
    assert max(found.auroc.bound, found.aupro.bound) <= 1e-5
    assert found.ap.bound <= 2e-4  # its bound falls slowest; the value itself is as near
    assert_within_bounds(found, exact_pixel_metrics(maps, masks), 1e-5)


@pytest.mark.parametrize("low", [0.5, -0.7, 1000.0])
def test_scores_in_a_single_bin_are_refined_to_the_exact_values(low, monkeypatch):
    monkeypatch.setattr(histogram, "SORTED_PIXELS", 0)
    spread = abs(low) * 2.0**-12  # a bin is 2^-9 of its scores wide
    maps, masks = smooth_set(7, 20, low=low, spread=spread)
    coarse = histogram_of(maps, masks).metrics()
    assert coarse.bound > 0.01
    found = pixel_metrics(maps, masks)
    exact = exact_pixel_metrics(maps, masks)
    assert found.passes == 2
    assert found.bound == 0
    assert_within_bounds(found, exact)
    assert found.f1.value == pytest.approx(exact.f1.value, abs=ROUNDING)


def test_small_sets_that_bunch_are_sorted():
    maps, masks = smooth_set(1, 4, low=0.5, spread=2.0**-14)
    found = pixel_metrics(maps, masks)
    assert (found.method, found.passes) == ("exact sort", 2)
    one_pass = pixel_metrics(maps, masks, tolerance=np.inf)
    assert (one_pass.method.startswith("histogram"), one_pass.passes) == (True, 1)


def test_the_best_threshold_gives_the_best_f1():
    maps, masks = smooth_set(3, 10)
    found = histogram_of(maps, masks).metrics().f1
    flagged = np.concatenate([m.ravel() for m in maps]) > found.threshold
    truth = np.concatenate([m.ravel() for m in masks]) > 0
    f1 = 2 * (flagged & truth).sum() / (flagged.sum() + truth.sum())
    assert f1 == pytest.approx(found.value, abs=ROUNDING)


def test_parts_counted_apart_merge_to_the_whole():
    maps, masks = smooth_set(5, 12)
    parts = [histogram_of(maps[at::3], masks[at::3]) for at in range(3)]
    whole = histogram_of(maps, masks)
    merged = PixelHistogram()
    for part in reversed(parts):
        stored = io.BytesIO()
        np.savez(stored, **part.to_arrays())
        stored.seek(0)
        with np.load(stored, allow_pickle=False) as arrays:
            merged.merge(PixelHistogram.from_arrays(arrays))
    have, want = merged.to_arrays(), whole.to_arrays()
    for name in want:
        if name != "overlap":
            np.testing.assert_array_equal(have[name], want[name])
    np.testing.assert_allclose(have["overlap"], want["overlap"], rtol=1e-12)
    assert merged.metrics().aupro.value == pytest.approx(whole.metrics().aupro.value, abs=1e-12)


def test_refined_histograms_travel_with_their_bins():
    maps, masks = smooth_set(6, 8)
    bins = histogram_of(maps, masks).refined().bins
    fine = histogram_of(maps, masks, bins)
    again = PixelHistogram.from_arrays(fine.to_arrays())
    assert again.bins.same(bins)
    assert again.metrics() == fine.metrics()
    with pytest.raises(InputError, match="its bins are not those"):
        again.merge(PixelHistogram())


def test_arrays_of_another_version_are_refused():
    arrays = histogram_of(*smooth_set(0, 2)).to_arrays()
    with pytest.raises(InputError, match="version 2 is not known"):
        PixelHistogram.from_arrays(arrays | {"version": np.array(2)})


def test_an_empty_histogram_has_no_metrics():
    with pytest.raises(InputError, match="no map was counted"):
        PixelHistogram().metrics()


def test_a_refused_map_leaves_the_counts_alone():
    made = histogram_of(*smooth_set(2, 4))
    before = made.metrics()
    with pytest.raises(InputError, match="NaN"):
        made.add(np.array([[0.1, np.nan]]), None)
    with pytest.raises(InputError, match="the mask is 3x3, the map 2x2"):
        made.add(np.ones((2, 2)), np.ones((3, 3)))
    assert made.metrics() == before


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.uint8, np.uint16])
def test_maps_of_any_real_type_and_memory_order_count(dtype):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 60, (20, 30)).astype(dtype)
    mask = rng.random((20, 30)) < 0.2
    found = pixel_metrics([np.asfortranarray(scores)], [np.asfortranarray(mask)])
    assert_within_bounds(found, exact_pixel_metrics([scores], [mask]), 1e-5)


@each_variant
@pytest.mark.parametrize("fine", [False, True])
def test_the_compiled_core_counts_as_numpy_does(core, fine, monkeypatch):
    rng = np.random.default_rng(8)
    odd = np.array(both_zeros_infinities_and_neighbours(), np.float32)
    raw = rng.integers(0, 2**32, 5000, dtype=np.uint32).view(np.float32)
    scores = np.concatenate([odd, raw[~np.isnan(raw)], rng.normal(size=3001).astype(np.float32)])
    bits = rng.integers(0, 3, PREFIXES).astype(np.uint8)
    bits[: PREFIXES // 2 : 5000] = 14
    bins = Bins(bits if fine else None)
    monkeypatch.setattr(native, "library", lambda: core)
    counts = np.zeros(bins.total, np.int64)
    bins.count(scores, counts)
    np.testing.assert_array_equal(counts, np.bincount(bins.find(scores), minlength=bins.total))
    order = np.sort(scores)
    assert (np.diff(bins.find(order)) >= 0).all()
    assert bins.find(np.array([-0.0], np.float32)) == bins.find(np.array([0.0], np.float32))


@pytest.mark.parametrize("fine", [False, True])
def test_the_lowest_score_of_a_bin_is_its_first(fine):
    rng = np.random.default_rng(9)
    bits = rng.integers(0, 3, PREFIXES).astype(np.uint8)
    bits[::5000] = 14
    bins = Bins(bits if fine else None)
    scores = rng.normal(size=2000).astype(np.float32)
    found = bins.find(scores)
    lowest = bins.lowest(found)
    assert (lowest <= scores).all()
    np.testing.assert_array_equal(bins.find(lowest), found)
    below = np.nextafter(lowest, np.float32(-np.inf))
    np.testing.assert_array_equal(bins.find(below), found - 1)


def test_memory_does_not_grow_with_the_maps():
    maps, masks = smooth_set(4, 4, (392, 392))
    pixel_metrics(maps[:2], masks[:2])
    assert peak_memory(lambda: pixel_metrics(maps * 5, masks * 5)) < 32 << 20
    once, often = (
        peak_memory(lambda n=n: pixel_metrics(maps * n, masks * n, tolerance=np.inf))
        for n in (1, 10)
    )
    assert often < once + (1 << 20)


def peak_memory(work):
    tracemalloc.start()
    assert work().method.startswith("histogram")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_the_curve_of_a_histogram_runs_along_the_exact_one():
    maps, masks = smooth_set(10, 6)
    curve = histogram_of(maps, masks).curve()
    assert curve.threshold[0] == np.inf
    assert (np.diff(curve.threshold) < 0).all()
    scores = np.concatenate([m.ravel() for m in maps])
    truth = np.concatenate([m.ravel() for m in masks]) > 0
    for at in range(1, len(curve.threshold), 40):
        flagged = scores >= curve.threshold[at]
        assert curve.recall[at] == pytest.approx(flagged[truth].mean(), abs=ROUNDING)
        assert curve.false_positive_rate[at] == pytest.approx(flagged[~truth].mean(), abs=ROUNDING)
    assert curve.overlap[-1] == pytest.approx(1, abs=1e-9)
