"""The small data set that ships with the toolkit: what it promises to those who build on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rendered_set import read_list

ROOT = Path(__file__).resolve().parents[2] / "examples" / "small_dataset"
CATEGORIES = ("jst_header", "dht11")


@pytest.mark.parametrize("category", CATEGORIES)
def test_there_are_sixteen_specimens_to_train_on_and_as_many_to_test(category: str) -> None:
    train, test = (read_list(ROOT, category, part) for part in ("train", "test"))
    assert len({row.entry["sample"] for row in train}) == 16
    assert len({row.entry["sample"] for row in test}) == 16
    assert len(train) == len(test) == 16 * 5
    assert {row.entry["anomaly_class"] for row in train} == {"OK"}
    defective = [row for row in test if row.mask is not None]
    assert len({row.entry["anomaly_class"] for row in defective}) == 9
    for sample in {row.entry["sample"] for row in defective}:
        seen = [(row.mask > 0).sum() for row in defective if row.entry["sample"] == sample]
        assert max(seen) >= 24
    assert {row.rgb.shape for row in train + test} == {(256, 256, 3)}


def test_it_is_small_enough_to_ship() -> None:
    files = [path for path in ROOT.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 20e6
    assert len(list((ROOT / "raw").rglob("L*.tif"))) == 2 * 5 * 4
