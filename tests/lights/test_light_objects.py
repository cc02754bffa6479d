"""Lights from JSON, .dome, .mat and inline lists, in the house frame."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from mvps.errors import InputError, MissingExtraError
from mvps.lights import parse_lights, read_lights

UNIT = [[0, 0.6, 0.8], [0.6, 0, 0.8], [-0.6, 0, 0.8]]
OURS = {"version": 1, "directions": UNIT}
DOME = {
    "imageWidth": 10,
    "domeDiameter": 60,
    "verticalOffset": 0,
    "lightConfiguration": "directional",
    "directions": [dict(zip("xyz", row, strict=True)) for row in UNIT],
    "positions3d": [],
}


def read(tmp_path, data, name="lights.json", **options):
    path = tmp_path / name
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return read_lights(path, **options)


def fault(tmp_path, data, name="lights.json"):
    with pytest.raises(InputError) as caught:
        read(tmp_path, data, name)
    text = str(caught.value)
    assert text.startswith(str(tmp_path / name))
    assert "\n" not in text
    return text


def test_our_json_carries_everything_that_a_rig_has(tmp_path):
    rig = read(
        tmp_path,
        {
            "version": 1,
            "convention": "opencv",
            "directions": UNIT,
            "intensities": [1, 2, 3],
            "positions": [[0, 60, 80]] * 3,
            "axes": [[0, 0, 1]] * 3,
            "mu": [0, 1, 2],
            "names": ["a", "b", "c"],
        },
    )

    assert rig.directions == pytest.approx(np.array(UNIT) * [1, -1, -1])
    assert rig.positions[0].tolist() == [0, -60, -80]
    assert rig.axes[0].tolist() == [0, 0, -1]
    assert rig.intensities.tolist() == [1, 2, 3]
    assert rig.mu.tolist() == [0, 1, 2]
    assert rig.names == ("a", "b", "c")


def test_a_convention_that_the_user_states_replaces_that_of_the_file(tmp_path):
    rig = read(tmp_path, {**OURS, "convention": "opencv"}, convention="opengl")

    assert rig.directions == pytest.approx(np.array(UNIT))


def test_angles_turn_counter_clockwise_from_x_and_rise_from_the_image_plane(tmp_path):
    rig = read(tmp_path, {"version": 1, "angles": [[0, 90], [0, 30], [90, 30]]})

    half = np.sqrt(3) / 2
    assert rig.directions == pytest.approx(
        np.array([[0, 0, 1], [half, 0, 0.5], [0, half, 0.5]]), abs=1e-15
    )


def test_positions_alone_give_the_directions_seen_from_the_origin(tmp_path):
    rig = read(tmp_path, {"version": 1, "positions": [[0, 300, 400], [0, 0, 10], [5, 0, 0]]})

    assert rig.directions.tolist() == [[0, 0.6, 0.8], [0, 0, 1], [1, 0, 0]]
    assert rig.positions[0].tolist() == [0, 300, 400]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({**OURS, "direction": 1}, "unknown key 'direction'; did you mean 'directions'?"),
        ({"directions": UNIT}, 'version None, expected 1; add "version": 1'),
        ({**OURS, "version": 2}, "version 2, expected 1"),
        ({**OURS, "convention": "opengI"}, "unknown convention 'opengI'; did you mean 'opengl'?"),
        ({**OURS, "intensities": [1, 2]}, "intensities have shape (2,), expected (3,) or (3, 3)"),
        ({**OURS, "intensities": [1, "2", 3]}, "intensities, row 2: '2' is not a number"),
        ({**OURS, "intensities": [1, 2, True]}, "intensities, row 3: 'True' is not a number"),
        ({**OURS, "intensities": [1, 0, 1]}, "row 2: the intensity is not positive"),
        ({**OURS, "directions": [[0, 0, 1], [0, 1]]}, "directions, row 2: expected 3 number(s)"),
        ({**OURS, "directions": {"x": 1}}, "directions: expected a list with one entry a light"),
        ({**OURS, "angles": [[0, 0]]}, "holds both directions and angles"),
        ({**OURS, "names": [1, 2, 3]}, "names: expected a list of texts"),
        ({**OURS, "names": ["a"]}, "1 names for 3 lights"),
        ({"version": 1}, "holds none of directions, angles and positions"),
        ({"version": 1, "positions": [[0, 0, 0]]}, "row 1: the light stands at the point"),
        ('{"version": 1,\n "directions": [[0, 0, 1]}', "line 2: not JSON"),
        ('{"version": 1, "version": 1}', "the key 'version' stands twice"),
        ('{"version": 1, "directions": [[0, 0, NaN]]}', "NaN is not a number of JSON"),
        ("[1, 2]", "expected a JSON object"),
        ('{"a":' + "[" * 100_000, "not JSON that can be read"),
        ('{"version": 1, "directions": [[0, 0, 1' + "0" * 400 + "]]}", "is not a number"),
    ],
)
def test_a_faulty_json_is_refused_in_one_line(tmp_path, data, message):
    assert message in fault(tmp_path, data)


def test_a_directional_dome_is_already_in_the_house_frame(tmp_path):
    rig = read(tmp_path, DOME, "a.dome")

    assert rig.directions == pytest.approx(np.array(UNIT))
    assert rig.positions is None
    assert rig.notes == ()


def test_a_dome_is_known_by_its_keys_under_any_name(tmp_path):
    assert len(read(tmp_path, DOME, "dome.json")) == 3


def test_a_spherical_dome_raises_its_sphere_and_turns_centimetres_into_millimetres(tmp_path):
    rig = read(
        tmp_path, {**DOME, "lightConfiguration": "spherical", "verticalOffset": -6}, "a.dome"
    )

    # 30 cm along (0, .6, .8) is (0, 18, 24); lowered by 6 cm it stands at (0, 18, 18).
    assert rig.positions[0] == pytest.approx([0, 180, 180])
    assert rig.directions[0] == pytest.approx([0, np.sqrt(0.5), np.sqrt(0.5)])


@pytest.mark.parametrize("key", ["positions3d", "positions", "positionsSphere"])
def test_a_dome_of_positions_gives_the_directions_from_the_image_centre(tmp_path, key):
    data = {"lightConfiguration": "lights3d", "domeDiameter": 1, key: [[0, 3, 4], [0, 0, 2]]}

    rig = read(tmp_path, data, "a.dome")

    assert rig.directions.tolist() == [[0, 0.6, 0.8], [0, 0, 1]]
    assert rig.positions.tolist() == [[0, 30, 40], [0, 0, 20]]


def test_colours_of_a_dome_that_are_not_applied_are_said(tmp_path):
    (note,) = read(tmp_path, {**DOME, "ledAdjust": [{"r": 1, "g": 1, "b": 1}]}, "a.dome").notes

    assert "a.dome: ledAdjust is not applied" in note


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"directions": [{"x": 0, "y": 0}]}, "directions, row 1: 'None' is not a number"),
        ({"directions": []}, "holds neither directions nor positions"),
        ({"directions": 5}, "directions: expected a list"),
        ({"directions": [[0, 0, 2]]}, "row 1: the direction has length 2, not 1"),
        ({"lightConfiguration": "spherical", "domeDiameter": 0}, "domeDiameter is not positive"),
        ({"lightConfiguration": "spherical", "domeDiameter": None}, "'None' is not a number"),
    ],
)
def test_a_faulty_dome_is_refused_in_one_line(tmp_path, change, message):
    assert message in fault(tmp_path, {**DOME, **change}, "a.dome")


def test_near_ps_lights_turn_from_opencv_and_are_seen_from_their_working_distance(tmp_path):
    savemat = pytest.importorskip("scipy.io").savemat
    path = tmp_path / "light.mat"
    positions = np.array([[300.0, 0, 300], [0, 300, 300], [0, 0, -10]])
    savemat(
        path,
        {
            "S": positions,
            "Dir": np.array([[0.0, 0, 1]] * 3),
            "mu": np.array([[0.0], [1], [2]]),
            "Phi": np.array([[1.0, 2, 3]] * 3),
        },
    )

    rig = read_lights(path)

    # From (0, 0, 700): (300, 0, -400), (0, 300, -400), (0, 0, -710), then y and z are flipped.
    assert rig.directions == pytest.approx(
        np.array([[0.6, 0, 0.8], [0, -0.6, 0.8], [0, 0, 1]]), abs=1e-15
    )
    assert rig.positions == pytest.approx(positions * [1, -1, -1])
    assert rig.axes[0].tolist() == [0, 0, -1]
    assert rig.mu.tolist() == [0, 1, 2]
    assert rig.intensities[1].tolist() == [1, 2, 3]
    assert "seen from 700 mm" in rig.notes[0]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"T": np.ones((3, 3))}, "holds no variable S"),
        ({"S": np.ones((3, 2))}, "S has shape (3, 2), expected (K, 3)"),
        ({"S": np.eye(3), "mu": np.ones((2, 1))}, "mu has shape (2, 1) for 3 lights"),
        ({"S": np.eye(3), "Dir": np.ones((3, 3))}, "row 1: the axis has length 1.732"),
        ({"S": np.eye(3), "Phi": np.zeros((3, 1))}, "row 1: the intensity is not positive"),
        ({"S": "text"}, "S is not a real matrix"),
    ],
)
def test_a_faulty_mat_file_is_refused_in_one_line(tmp_path, variables, message):
    savemat = pytest.importorskip("scipy.io").savemat
    path = tmp_path / "light.mat"
    savemat(path, variables)

    with pytest.raises(InputError) as caught:
        read_lights(path)

    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"MATLAB", b"MATLAB 5.0" + b"\0" * 200, b"junk" * 100])
def test_a_file_that_is_no_mat_file_is_refused_in_one_line(tmp_path, data):
    pytest.importorskip("scipy")
    path = tmp_path / "light.mat"
    path.write_bytes(data)

    with pytest.raises(InputError) as caught:
        read_lights(path)

    assert "\n" not in str(caught.value)


def test_without_scipy_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    path = tmp_path / "light.mat"
    path.write_bytes(b"MATLAB")

    with pytest.raises(MissingExtraError, match=r"pip install 'mvps\[mat\]'"):
        read_lights(path)


def test_an_inline_list_mixes_vectors_and_angles():
    rig = parse_lights(
        [
            [0, 0, 1],
            {"direction": [0.6, 0, 0.8], "intensity": 2},
            {"azimuth": 180, "elevation": 30},
            {"azimuth": 90, "slant": 60, "intensity": [1, 2, 3]},
        ]
    )

    half = np.sqrt(3) / 2
    assert rig.directions == pytest.approx(
        np.array([[0, 0, 1], [0.6, 0, 0.8], [-half, 0, 0.5], [0, half, 0.5]]), abs=1e-15
    )
    assert rig.intensities.tolist() == [[1, 1, 1], [2, 2, 2], [1, 1, 1], [1, 2, 3]]


def test_our_yaml_lists_lights_in_the_same_way_and_states_its_convention(tmp_path):
    text = """version: 1
