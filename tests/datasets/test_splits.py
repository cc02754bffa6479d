from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvps.datasets import Record, hold_out, select_shots
from mvps.datasets.splits import is_for_testing
from mvps.errors import InputError


def records(samples: int = 10, views: int = 3, bad: int = 0) -> list[Record]:
    made = []
    for category in ("nut", "bolt"):
        for number in range(samples):
            for view in range(views):
                label = int(number < bad)
                place = (category, f"{number}", f"C{view}")
                image = Path("/".join(place))
                defect = "dent" if label else "good"
                made.append(Record(*place, "train", label, defect, image, None))
        made.append(Record(category, "t", "C0", "test", 0, "good", Path("t"), None))
    return made


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 10), seed=st.integers(0, 99))
def test_shots_are_whole_samples_of_every_category(n: int, seed: int) -> None:
    chosen = select_shots(records(), n, seed)
    samples = Counter((record.category, record.sample) for record in chosen)
    assert set(samples.values()) == {3}
    assert Counter(category for category, _ in samples) == {"nut": n, "bolt": n}
    assert all(record.split == "train" for record in chosen)


def test_fewer_shots_are_among_more_of_the_same_seed() -> None:
    few, more = (set(select_shots(records(), n, 3)) for n in (4, 5))
    assert few < more


def test_shots_follow_from_the_seed_and_not_from_the_order() -> None:
    shuffled = records()
    random.Random(0).shuffle(shuffled)
    assert set(select_shots(shuffled, 4, 1)) == set(select_shots(records(), 4, 1))
    assert set(select_shots(records(), 4, 1)) != set(select_shots(records(), 4, 2))


@pytest.mark.parametrize("n", [0, -1, 11])
def test_shots_that_are_not_there_are_refused(n: int) -> None:
    with pytest.raises(InputError, match="--shots"):
        select_shots(records(), n, 0)


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0.01, 0.99), seed=st.integers(0, 99), samples=st.integers(2, 12))
def test_held_out_samples_are_whole_and_some_remain(share: float, seed: int, samples: int) -> None:
    kept, held = hold_out(records(samples), share, seed)
    names = [{(r.category, r.sample) for r in part} for part in (kept, held)]
    assert not names[0] & names[1]
    assert len(kept) + len(held) == 2 * 3 * samples
    wanted = min(max(round(share * samples), 1), samples - 1)
    assert Counter(category for category, _ in names[1]) == {"nut": wanted, "bolt": wanted}


def test_defective_samples_are_never_held_out() -> None:
    kept, held = hold_out(records(6, bad=4), 0.5, 0)
    assert all(record.label == 0 for record in held) and len(held) == 2 * 3
    assert sum(record.label for record in kept) == 2 * 3 * 4


def test_nothing_is_held_out_of_a_single_sample_or_for_a_share_of_none() -> None:
    assert hold_out(records(1), 0.5, 0)[1] == ()
    assert hold_out(records(), 0, 0)[1] == ()
    with pytest.raises(InputError, match="--hold-out"):
        hold_out(records(), 1.0, 0)


def test_the_share_for_testing_is_met_and_moves_nobody() -> None:
    chosen = [is_for_testing("nut", f"S{i:04d}", 0.3) for i in range(4000)]
    # Binomial: 1200 with a standard deviation of 29.
    assert abs(sum(chosen) - 1200) < 4 * 29
    wider = [is_for_testing("nut", f"S{i:04d}", 0.4) for i in range(4000)]
    assert all(b for a, b in zip(chosen, wider, strict=True) if a)
