"""OK or NG: which threshold is asked for, what it is for each category, and who passes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mvps.detect.run_folder import UNITS, Run, threshold_json
from mvps.detect.score_folder import NG, OK, SampleRow, ScoreRow
from mvps.errors import InputError
from mvps.metrics import Threshold, f1_threshold, false_alarm_threshold, quantile_threshold

STORED, VALUE = "stored", "value"
_SHARES: Mapping[str, Callable[[list[float], float], Threshold]] = {
    "quantile": quantile_threshold,
    "false-alarm": false_alarm_threshold,
}
_REMEDY = "use stored, quantile:0.99, false-alarm:0.01, f1 or a number"

Thresholds = Mapping[str, Mapping[str, Threshold]]  # by category and unit


@dataclass(frozen=True)
class Rule:
    """How thresholds are chosen.

    Attributes
    ----------
    name : "stored" (by the run, from held-out sound parts), "value", or from the scored parts
        themselves "quantile" and "false-alarm" (of the sound ones) or "f1"
    number : the value, or the share
    """

    name: str = STORED
    number: float = 0.0

    @property
    def needs_labels(self) -> bool:
        """Whether it is chosen from the labels of what is scored."""
        return self.name not in (STORED, VALUE)


def parse_rule(text: str) -> Rule:
    """Rule of ``stored``, ``f1``, ``quantile:SHARE``, ``false-alarm:SHARE`` or a number.

    Raises
    ------
    InputError
        It is none of them.
    """
    name, sign, rest = text.strip().partition(":")
    if not sign and name in (STORED, "f1"):
        return Rule(name)
    try:
        number = float(rest if sign else name)
    except ValueError:
        raise InputError("--threshold", f"{text!r} is no rule", _REMEDY) from None
    fits = 0 < number < 1 and name in _SHARES if sign else math.isfinite(number)
    if not fits:
        raise InputError("--threshold", f"{text!r} is no rule", _REMEDY)
    return Rule(name if sign else VALUE, number)


def thresholds_of(
    rule: Rule, run: Run, rows: Sequence[ScoreRow], samples: Sequence[SampleRow]
) -> Thresholds:
    """Thresholds of every category, for views and for samples.

    Raises
    ------
    InputError
        The run holds none, or the scored parts have no labels or too few for the rule.
    """
    found: dict[str, dict[str, Threshold]] = {}
    for category in dict.fromkeys(row.category for row in rows):
        items: dict[str, Sequence[ScoreRow | SampleRow]] = {
            "view": [row for row in rows if row.category == category],
            "sample": [row for row in samples if row.category == category],
        }
        found[category] = {u: _threshold(rule, run, category, u, items[u]) for u in UNITS}
    return found


def check_rule(rule: Rule, run: Run, categories: Sequence[str], *, labelled: bool) -> None:
    """Refuse, before anything is scored, a rule that cannot be met.

    Raises
    ------
    InputError
        The run holds no threshold, or there are no labels.
    """
    if rule.needs_labels and not labelled:
        raise InputError("--threshold", f"{rule.name} needs labels", "use stored or a number")
    for category in categories:
        run.model_name(category)
        if rule.name == STORED:
            run.threshold(category)


def judged(
    rows: Sequence[ScoreRow], samples: Sequence[SampleRow], thresholds: Thresholds
) -> tuple[tuple[ScoreRow, ...], tuple[SampleRow, ...]]:
    """Rows and samples with their verdicts: NG above the threshold of the unit."""

    def verdict(row: ScoreRow | SampleRow, unit: str) -> str:
        return NG if row.score > thresholds[row.category][unit].value else OK

    return (
        tuple(replace(row, verdict=verdict(row, "view")) for row in rows),
        tuple(replace(row, verdict=verdict(row, "sample")) for row in samples),
    )


def stated(thresholds: Thresholds) -> dict[str, Any]:
    """Thresholds as JSON holds them."""
    return {
        category: {unit: threshold_json(one) for unit, one in units.items()}
        for category, units in thresholds.items()
    }


def _threshold(
    rule: Rule, run: Run, category: str, unit: str, items: Sequence[ScoreRow | SampleRow]
) -> Threshold:
    if rule.name == STORED:
        return run.threshold(category, unit)
    if rule.name == VALUE:
        return Threshold(rule.number, "given", 0)
    try:
        if rule.name == "f1":
            chosen = f1_threshold([one.score for one in items], [one.label or 0 for one in items])
        else:
            sound = [one.score for one in items if one.label == 0]
            chosen = _SHARES[rule.name](sound, rule.number)
    except InputError as error:
        raise InputError(category, f"--threshold {rule.name}: {error.what}", error.remedy) from None
    return replace(chosen, rule=f"{chosen.rule}, of the very {unit}s scored")
