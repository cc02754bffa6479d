"""Metrics of anomaly detection: images and samples, pixels and regions, thresholds for use.

``pixel_metrics`` is the one-pass histogram with its own error bound, ``exact_pixel_metrics`` the
sort-based definition that it is tested against. NumPy in, frozen dataclasses out.
"""

from __future__ import annotations

from mvps.metrics.bootstrap import bootstrap
from mvps.metrics.exact import (
    aupro,
    auroc,
    average_precision,
    exact_curve,
    exact_pixel_metrics,
    f1_max,
)
from mvps.metrics.histogram import PixelHistogram, pixel_metrics
from mvps.metrics.images import by_sample, by_view, image_metrics, sample_scores
from mvps.metrics.regions import CONNECTIVITY, MASK_RULE
from mvps.metrics.results import F1, Bounded, Curve, ImageMetrics, Interval, PixelMetrics, Threshold
from mvps.metrics.thresholds import f1_threshold, false_alarm_threshold, quantile_threshold

__all__ = [
    "CONNECTIVITY",
    "F1",
    "MASK_RULE",
    "Bounded",
    "Curve",
    "ImageMetrics",
    "Interval",
    "PixelHistogram",
    "PixelMetrics",
    "Threshold",
    "aupro",
    "auroc",
    "average_precision",
    "bootstrap",
    "by_sample",
    "by_view",
    "exact_curve",
    "exact_pixel_metrics",
    "f1_max",
    "f1_threshold",
    "false_alarm_threshold",
    "image_metrics",
    "pixel_metrics",
    "quantile_threshold",
    "sample_scores",
]
