"""Figures by category, view, kind and size agree with the exact metrics of the same views."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mvps.datasets import Record
from mvps.detect.evaluation import Evaluation, Evaluator
from mvps.errors import InputError
from mvps.metrics import exact_pixel_metrics, image_metrics

SIDE = 36
Scene = tuple[Record, float, NDArray[np.float32], NDArray[np.bool_]]


def scenes(seed: int, category: str = "cap", sound: int = 6, bad: int = 12) -> list[Scene]:
    """Views of samples; the defect of each bad one is hidden in view C3."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(sound + bad):
        defect = "good" if number < sound else ("dent", "stain")[number % 2]
        for view in ("C1", "C2", "C3"):
            mask = np.zeros((SIDE, SIDE), bool)
            if defect != "good" and view != "C3":
                mask[3 : 4 + number, 5:9] = True
            values = rng.random((SIDE, SIDE), np.float32) + 0.4 * mask.astype(np.float32)
            record = Record(
                category, f"S{number:02}", view, "test", int(defect != "good"), defect,
                Path("picture.png"), None,
            )  # fmt: skip
            found.append((record, float(values.max()), values.astype(np.float32), mask))
    return found


def evaluated(views: list[Scene]) -> Evaluation:
    evaluator = Evaluator()
    for view in views:
        evaluator.add(*view)
    return evaluator.finish()


def chosen(views: list[Scene], **wanted: str) -> Iterator[Scene]:
    """Sound views, and defective ones that show the defect and are as wanted."""
    for view in views:
        same = all(getattr(view[0], name) == value for name, value in wanted.items())
        if not view[0].label or (view[3].any() and same):
            yield view


def agrees(part: object, views: list[Scene]) -> None:
    exact = exact_pixel_metrics([v[2] for v in views], [v[3] for v in views])
    pixels, images = part.pixels, part.images  # type: ignore[attr-defined]
    assert abs(pixels.aupro.value - exact.aupro.value) <= pixels.aupro.bound + 1e-12
    assert abs(pixels.auroc.value - exact.auroc.value) <= pixels.auroc.bound + 1e-12
    assert pixels.bound < 2e-3
    assert pixels.regions == exact.regions
    assert images == image_metrics([v[1] for v in views], [v[0].label for v in views])


def test_every_part_has_the_metrics_of_its_views() -> None:
    views = scenes(1)
    found = evaluated(views).categories["cap"]
    agrees(found.all, views)
    agrees(found.seen, list(chosen(views)))
    agrees(found.defects["dent"], list(chosen(views, defect="dent")))
    agrees(found.views["C2"], [v for v in views if v[0].view == "C2"])
    assert found.hidden == 12
    assert found.samples.normal == 6
    assert found.samples.defective == 12
    assert list(found.defects) == ["dent", "stain"]


def test_quartiles_part_the_visible_defects_by_size() -> None:
    views = scenes(2)
    found = evaluated(views).categories["cap"].sizes
    areas = sorted(float(v[3].mean()) for v in views if v[3].any())
    assert len(areas) == 24
    assert [(q.smallest, q.largest) for q in found] == [
        (areas[i], areas[i + 5]) for i in (0, 6, 12, 18)
    ]
    assert [q.part.images.defective for q in found if q.part.images] == [6, 6, 6, 6]


def test_means_leave_out_categories_without_a_figure() -> None:
    views = scenes(3) + scenes(4, "ring", bad=0)
    found = evaluated(views)
    assert np.isnan(found.figures()["ring"]["I-AUROC"])
    assert found.mean()["I-AUROC"] == found.figures()["cap"]["I-AUROC"]
    assert "P-AUROC" not in found.figures()["ring"]  # nothing there is marked


def test_json_gives_the_same_figures_back() -> None:
    found = evaluated(scenes(5) + scenes(6, "ring", bad=0))
    text = json.dumps(found.to_json(), allow_nan=False)
    assert repr(Evaluation.from_json(json.loads(text))) == repr(found)


@pytest.mark.parametrize("plain", [{}, {"categories": 3}, {"categories": {"a": {"all": {}}}}])
def test_other_json_is_refused_in_one_line(plain: dict[str, object]) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Evaluation.from_json(plain)


def test_a_nan_is_refused_by_the_name_of_the_view() -> None:
    record, score, values, mask = scenes(7)[0]
    values[3, 4] = np.nan
    with pytest.raises(InputError, match="cap/S00/C1"):
        Evaluator().add(record, score, values, mask)


def test_a_category_that_comes_again_is_a_fault_of_the_caller() -> None:
    evaluator = Evaluator()
    for view in scenes(8) + scenes(9, "ring"):
        evaluator.add(*view)
    with pytest.raises(ValueError, match="two places"):
        evaluator.add(*scenes(8)[0])


def test_without_maps_images_alone_are_counted() -> None:
    evaluator = Evaluator()
    for record, score, _, mask in scenes(10):
        evaluator.add(record, score, None, mask)
    found = evaluator.finish().categories["cap"]
    assert found.all.pixels is None
    assert found.all.images is not None
