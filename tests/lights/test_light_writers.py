"""Every light format both ways: what goes in comes out, and what a format cannot hold is said."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvps.errors import InputError
from mvps.lights import LightRig, read_lights, write_lights
from mvps.lights.formats import FORMATS, light_format_of

# Ending of each format and how closely it keeps directions and positions: 0 means to the bit.
ENDINGS = {
    "json": (".json", 0),
    "yaml": (".yml", 0),
    "diligent": ("_directions.txt", 0),
    "lp": (".lp", 0),
    "dome": (".dome", 4e-16),
    "near_ps": (".mat", 0),
    "angles": (".txt", 1e-14),
}
NEAR_PS_POINT = np.array([0.0, 0.0, -700.0])


def directions(positions: np.ndarray, point: np.ndarray) -> np.ndarray:
    rays = positions - point
    return rays / np.linalg.norm(rays, axis=1, keepdims=True)


@st.composite
def rigs(draw: st.DrawFn) -> LightRig:
    """Rigs of every kind: distant or near, grey or RGB, named or not, with or without axes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    K = draw(st.integers(1, 9))
    shape = draw(st.sampled_from([(K,), (K, 3)]))
    near, point = draw(st.sampled_from([(False, 0), (True, 0), (True, 1)]))
    positions = rng.normal([0, 0, 900], 300, (K, 3)) if near else None
    unit = rng.normal(size=(K, 3))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    axes = unit[::-1].copy() if near and draw(st.booleans()) else None
    if positions is not None:
        unit = directions(positions, NEAR_PS_POINT * point)
    text = st.text(min_size=1, max_size=8)
    names = draw(st.one_of(st.just(()), st.lists(text, min_size=K, max_size=K).map(tuple)))
    return LightRig(
        unit,
        np.ones(K) if draw(st.booleans()) else rng.uniform(0.1, 3, shape),
        positions=positions,
        axes=axes,
        mu=None if axes is None else rng.uniform(0, 3, K),
        names=names,
    )


def same(a: LightRig, b: LightRig, tolerance: float) -> bool:
    if a.names != b.names or a.intensities.shape != b.intensities.shape:
        return False
    if not np.array_equal(a.intensities, b.intensities):
        return False
    for name in ("directions", "positions", "axes", "mu"):
        ours, theirs = getattr(a, name), getattr(b, name)
        if (ours is None) != (theirs is None):
            return False
        if ours is not None and not np.allclose(ours, theirs, rtol=tolerance, atol=tolerance):
            return False
    return True


def even(rig: LightRig) -> LightRig:
    """What near_ps says of lights without an axis: mu 0, along the view."""
    if rig.axes is not None:
        return rig
    return replace(rig, axes=np.tile([0.0, 0.0, -1.0], (len(rig), 1)), mu=np.zeros(len(rig)))


