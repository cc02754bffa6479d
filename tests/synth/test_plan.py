"""The sweep of rigs: what its figures mean, and that they move as theory says."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.synth.layout import rng_for
from mvps.synth.plan import SweepOptions, SweepRow, sweep, wrong_lights
from mvps.synth.plan_report import draw_plot, write_csv
from mvps.synth.views import ring

pytest.importorskip("mitsuba", reason="rendering needs the extra 'synth'")


def planned(**words: object):
    from mvps.synth.plan_scene import PlanSubject, plan_scene

    standard = {"part": "block", "size": (96, 96), "samples": 2, "material": "lambertian"}
    return plan_scene(PlanSubject(**(standard | words)))


@pytest.fixture(scope="module")
def rows() -> dict[tuple[int, float, float], SweepRow]:
    options = SweepOptions(lights=(4, 12), elevations=(30.0, 60.0), light_errors=(0.0, 2.0))
    found = sweep(planned().scene, options)
    return {(row.lights, row.elevation, row.light_error): row for row in found}


def test_lights_are_wrong_by_the_angle_that_was_asked_for() -> None:
    rig = ring(6)
    turned = [wrong_lights(rig, 2.0, rng_for(i)).directions for i in range(400)]
    cosine = np.clip((np.stack(turned) * rig.directions).sum(axis=2), -1, 1)
    rms = np.sqrt((np.degrees(np.arccos(cosine)) ** 2).mean())
    # 2400 angles whose squares spread as widely as their mean: 2% of the mean square, 1% of this.
    assert rms == pytest.approx(2.0, rel=0.04)
    assert wrong_lights(rig, 0.0, rng_for(0)) is rig


def test_noise_falls_with_the_root_of_the_number_of_lights(rows) -> None:
    few, many = rows[4, 30.0, 0.0].noise, rows[12, 30.0, 0.0].noise
    assert few / many == pytest.approx(np.sqrt(3), rel=0.2)


def test_lower_lights_give_less_noise_in_directions(rows) -> None:
    # Across the axis, a ring's pseudo-inverse grows as 1 / cos(elevation): 1.7 from 30 to 60.
    low, high = rows[4, 30.0, 0.0].noise, rows[4, 60.0, 0.0].noise
    assert 1.3 < high / low < 2.6


def test_wrong_lights_cost_accuracy_and_noise_alone_does_not_explain_it(rows) -> None:
    exact, wrong = rows[4, 30.0, 0.0], rows[4, 30.0, 2.0]
    assert wrong.median > exact.median + 0.2
    assert wrong.noise == pytest.approx(exact.noise, rel=0.15)


def test_a_dent_stands_out_more_under_more_lights(rows) -> None:
    few, many = rows[4, 30.0, 0.0], rows[12, 30.0, 0.0]
    assert few.visibility is not None
    assert many.visibility is not None
    assert many.visibility > few.visibility > 1
    assert many.contrast == pytest.approx(few.contrast, rel=0.3)  # the dent stays the same


def test_without_noise_a_matt_part_is_met_exactly() -> None:
    options = SweepOptions(lights=(4,), elevations=(45.0,), light_errors=(0.0,))
    (row,) = sweep(planned(noise=False, bits=16, defect="").scene, options)
    assert row.median < 0.05
    assert row.contrast is None
    assert row.visibility is None


def test_the_same_seed_gives_the_same_table() -> None:
    options = SweepOptions(lights=(4,), elevations=(45.0,), light_errors=(1.0,))
    scene = planned(size=(48, 48), defect="").scene
    assert sweep(scene, options) == sweep(scene, options)


def test_the_table_and_the_plot_are_written(rows, tmp_path: Path) -> None:
    write_csv(list(rows.values()), tmp_path / "plan.csv")
    with (tmp_path / "plan.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 8
    assert float(lines[0]["median"]) == pytest.approx(rows[4, 30.0, 0.0].median, abs=1e-4)
    pytest.importorskip("matplotlib")
    draw_plot(list(rows.values()), tmp_path / "plan.png", "block")
    assert (tmp_path / "plan.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"lights": (4, 4)}, "--lights: names nothing, or something twice"),
        ({"elevations": (90.0,)}, "--elevation: 90 is outside 5 to 85"),
        ({"light_errors": ()}, "--light-error"),
    ],
)
def test_rigs_that_cannot_be_tried_are_refused(words: dict[str, tuple], said: str) -> None:
    with pytest.raises(InputError, match=said):
        SweepOptions(**words)
