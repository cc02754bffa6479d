"""Views, samples, thresholds and intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.metrics import (
    auroc,
    bootstrap,
    by_sample,
    by_view,
    f1_threshold,
    false_alarm_threshold,
    image_metrics,
    quantile_threshold,
    sample_scores,
)

SCORES = [0.1, 0.9, 0.3, 0.2, 0.4, 0.8]
LABELS = [0, 1, 0, 0, 0, 1]
SAMPLES = ["b", "b", "a", "a", "c", "c"]
VIEWS = ["top", "side", "top", "side", "top", "side"]


def test_a_sample_scores_as_its_worst_view():
    names, scores, labels = sample_scores(SCORES, LABELS, SAMPLES)
    assert names == ("a", "b", "c")
    np.testing.assert_array_equal(scores, [0.3, 0.9, 0.8])
    np.testing.assert_array_equal(labels, [False, True, True])


def test_samples_and_views_are_told_apart():
    over_views = image_metrics(SCORES, LABELS)
    over_samples = by_sample(SCORES, LABELS, SAMPLES)
    assert (over_views.unit, over_views.normal, over_views.defective) == ("view", 4, 2)
    assert (over_samples.unit, over_samples.normal, over_samples.defective) == ("sample", 1, 2)
    assert over_views.auroc == over_samples.auroc == over_samples.ap == over_samples.f1.value == 1


def test_each_view_has_its_own_metrics():
    found = by_view(SCORES, LABELS, VIEWS)
    assert list(found) == ["side", "top"]
    assert found["side"].auroc == 1
    assert math.isnan(found["top"].auroc)  # its images are all normal
    assert math.isnan(found["top"].f1.value)


def test_other_numbers_of_names_are_refused():
    with pytest.raises(InputError, match="samples: 2 names for 6 scores"):
        by_sample(SCORES, LABELS, ["a", "b"])
    with pytest.raises(InputError, match="views: 1 names for 6 scores"):
        by_view(SCORES, LABELS, ["top"])


def test_a_quantile_lies_between_the_order_statistics_that_the_binomial_gives():
    stats = pytest.importorskip("scipy.stats")
    ranked = np.arange(1, 401) / 10
    found = quantile_threshold(np.random.default_rng(0).permutation(ranked), 0.95)
    assert found.value == pytest.approx(38.0)  # rank 380
    low, high = int(found.low * 10 + 0.5), int(found.high * 10 + 0.5)
    binomial = stats.binom(400, 0.95)
    assert binomial.cdf(low - 1) <= 0.025 < binomial.cdf(low)
    assert binomial.sf(high - 1) <= 0.025 < binomial.sf(high - 2)


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_the_interval_of_a_quantile_holds_it_as_often_as_promised(quantile):
    rng = np.random.default_rng(1)
    found = [quantile_threshold(rng.random(150), quantile, 0.9) for _ in range(500)]
    held = np.mean([one.low <= quantile <= one.high for one in found])
    assert held > 0.9 - 3 * math.sqrt(0.9 * 0.1 / 500)


def test_too_few_items_leave_the_quantile_open_above():
    found = quantile_threshold(np.arange(50.0), 0.99)
    assert (found.value, found.high) == (49, math.inf)
    assert found.low > 40


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_a_false_alarm_rate_is_kept_on_average(rate):
    rng = np.random.default_rng(2)
    # Uniform scores: the true rate of a threshold is what lies above it.
    rates = np.array([1 - false_alarm_threshold(rng.random(120), rate).value for _ in range(300)])
    assert rates.mean() <= rate + 3 * rates.std() / math.sqrt(300)
    assert rates.mean() >= rate - 1 / 121 - 3 * rates.std() / math.sqrt(300)


def test_the_interval_of_a_false_alarm_rate_is_betas():
    stats = pytest.importorskip("scipy.stats")
    found = false_alarm_threshold(np.random.default_rng(3).random(200), 0.05)
    beta = stats.beta(10, 191)  # rank ceil(201 * 0.95) = 191 of 200
    assert (found.low, found.high) == pytest.approx((beta.ppf(0.025), beta.ppf(0.975)), abs=1e-9)


def test_a_rate_that_the_items_cannot_promise_is_refused():
    with pytest.raises(InputError, match=r"98 normal items cannot promise .* at least 99"):
        false_alarm_threshold(np.arange(98.0), 0.01)
    assert false_alarm_threshold(np.arange(99.0), 0.01).value == 98


@pytest.mark.parametrize("share", [0, 1, -0.5, math.nan])
def test_shares_lie_between_nothing_and_everything(share):
    with pytest.raises(InputError, match="between 0 and 1"):
        quantile_threshold([1.0, 2.0], share)
    with pytest.raises(InputError, match="between 0 and 1"):
        false_alarm_threshold([1.0, 2.0], share)


def test_the_threshold_of_the_best_f1_lies_between_the_scores():
    found = f1_threshold(SCORES, LABELS)
    assert found.value == pytest.approx(0.6)  # half-way from 0.4 to 0.8
    assert (found.rule, found.normal, found.defective) == ("best F1", 4, 2)
    with pytest.raises(InputError, match="no item is defective"):
        f1_threshold(SCORES, [0] * 6)


def test_a_bootstrap_interval_is_as_wide_as_the_estimate_varies():
    rng = np.random.default_rng(4)

    def draw(count):
        labels = np.arange(count) % 2 == 0
        return rng.normal(labels * 1.0), labels

    spread = np.std([auroc(*draw(100)) for _ in range(200)])
    found = bootstrap(auroc, *draw(100), resamples=300)
    assert found.low < found.value < found.high
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(spread, rel=0.35)


def test_views_of_a_sample_are_drawn_together():
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(30) % 2 == 0, 5)
    scores = np.repeat(rng.normal(size=30), 5) + labels
    names = [str(sample) for sample in np.repeat(np.arange(30), 5)]
    apart = bootstrap(auroc, scores, labels, resamples=200)
    together = bootstrap(auroc, scores, labels, names, resamples=200)
    # Five equal views tell no more than one: the interval is wider by about the root of five.
    assert (together.high - together.low) / (apart.high - apart.low) == pytest.approx(5**0.5, 0.35)
    assert together == bootstrap(auroc, scores, labels, names, resamples=200)


def test_a_confidence_is_a_probability():
    with pytest.raises(InputError, match="confidence"):
        bootstrap(auroc, SCORES, LABELS, confidence=95)