@settings(max_examples=150, deadline=None)
@given(rig=rigs(), name=st.sampled_from(sorted(ENDINGS)))
def test_a_format_gives_back_what_it_took_or_says_what_it_cannot_hold(rig, name):
    ending, tolerance = ENDINGS[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"lights{ending}"
        try:
            written = write_lights(rig, path, name)
        except InputError as error:
            assert "\n" not in str(error)
            assert not list(Path(folder).iterdir())
            needs_positions = name == "near_ps" and rig.positions is None
            assert needs_positions or FORMATS[name].losses(rig)
            return
        assert written[0] == path
        assert light_format_of(path).name == name
        back = read_lights(path)
    expected = even(rig) if name == "near_ps" else rig
    if back.intensities.ndim < rig.intensities.ndim and (rig.intensities == 1).all():
        expected = replace(expected, intensities=np.ones(len(rig)))
    assert same(expected, back, tolerance)


@settings(max_examples=60, deadline=None)
@given(rig=rigs(), chain=st.permutations(["json", "yaml", "diligent", "lp", "json"]))
def test_any_chain_of_formats_that_loses_nothing_ends_where_it_began(rig, chain):
    rig = replace(rig, positions=None, axes=None, mu=None, names=())
    bare = replace(rig, intensities=np.ones(len(rig)))
    with tempfile.TemporaryDirectory() as folder:
        current = bare
        for step, name in enumerate(chain):
            path = Path(folder) / f"{step}{ENDINGS[name][0]}"
            write_lights(current, path, name, allow_loss=name == "lp")
            current = replace(read_lights(path), names=())

    assert np.array_equal(current.directions, bare.directions)


FULL = LightRig(
    np.array([[0, 0.6, 0.8], [0.6, 0, 0.8], [-0.6, 0, 0.8]]),
    np.array([[1, 2, 3], [1, 1, 1], [2, 2, 2.0]]),
    positions=np.array([[0, 60, 80], [60, 0, 80], [-60, 0, 80.0]]),
    axes=np.array([[0, 0, -1.0]] * 3),
    mu=np.array([0, 1, 2.0]),
    names=("a.png", "b.png", "c.png"),
)


@pytest.mark.parametrize("name", ["json", "yaml"])
def test_our_own_formats_hold_everything(tmp_path, name):
    path = tmp_path / "lights.any"  # the content decides
    write_lights(FULL, path, name)

    assert same(FULL, read_lights(path), 0)


@pytest.mark.parametrize(
    ("name", "lost"),
    [
        ("lp", "the intensities; the positions (mm); the axes of the lights; the anisotropy mu"),
        ("dome", "the names of the images; the intensities; the axes of the lights; the aniso"),
        ("diligent", "the names of the images; the positions (mm); the axes of the lights; the"),
        ("angles", "the names of the images; the positions (mm); the axes of the lights; the"),
        ("near_ps", "the names of the images; the directions (the format derives them from posi"),
    ],
)
def test_what_a_format_cannot_hold_is_named_and_nothing_is_written(tmp_path, name, lost):
    path = tmp_path / f"lights{ENDINGS[name][0]}"

    with pytest.raises(InputError) as caught:
        write_lights(FULL, path, name)

    assert f"cannot hold {lost}" in str(caught.value)
    assert str(caught.value).endswith("pass --allow-loss to write the rest")
    assert not list(tmp_path.iterdir())
    write_lights(FULL, path, name, allow_loss=True)
    back = read_lights(path)
    if name != "near_ps":  # which sees its lights from 700 mm
        assert back.directions == pytest.approx(FULL.directions, abs=1e-15)


def test_positions_counted_from_another_origin_are_not_written_in_silence(tmp_path):
    with pytest.raises(
        InputError, match=r"counted from the camera's centre, and row \d would turn"
    ):
        write_lights(replace(FULL, names=()), tmp_path / "light.mat", "near_ps")


def test_lights_without_positions_cannot_become_near_lights(tmp_path):
    distant = replace(FULL, positions=None, axes=None, mu=None)

    with pytest.raises(InputError, match="needs positions, and these lights have none"):
        write_lights(distant, tmp_path / "light.mat", "near_ps", allow_loss=True)


@pytest.mark.parametrize("name", ["", " a", 'a"', "a\nb", "\udc80"])
def test_a_name_that_no_row_of_an_lp_file_can_spell_is_named(tmp_path, name):
    rig = LightRig(np.eye(3), np.ones(3), names=(name, "b", "c"))

    with pytest.raises(InputError, match="which a row cannot spell"):
        write_lights(rig, tmp_path / "a.lp", "lp")

    write_lights(rig, tmp_path / "a.lp", "lp", allow_loss=True)
    assert read_lights(tmp_path / "a.lp").names == ("light_01", "b", "c")


def test_a_dome_is_in_centimetres_with_what_relight_looks_for(tmp_path):
    near = replace(FULL, intensities=np.ones(3), axes=None, mu=None, names=())
    write_lights(near, tmp_path / "a.dome", "dome")

    dome = json.loads((tmp_path / "a.dome").read_text("utf-8"))

    assert dome["positions3d"][0] == {"x": 0, "y": 6, "z": 8}
    assert dome["lightConfiguration"] == "lights3d"
    assert {"imageWidth", "domeDiameter", "verticalOffset", "directions"} <= dome.keys()


def test_a_pair_goes_into_a_folder_or_beside_each_other(tmp_path):
    rig = LightRig(np.eye(3), np.array([1, 2, 3.0]))

    files = write_lights(rig, tmp_path / "pair", "diligent")

    assert [f.name for f in files] == ["light_directions.txt", "light_intensities.txt"]
    assert read_lights(tmp_path / "pair").intensities.tolist() == [1, 2, 3]
    with pytest.raises(InputError, match="no table of intensities can stand beside this name"):
        write_lights(rig, tmp_path / "top.txt", "diligent")


@pytest.mark.parametrize("name", ["jsn", "LP"])
def test_an_unknown_format_names_those_that_are_known(tmp_path, name):
    with pytest.raises(InputError, match=r"unknown format .*(did you mean|known are)"):
        write_lights(FULL, tmp_path / "a", name)


def test_vectors_that_are_unit_to_rounding_are_kept_to_the_bit():
    rng = np.random.default_rng(0)
    unit = rng.normal(size=(4000, 3))
    once = LightRig(unit / np.linalg.norm(unit, axis=1, keepdims=True), np.ones(4000)).directions

    assert np.array_equal(LightRig(once, np.ones(4000)).directions, once)


def test_angles_with_headers_slant_and_colours_are_read(tmp_path):
    path = tmp_path / "angles.txt"
    path.write_text("# slant azimuth red green blue\n0\t0 1 2 3\n60 90 1 1 1", "utf-8")

    rig = read_lights(path)

    assert rig.directions == pytest.approx(np.array([[0, 0, 1], [0, np.sqrt(0.75), 0.5]]))
    assert rig.intensities.tolist() == [[1, 2, 3], [1, 1, 1]]
    assert rig.notes == ()


def test_two_bare_columns_are_azimuth_and_elevation_and_it_is_said(tmp_path):
    path = tmp_path / "angles.txt"
    path.write_text("0 30\n90 30\n180 30\n", "utf-8")

    rig = read_lights(path)

    assert rig.directions[1] == pytest.approx([0, np.sqrt(0.75), 0.5])
    assert "two bare columns were read as azimuth and elevation" in rig.notes[0]


def test_two_columns_that_may_be_parts_of_directions_are_not_taken_for_angles(tmp_path):
    path = tmp_path / "light_directions.txt"
    path.write_text("0.6 0.8\n0 1\n", "utf-8")

    with pytest.raises(InputError, match="line 1: 2 numbers, expected 3"):
        read_lights(path)


def test_near_lights_listed_in_yaml_keep_place_axis_and_mu_and_turn_with_the_convention(tmp_path):
    path = tmp_path / "lights.yml"
    path.write_text(
        "version: 1\nconvention: opencv\nlights:\n"
        "  - {position: [0, 30, -40], axis: [0, 0, 1], mu: 1.5, name: a}\n"
        "  - {position: [30, 0, -40], direction: [0, 0, -1], axis: [0, 0, 1], mu: 0, name: b}\n",
        "utf-8",
    )

    rig = read_lights(path)

    assert rig.positions.tolist() == [[0, -30, 40], [30, 0, 40]]
    assert rig.directions == pytest.approx(np.array([[0, -0.6, 0.8], [0, 0, 1]]))
    assert rig.axes.tolist() == [[0, 0, -1], [0, 0, -1]]
    assert rig.mu.tolist() == [1.5, 0]


TEXTS = {
    "lp": "3\na.png 0 0.6 0.8\nb.png 0.6 0 0.8\nc.png -0.6 0 0.8\n",
    "diligent": "0 0.6 0.8\n0.6 0 0.8\n-0.6 0 0.8\n",
    "angles": "azimuth elevation\n90 {0}\n0 {0}\n180 {0}\n".format("53.13010235415598"),
    "json": '{"version": 1, "directions":\n[[0, 0.6, 0.8], [0.6, 0, 0.8],\n[-0.6, 0, 0.8]]}\n',
    "dome": '{"lightConfiguration": "directional", "directions":\n'
    "[[0, 0.6, 0.8], [0.6, 0, 0.8],\n[-0.6, 0, 0.8]]}\n",
    "yaml": "version: 1\nlights:\n- [0, 0.6, 0.8]\n- [0.6, 0, 0.8]\n- [-0.6, 0, 0.8]\n",
}
WAYS = {
    "no last newline": lambda text: text.rstrip("\n"),
    "CRLF": lambda text: text.replace("\n", "\r\n"),
    "CR": lambda text: text.replace("\n", "\r"),
    "BOM": lambda text: "\ufeff" + text,
    "tabs": lambda text: text.replace(" 0", "\t0").replace(" 5", "\t5"),
    "blank lines at the end": lambda text: text + "\n\n",
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TEXTS)
def test_every_text_format_is_read_however_it_was_saved(tmp_path, name, way):
    if (name, way) == ("yaml", "tabs"):
        pytest.skip("YAML allows no tab for indentation, and this changes none")
    path = tmp_path / "lights.any"
    path.write_bytes(WAYS[way](TEXTS[name]).encode())

    rig = read_lights(path)

    assert light_format_of(path).name == name
    assert rig.directions == pytest.approx(
        np.array([[0, 0.6, 0.8], [0.6, 0, 0.8], [-0.6, 0, 0.8]]), abs=1e-15
    )
