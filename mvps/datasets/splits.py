"""Choosing samples: for training with few, to be held out, and for testing where nobody said.

A sample goes as a whole, with all its views; a choice depends on names and seed alone, not on the
order of the records, and of n + 1 shots n are those of n shots.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from mvps.datasets.record import Record
from mvps.errors import InputError


def select_shots(records: Sequence[Record], n: int, seed: int) -> tuple[Record, ...]:
    """Training records of n samples a category.

    Parameters
    ----------
    records : all records; those that are not for training are left out
    n : samples a category, at least 1
    seed : other seeds choose other samples

    Returns
    -------
    in the order given

    Raises
    ------
    InputError
        n is less than 1, or a category has fewer samples for training.
    """
    if n < 1:
        raise InputError("--shots", f"{n} samples", "give at least 1")
    chosen = set()
    for category, samples in _training_samples(records).items():
        if len(samples) < n:
            raise InputError(
                "--shots", f"{category} has {len(samples)} samples for training, not {n}"
            )
        chosen |= {(category, sample) for sample in _drawn(category, samples, seed)[:n]}
    return tuple(r for r in records if r.split == "train" and (r.category, r.sample) in chosen)


def hold_out(
    records: Sequence[Record], share: float, seed: int
) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """Part the training records into those to learn from and sound ones that are held out.

    Parameters
    ----------
    records : all records; those that are not for training are left out
    share : of the sound training samples of every category, 0 to below 1; rounded, yet one at
        least where there are two, and one always remains
    seed : other seeds hold out other samples

    Returns
    -------
    kept, held : in the order given; without sound samples nothing is held out

    Raises
    ------
    InputError
        The share is outside its range.
    """
    if not 0 <= share < 1:
        raise InputError("--hold-out", f"a share of {share:g}", "give 0 to below 1")
    training = [record for record in records if record.split == "train"]
    held = set()
    for category, samples in _training_samples(training).items():
        marked = {r.sample for r in training if r.category == category and r.label}
        sound = [sample for sample in samples if sample not in marked]
        count = min(max(round(share * len(sound)), 1), len(sound) - 1) if share else 0
        drawn = _drawn(f"held/{category}", sound, seed)[: max(count, 0)]
        held |= {(category, sample) for sample in drawn}
    is_held = [(record.category, record.sample) in held for record in training]
    return (
        tuple(r for r, away in zip(training, is_held, strict=True) if not away),
        tuple(r for r, away in zip(training, is_held, strict=True) if away),
    )


def is_for_testing(category: str, sample: str, share: float) -> bool:
    """Whether a sound sample goes to the test set, where nobody said; its name alone decides.

    A sample that is added later moves no other one.
    """
    return _fraction(f"{category}/{sample}") < share


def _training_samples(records: Sequence[Record]) -> dict[str, list[str]]:
    samples: dict[str, dict[str, None]] = {}
    for record in records:
        if record.split == "train":
            samples.setdefault(record.category, {})[record.sample] = None
    return {category: sorted(names) for category, names in samples.items()}


def _drawn(category: str, samples: Sequence[str], seed: int) -> list[str]:
    """Samples in a random order that follows from their names."""
    return sorted(samples, key=lambda sample: (_fraction(f"{seed}/{category}/{sample}"), sample))


def _fraction(text: str) -> float:
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
