"""What a problem holds: scale, limits and the kernels' table."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rendered import make_rig

from mvps.errors import InputError
from mvps.lights import LightRig
from mvps.stereo import prepare
from mvps.stereo.problem import TABLE

RIG = make_rig(6, 1, np.random.default_rng(0))
COLOURED = make_rig(6, 3, np.random.default_rng(0))


def test_gain_divides_by_white_and_intensity():
    problem = prepare(RIG, channels=1, dtype="uint16", white=4095)
    np.testing.assert_allclose(problem.gain[:, 0], 1 / (4095 * RIG.intensities))
    assert (problem.kernel, problem.clamp, problem.has_limits) == ("grey", math.inf, False)


@pytest.mark.parametrize("grey,clamp", [("luminance", math.inf), ("matlab", 1.0)])
def test_grey_from_rgb_weighs_channels_as_matlab_does(grey, clamp):
    problem = prepare(COLOURED, channels=3, dtype="uint8", white=255, grey=grey)
    weights = problem.gain * 255 * COLOURED.intensities
    # As MATLAB's manual rounds them.
    np.testing.assert_array_equal(weights.round(4), [[0.2989, 0.5870, 0.1140]] * 6)
    assert (problem.kernel, problem.clamp, problem.albedos) == ("rgb", clamp, 1)


def test_channels_are_not_weighed():
    problem = prepare(COLOURED, channels=3, dtype="uint8", white=255, grey="channels")
    np.testing.assert_allclose(problem.gain * 255 * COLOURED.intensities, np.ones((6, 3)))
    assert (problem.kernel, problem.albedos) == ("channels", 3)


def test_grey_images_take_the_luminance_of_coloured_intensities():
    problem = prepare(COLOURED, channels=1, dtype="uint8", white=1)
    luminance = COLOURED.intensities @ (0.298936, 0.587043, 0.114021)
    np.testing.assert_allclose(1 / problem.gain[:, 0], luminance, rtol=1e-6)


def test_the_noise_floor_is_a_millionth_of_full_scale():
    rig = LightRig(RIG.directions, np.full(6, 0.25))
    assert prepare(rig, channels=1, dtype="uint8", white=255).floor == pytest.approx(4e-6)


def test_limits_are_what_float32_compares_with():
    problem = prepare(RIG, channels=1, dtype="float32", white=1, low=0.1)
    assert problem.low == float(np.float32(0.1))
    assert problem.high == math.inf
    assert problem.has_limits


def test_the_table_has_the_layout_of_the_kernels():
    assert TABLE.itemsize == 4 * (3 * 128 + 3 * 128 + 6)
    problem = prepare(COLOURED, channels=3, dtype="uint8", white=255)
    floats = np.frombuffer(problem.table.tobytes(), np.float32)
    np.testing.assert_allclose(floats[128 : 128 + 6], problem.pinv[1], rtol=1e-6)
    np.testing.assert_allclose(floats[384 : 384 + 18], problem.gain.ravel(), rtol=1e-6)
    L = problem.directions
    xx, xy, xz, yy, yz, zz = floats[768:]
    np.testing.assert_allclose([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]], L.T @ L, rtol=1e-5)


def test_with_one_channel_the_table_multiplies_raw_samples():
    problem = prepare(RIG, channels=1, dtype="uint8", white=255)
    folded = problem.table["pinv"][:, :6]
    np.testing.assert_allclose(folded, problem.pinv * problem.gain[:, 0], rtol=1e-6)


@pytest.mark.parametrize("lights", [1, 2, 129])
def test_too_few_or_too_many_lights_are_refused(lights):
    turn = np.arange(lights)
    directions = np.stack([0.6 * np.cos(turn), 0.6 * np.sin(turn), np.full(lights, 0.8)], axis=1)
    with pytest.raises(InputError, match=f"lights: {lights} of them; 3 to 128 can be solved"):
        prepare(LightRig(directions, np.ones(lights)), channels=1, dtype="uint8", white=255)


def test_lights_in_one_plane_are_refused():
    slant = np.linspace(-1, 1, 5)
    plane = np.stack([np.sin(slant), np.zeros(5), np.cos(slant)], axis=1)
    with pytest.raises(InputError, match="one plane"):
        prepare(LightRig(plane, np.ones(5)), channels=1, dtype="uint8", white=255)


@pytest.mark.parametrize(
    "options,text",
    [
        ({"dtype": "float64"}, "images: samples of type float64; give uint8, uint16 or float32"),
        ({"dtype": ">u2"}, "images: samples of type >u2"),
        ({"channels": 2}, "images: 2 channels"),
        ({"grey": "gray"}, "grey: unknown way 'gray'; use luminance, matlab, channels"),
        ({"white": 0}, "white: 0 is not a positive number"),
        ({"white": math.inf}, "white: inf"),
        ({"low": 9, "high": 9}, "limits: no sample lies between 9 and 9"),
        ({"low": math.nan}, "limits: no sample lies between nan and None"),
    ],
)
def test_what_cannot_be_used_is_named(options, text):
    usual = {"channels": 1, "dtype": "uint8", "white": 255.0}
    with pytest.raises(InputError) as caught:
        prepare(RIG, **(usual | options))
    assert str(caught.value).startswith(text)
