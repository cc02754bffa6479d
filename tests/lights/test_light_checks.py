"""Every rule on a list of lights fires on what breaks just it, and stays silent on good lights."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvps.lights import LightRig
from mvps.lights.checks import RULES, check_lights
from mvps.lights.vectors import directions_from_angles

DOCS = Path(__file__).resolve().parents[2] / "docs"


def rig(*angles: tuple[float, float], **others: object) -> LightRig:
    """Lights from azimuth and elevation in degrees."""
    directions = directions_from_angles(np.array(angles, float))
    return LightRig(directions, **{"intensities": np.ones(len(angles)), **others}, source="a.lp")


def around(count: int, elevation: float = 45, **others: object) -> LightRig:
    return rig(*((360 * k / count, elevation) for k in range(count)), **others)


def near(**others: object) -> LightRig:
    """Eight lights 400 mm from the point (5, 7, 9) mm."""
    good = around(8)
    return replace(good, positions=400 * good.directions + [5, 7, 9], **others)


GOOD = around(8)
RING = [(45 * k, 45) for k in range(8)]
BREAKS = {
    "K-MIN": (rig((0, 45), (120, 45)), "a.lp: 2 lights, at least 3 fix a surface normal"),
    "K-MAX": (rig(*((2.5 * k, 45) for k in range(144))), "144 lights, at most 128 are solved"),
    "COPLANAR": (rig((0, 45), (180, 45), (0, 75), (180, 75)), "the 4 light directions lie in one"),
    "CONDITION": (
        rig(*((120 * k, 88.5) for k in range(3))),
        "the condition number of the light directions is 54, above 50",
    ),
    "CLOSE": (rig(*RING, (45.5, 45)), "the lights of rows 2 and 9 are 0.35 degrees apart"),
    "BEHIND": (rig(*RING, (20, -30)), "row 9: the light is behind the object, as 1 of 9 are"),
    "NAME-TWICE": (around(3, names=("a", "b", "a")), "row 3 names 'a' again, after row 1"),
    "GAP": (
        rig((0, 45), (60, 45), (120, 45), (180, 45)),
        "no light between the azimuths 180 and 0 degrees (180 degrees wide, at most 130 is good)",
    ),
    "OPPOSITE": (
        rig(*(pair for k, pair in enumerate(RING) if k != 2)),
        "row 6: no light stands opposite, though 6 of 7 lights have theirs; is one missing?",
    ),
    "GRAZING": (rig(*RING, (0, 8), (180, 8)), "row 9: the light is 8.0 degrees above the image"),
    "OVERHEAD": (around(5, 82), "5 of 5 lights are more than 80 degrees above the image plane"),
    "INTENSITY": (
        around(8, intensities=np.array([9, 1, 2, 3, 4, 5, 6, 7.0])),
        "row 1 is 9.0 times as strong as row 2 (above 8)",
    ),
    "NEAR": (
        near(directions=np.roll(GOOD.directions, 1, axis=0)),
        "direction and position differ by",
    ),
}


def test_every_rule_has_lights_that_break_just_it():
    assert BREAKS.keys() == RULES.keys()


@pytest.mark.parametrize("code", RULES)
def test_a_rule_fires_on_what_breaks_it(code):
    lights, message = BREAKS[code]
    found = [finding for finding in check_lights(lights) if finding.code == code]

    assert found, [f.code for f in check_lights(lights)]
    assert found[0].level == RULES[code][0]
    assert message in found[0].message
    assert found[0].message.startswith("a.lp: ")


# What breaks these rules breaks another as well, by geometry.
TOGETHER = {
    "K-MAX": set(),
    "COPLANAR": {"GAP", "OPPOSITE"},
    "CONDITION": {"OVERHEAD"},
    "GAP": set(),
}


@pytest.mark.parametrize("code", RULES)
def test_and_on_nothing_else(code):
    lights, _ = BREAKS[code]
    others = {finding.code for finding in check_lights(lights)} - {code}

    assert others <= TOGETHER.get(code, set())


@pytest.mark.parametrize("lights", [GOOD, around(3), around(4), around(5, 30), near()])
def test_good_lights_give_no_finding(lights):
    assert check_lights(lights) == ()


def test_a_light_straight_above_a_ring_is_welcome():
    assert check_lights(rig(*RING, (0, 90))) == ()


def test_thousands_of_equal_lights_are_answered_in_few_lines():
    found = check_lights(rig(*[(0, 45)] * 4096))

    assert len(found) < 30
    assert found[-1].message == "a.lp: further lights are closer than 1 degree to each other"


def test_errors_come_before_warnings():
    lights = rig((0, 45), (180, 45), (0, 5), (180, 75), (0, 75))

    levels = [finding.level for finding in check_lights(lights)]

    assert levels == sorted(levels)
    assert len(set(levels)) == 2


def test_near_lights_may_be_seen_from_any_one_point():
    # near() sees its lights from (5, 7, 9): no origin is preferred.
    turned = near(directions=BREAKS["NEAR"][0].directions)

    assert check_lights(near()) == ()
    assert {finding.code for finding in check_lights(turned)} == {"NEAR"}


def test_the_documentation_lists_every_rule_in_its_words():
    text = (DOCS / "lights.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z-]+)` \| (error|warning) \| (.*) \|$", text, re.MULTILINE)

    assert {code: (level, words) for code, level, words in rows if code in RULES} == RULES