convention: directx
lights:
  - [0, 0.6, 8e-1]
  - {azimuth: 90, slant: 30, intensity: 2}
"""
    rig = read(tmp_path, text, "lights.yml")

    half = np.sqrt(3) / 2
    assert rig.directions == pytest.approx(np.array([[0, -0.6, 0.8], [0, -0.5, half]]), abs=1e-15)
    assert rig.intensities.tolist() == [1, 2]
    assert np.array_equal(read(tmp_path, text, "lights.txt").directions, rig.directions)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lights: [[0, 0, 1]]", ", line 1: the key 'version' is missing"),
        ("version: 2\nlights: []", ", line 1: version: unknown value '2'"),
        ("version: 1\nlights: []", ": the list of lights is empty"),
        ("version: 1\nlights:\n- [0, 0, 1,5]", ": directions, row 1: expected 3 number(s)"),
        ("version: 1\nlights:\n- [0, 0, x]", ", line 3: lights[0][2]: 'x' is not a number"),
        ("version: 1\nlights:\n- {slent: 3}", ", line 3: lights[0].slent: unknown key; did you"),
        ("version: 1\nlights:\n- [0, 0, 1.2]", ": row 1: the direction has length 1.2, not 1"),
        ("version: 1\nconvention: gl\nlights: [[0, 0, 1]]", ", line 2: convention: unknown value"),
    ],
)
def test_a_faulty_yaml_of_lights_names_line_or_row(tmp_path, text, message):
    assert fault(tmp_path, text, "lights.yml").startswith(f"{tmp_path}/lights.yml{message}")


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "lights: the list of lights is empty"),
        ([[0, 0, 1], [0, 1]], "lights: directions, row 2: expected 3 number(s)"),
        ([{"azimut": 3}], "lights, row 1: unknown key 'azimut'; did you mean 'azimuth'?"),
        (
            [{"azimuth": 3}],
            "lights, row 1: expected a direction, or azimuth with elevation or slant",
        ),
        ([{"azimuth": 3, "slant": 1, "elevation": 1}], "lights, row 1: expected a direction, or"),
        ([{"direction": [0, 0, 1], "slant": 1}], "row 1: holds both a direction and angles"),
        ([[0, 0, 1.5]], "lights: row 1: the direction has length 1.5, not 1 within 1%"),
        ([{"direction": [0, 0, 1], "intensity": "x"}], "intensities, row 1: 'x' is not a number"),
    ],
)
def test_a_faulty_inline_list_is_refused_with_its_row(entries, message):
    with pytest.raises(InputError) as caught:
        parse_lights(entries)

    assert message in str(caught.value)
