"""Which of thousands of parts a contact sheet shows: best, worst, false alarms, every defect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mvps.report.detect_study import NG, Specimen

MOST = 12  # specimens of a category that are shown with all their views


@dataclass(frozen=True)
class Choice:
    """A specimen, and in words why it is shown."""

    specimen: Specimen
    why: str


def choose(specimens: Sequence[Specimen], most: int = MOST) -> tuple[Choice, ...]:
    """Specimens of one category to look at, none twice.

    The surest and the weakest detection, the sound part with the highest score, then the middle one
    of each kind of defect; without labels the highest and the lowest score.
    """
    sound = sorted((s for s in specimens if not s.defective), key=lambda s: -s.score)
    defective = sorted((s for s in specimens if s.defective), key=lambda s: -s.score)
    wanted: list[Choice] = []
    if defective:
        missed = "missed" if defective[-1].verdict and defective[-1].verdict != NG else "found"
        wanted.append(Choice(defective[0], "surest detection"))
        wanted.append(Choice(defective[-1], f"weakest detection, {missed}"))
    if sound and defective:
        alarm = "false alarm" if sound[0].verdict == NG else "no false alarm"
        wanted.append(Choice(sound[0], f"highest score of a sound part, {alarm}"))
    elif sound:
        wanted += [Choice(sound[0], "highest score"), Choice(sound[-1], "lowest score")]
    wanted += [Choice(s, f"a typical {kind}") for kind, s in typical(defective).items()]
    once: dict[str, Choice] = {}
    for choice in wanted:
        once.setdefault(choice.specimen.name, choice)
    return tuple(once.values())[:most]


def typical(specimens: Sequence[Specimen]) -> dict[str, Specimen]:
    """Of every kind of defect the specimen whose score is the middle one, kinds by name."""
    kinds: dict[str, list[Specimen]] = {}
    for specimen in sorted(specimens, key=lambda s: -s.score):
        if specimen.defective:
            kinds.setdefault(specimen.defect, []).append(specimen)
    return {kind: kinds[kind][len(kinds[kind]) // 2] for kind in sorted(kinds)}
