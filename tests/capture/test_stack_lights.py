"""Checks of the lights of a stack: how many, how they stand, how strong they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from captures import (
    DIRECTIONS,
    findings,
    many,
    only_finding,
    only_stack,
)

from mvps.capture import discover
from mvps.lights import from_directions


def lit(stack, directions):
    """The stack under other lights; as many images as there are lights."""
    rows = np.asarray(directions, float)
    lights = from_directions(
        rows / np.linalg.norm(rows, axis=1, keepdims=True), source=stack.lights.source
    )
    return replace(stack, lights=lights, images=stack.images[: len(rows)])


def tilted(degrees: float, turn: float = 0.0) -> list[float]:
    s, a = np.radians(degrees), np.radians(turn)
    return [np.sin(s) * np.cos(a), np.sin(s) * np.sin(a), np.cos(s)]


def test_two_lights_are_too_few(ball):
    stack = only_stack(ball)

    finding = only_finding(lit(stack, DIRECTIONS[:2]))

    assert (finding.level, finding.code) == ("error", "K-MIN")
    assert finding.message == (
        f"{ball}/light_directions.txt: 2 lights, at least 3 fix a surface normal"
    )


@pytest.mark.parametrize(("count", "codes"), [(128, []), (129, ["K-MAX"])])
def test_more_than_128_lights_are_too_many(tmp_path, count, codes):
    many(tmp_path, count)

    assert [finding.code for finding in findings(only_stack(tmp_path))] == codes


def test_coplanar_lights_are_an_error_that_states_how_flat_they_are(ball):
    row = [tilted(angle) for angle in (-40, -20, 0, 20, 40)]

    finding = only_finding(lit(only_stack(ball), row))

    assert (finding.level, finding.code) == ("error", "COPLANAR")
    assert finding.message.startswith(
        f"{ball}/light_directions.txt: the 5 light directions lie in one plane "
        "(smallest over largest singular value "
    )


def test_a_poor_condition_number_is_a_warning_that_states_it(ball):
    # A ring of slant s has the condition number sqrt(2)/tan(s): 54.0 at 1.5 degrees, where the
    # neighbours of three lights lie 2.6 degrees apart, and 40.5 at 2 degrees.
    poor = [tilted(1.5, turn) for turn in (0, 120, 240)]
    fair = [tilted(2.0, turn) for turn in (0, 120, 240)]

    finding = only_finding(lit(only_stack(ball), poor))

    assert (finding.level, finding.code) == ("warning", "CONDITION")
    assert finding.message == (
        f"{ball}/light_directions.txt: the condition number of the light directions is 54, "
        "above 50; normals will be noisy"
    )
    assert findings(lit(only_stack(ball), fair)) == ()


def test_two_lights_closer_than_a_degree_are_a_warning_that_names_both_images(ball):
    rows = DIRECTIONS.copy()
    rows[5] = [*tilted(37.6, 45)]  # light 2 stands at slant 36.87 and azimuth 45
    finding = only_finding(lit(only_stack(ball), rows))

    assert (finding.level, finding.code) == ("warning", "CLOSE")
    assert finding.message == (
        f"{ball}/light_directions.txt: the lights of img2.png and img6.png (rows 2 and 6) "
        "are 0.73 degrees apart"
    )

    rows[5] = [*tilted(37.9, 45)]
    assert findings(lit(only_stack(ball), rows)) == ()


def test_a_light_behind_the_object_is_a_warning_that_doubts_the_convention(ball):
    finding = only_finding(only_stack(ball, convention="opencv"))

    assert (finding.level, finding.code) == ("warning", "BEHIND")
    assert finding.message == (
        f"{ball}/light_directions.txt: row 1: the light is behind the object, as 8 of 8 are "
        "(z -0.8); check the convention"
    )


def test_an_intensity_that_is_not_positive_stops_the_stack_with_its_row(ball):
    (ball / "light_intensities.txt").write_text("1\n" * 4 + "0\n" + "1\n" * 3)

    (fault,) = discover(ball).faults

    assert fault.message == (f"{ball}/light_intensities.txt, line 5: the intensity is not positive")
