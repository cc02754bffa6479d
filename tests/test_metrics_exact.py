"""The exact metrics against their definitions, scikit-learn and small closed forms."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import plain_metrics
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvps.errors import InputError
from mvps.metrics import (
    aupro,
    auroc,
    average_precision,
    exact_curve,
    exact_pixel_metrics,
    f1_max,
)

SEEDS = range(20)


def items(seed, count=60):
    """Scores with many ties, and labels of both kinds."""
    rng = np.random.default_rng(seed)
    labels = rng.random(count) < rng.uniform(0.1, 0.9)
    labels[:2] = [True, False]
    return np.round(rng.normal(labels * rng.uniform(0, 2)), int(rng.integers(0, 3))), labels


def map_set(seed, count=3, size=(9, 11)):
    """Small maps with many ties; masks of several regions, one of them empty."""
    rng = np.random.default_rng(seed)
    masks = [(rng.random(size) < rng.uniform(0.05, 0.5)).astype(np.uint8) for _ in range(count)]
    masks[0][:2] = [[0] * size[1], [1] + [0] * (size[1] - 1)]
    masks.append(np.zeros(size, np.uint8))
    maps = [np.round(rng.normal(mask * 1.0), int(rng.integers(0, 3))) for mask in masks]
    return maps, masks


@pytest.mark.parametrize("seed", SEEDS)
def test_items_score_as_their_definitions_say(seed):
    scores, labels = items(seed)
    assert auroc(scores, labels) == pytest.approx(plain_metrics.auroc(scores, labels), abs=1e-12)
    assert average_precision(scores, labels) == pytest.approx(
        plain_metrics.average_precision(scores, labels), abs=1e-12
    )
    assert f1_max(scores, labels).value == pytest.approx(
        plain_metrics.best_f1(scores, labels), abs=1e-12
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_items_score_as_in_scikit_learn(seed):
    theirs = pytest.importorskip("sklearn.metrics")
    scores, labels = items(seed, 500)
    assert auroc(scores, labels) == pytest.approx(theirs.roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(scores, labels) == pytest.approx(
        theirs.average_precision_score(labels, scores), abs=1e-12
    )
    best = f1_max(scores, labels)
    precision, recall, _ = theirs.precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    assert best.value == pytest.approx(f1.max(), abs=1e-12)
    assert theirs.f1_score(labels, scores > best.threshold) == pytest.approx(best.value, abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("limit", [Fraction(1, 20), Fraction(3, 10), Fraction(1)])
def test_region_overlap_is_that_of_one_threshold_after_the_other(seed, limit):
    maps, masks = map_set(seed)
    wanted = plain_metrics.aupro(maps, masks, limit)
    assert aupro(maps, masks, float(limit)) == pytest.approx(float(wanted), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_pixels_are_items(seed):
    maps, masks = map_set(seed)
    found = exact_pixel_metrics(maps, masks)
    scores = np.concatenate([m.ravel() for m in maps])
    labels = np.concatenate([m.ravel() for m in masks]) > 0
    assert found.auroc.value == pytest.approx(auroc(scores, labels), abs=1e-12)
    assert found.ap.value == pytest.approx(average_precision(scores, labels), abs=1e-12)
    assert found.f1 == f1_max(scores, labels)
    assert (found.pixels, found.defective) == (len(scores), int(labels.sum()))
    assert found.regions == sum(len(plain_metrics.regions_of(mask)) for mask in masks)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([-np.inf, -1.5, -0.0, 0.0, 2.0, 1e300, np.inf]), st.booleans()),
        min_size=1,
        max_size=12,
    )
)
def test_infinities_and_both_zeros_have_their_place_in_the_order(pairs):
    scores = np.array([score for score, _ in pairs])
    labels = np.array([label for _, label in pairs])
    if labels.any() and not labels.all():
        wanted = plain_metrics.auroc(scores, labels)
        assert auroc(scores, labels) == pytest.approx(float(wanted), abs=1e-12)
    best = f1_max(scores, labels)
    if labels.any() and best.threshold > -np.inf:
        flagged = scores > best.threshold
        f1 = 2 * (flagged & labels).sum() / (flagged.sum() + labels.sum())
        assert f1 == pytest.approx(best.value, abs=1e-12)


def test_perfect_reversed_and_constant_scores():
    labels = np.array([0, 0, 0, 1])
    assert auroc([1, 2, 3, 4], labels) == 1
    assert auroc([4, 3, 2, 1], labels) == 0
    assert auroc([7, 7, 7, 7], labels) == 0.5
    assert average_precision([7, 7, 7, 7], labels) == 0.25  # the share of defective items
    assert average_precision([4, 3, 2, 1], labels) == 0.25  # found last, after three wrong ones
    assert f1_max([7, 7, 7, 7], labels).value == pytest.approx(0.4)  # precision 1/4, recall 1


def test_a_constant_map_has_half_the_limit():
    # One step from (0, 0) to (1, 1): the area below `limit` is limit^2 / 2.
    mask = np.eye(8, dtype=np.uint8)
    assert aupro([np.ones((8, 8))], [mask], 0.3) == pytest.approx(0.15, abs=1e-15)


def test_pixels_that_touch_at_a_corner_are_one_region():
    scores = np.array([[9.0, 0, 0, 0], [0, 1.0, 0, 0], [5, 0, 0, 9.0]])
    mask = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    found = exact_pixel_metrics([scores], [mask], limit=1.0)
    # Two regions: overlap is 3/4 before the one false pixel of nine, 1 from the next score on.
    assert found.regions == 2
    assert found.aupro.value == pytest.approx(1 / 9 * 3 / 4 + 8 / 9, abs=1e-15)


def test_the_end_at_the_limit_is_interpolated():
    # Ten normal pixels, one of them above the region; the others tie with it: from (0.1, 0) the
    # curve rises straight to (1, 1), and is at 2/9 at the limit.
    scores = np.array([[2.0] + [1.0] * 10])
    mask = np.array([[0] * 10 + [1]])
    assert aupro([scores], [mask], 0.3) == pytest.approx(0.2 * (2 / 9) / 2 / 0.3, abs=1e-15)


def test_small_and_large_regions_weigh_the_same():
    scores, mask = np.zeros((5, 12)), np.zeros((5, 12), np.uint8)
    mask[:, :6], mask[2, 9] = 1, 1
    scores[2, 9] = 1
    assert exact_pixel_metrics([scores], [mask]).aupro.value == pytest.approx(0.5 + 0.15 / 2)


def test_without_defects_or_without_normal_pixels_areas_are_undefined():
    normal = exact_pixel_metrics([np.ones((2, 2))], [None])
    assert np.isnan(
        [normal.auroc.value, normal.ap.value, normal.f1.value, normal.aupro.value]
    ).all()
    full = exact_pixel_metrics([np.ones((2, 2))], [np.ones((2, 2))])
    assert np.isnan([full.auroc.value, full.aupro.value]).all()
    assert (full.ap.value, full.f1.value) == (1, 1)
    assert full.bound == 0


def test_what_is_counted_is_stated():
    found = exact_pixel_metrics(
        [np.ones((2, 3), np.float32), np.zeros((4, 5), np.float16)],
        [None, np.full((4, 5), 0.5)],
        limit=0.05,
    )
    assert found.map_sizes == ((2, 3), (4, 5))
    assert (found.connectivity, found.mask_rule, found.limit) == (8, "mask > 0", 0.05)
    assert (found.unit, found.maps, found.method) == ("pixel", 2, "exact sort")


def test_a_curve_begins_at_nothing_and_ends_at_everything():
    curve = exact_curve([3, 2, 2, 1], [1, 0, 1, 0])
    np.testing.assert_array_equal(curve.threshold, [np.inf, 3, 2, 1])
    np.testing.assert_array_equal(curve.false_positive_rate, [0, 0, 0.5, 1])
    np.testing.assert_array_equal(curve.recall, [0, 0.5, 1, 1])
    np.testing.assert_allclose(curve.precision, [1, 1, 2 / 3, 1 / 2])


@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        ([np.array([[1, np.nan]])], [None], r"map 0: 1 of 2 scores are NaN"),
        ([np.ones((2, 2))], [np.ones((4, 4))], r"map 0: the mask is 4x4, the map 2x2"),
        ([np.ones((2, 2))], [], r"maps: 1 maps and 0 masks"),
        ([], [], r"maps: 0 maps and 0 masks"),
        ([np.ones(4)], [None], r"map 0: an anomaly map has the shape \(H, W\), this one \(4,\)"),
        ([np.ones((0, 4))], [None], r"map 0: an anomaly map has the shape"),
        ([np.ones((2, 2), complex)], [None], r"map 0: scores are real numbers"),
        ([np.ones((2, 2))], [np.full((2, 2), "a")], r"map 0: a mask holds numbers"),
    ],
)
def test_what_cannot_be_scored_is_refused_in_one_line(maps, masks, message):
    with pytest.raises(InputError, match=message):
        exact_pixel_metrics(maps, masks)


@pytest.mark.parametrize("limit", [0, -1, 1.5, np.nan])
def test_a_limit_is_a_rate(limit):
    with pytest.raises(InputError, match="limit"):
        aupro([np.ones((2, 2))], [np.eye(2)], limit)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([1, np.nan], [0, 1], "1 of 2 scores are NaN"),
        ([1, 2], [0], r"scores \(2,\) and labels \(1,\)"),
        ([], [], "there are none"),
    ],
)
def test_items_that_cannot_be_scored_are_refused(scores, labels, message):
    with pytest.raises(InputError, match=message):
        auroc(scores, labels)
