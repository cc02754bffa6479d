"""The rig in software: its lens, and what it says of lights that cannot light the part."""

from __future__ import annotations

import pytest

from mvps.lights import from_directions
from mvps.synth.station import below_horizon, make_sensor
from mvps.synth.views import five_views, ring


def test_the_usual_ring_of_four_needs_no_warning() -> None:
    assert below_horizon(five_views(20.0, lights=ring(4))) == ()


def test_a_light_behind_the_part_is_named_by_view() -> None:
    lights = from_directions([[0.0, 0.6, 0.8], [0.6, 0.0, -0.8], [0.0, 0.0, 1.0]])
    (line,) = below_horizon(five_views(20.0, lights=lights)[:2], plate=False)
    assert line.startswith("lights behind the part")
    assert line.endswith(": top L02; front L02")


def test_a_light_below_the_plate_is_named_where_there_is_a_plate() -> None:
    """A camera 50 degrees off the vertical carries its lowest light, 45 off its axis, to 95."""
    views = five_views(20.0, lights=ring(8))
    (line,) = below_horizon(views)
    assert line.endswith("light nothing: front L06; back L06; left L06; right L06")
    assert below_horizon(views, plate=False) == ()


@pytest.mark.parametrize(
    ("words", "lens"),
    [
        ({"noise": True}, (0.55, 0.1)),
        ({"noise": False}, (0.0, 0.0)),
        ({"noise": True, "psf_px": 0.0, "vignetting": 0.4}, (0.0, 0.4)),
        ({"noise": False, "psf_px": 1.5}, (1.5, 0.0)),
    ],
)
def test_pictures_with_noise_have_a_lens_unless_another_is_asked_for(words, lens) -> None:
    sensor = make_sensor(12, full_well=10_000.0, **words)
    assert (sensor.psf_px, sensor.vignetting) == lens
