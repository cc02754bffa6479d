"""Given a rig file that is at fault, one line names file, line and key."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from captures import RIG
from hypothesis import given, settings
from hypothesis import strategies as st
from rig_texts import root_fault, view, write

from mvps.capture.rigfile import VIEW_KEYS, read_rig
from mvps.errors import InputError


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("version: 1", "version: 2", "line 1: version: version '2', expected 1"),
        ("version: 1\n", "", "line 1: the key 'version' is missing"),
        ("units: mm", "units: cm", "line 2: units: unknown value 'cm'; known are mm"),
        ("units: mm", "unit: mm", "line 2: unit: unknown key; did you mean 'units'?"),
        ("units: mm", "units: mm\nunits: mm", "line 3: the key 'units' repeats that of line 2"),
        (
            "    images:",
            "    image:",
            "line 5: views.top.image: unknown key; did you mean 'images'?",
        ),
        ("lights:", "light:", "line 6: views.top.light: unknown key; did you mean 'lights'?"),
        ("    lights: lights/top.lp\n", "", "line 4: views.top: the key 'lights' is missing"),
        ("{sample}/", "{smaple}/", "views.top.images: unknown placeholder {smaple} in "),
        ("{sample}/", "{smaple}/", "did you mean 'sample'?"),
        (
            "{light:02d}",
            "{light:.2f}",
            "{light:.2f}: not an integer format; write it as {light:02d}",
        ),
        ("{light:02d}", "{light:2d}", "{light:2d}: not an integer format"),
        ("{light:02d}", "{light!r}", "{light!r}: a conversion is not allowed"),
        ("{light:02d}", "{light.real}", "unknown placeholder {light.real}"),
        ("{light:02d}", "{}", "an empty placeholder {}; write {sample} or {light}"),
        ("{light:02d}", "{light", "is not a pattern (expected '}' before end of string)"),
        ("{sample}/", "{sample:3}/", "{sample:3}: a sample takes no format; write {sample}"),
        ("{sample}/top/L", "{sample}", "nothing parts the placeholders"),
        ("/L{light", "/*{light", "a pattern holds {sample} and {light} and nothing else"),
        ("{sample}/top/", "{sample}\\\\top/", "a path is written with /, not with a backslash"),
        (
            '"{sample}/top/L{light:02d}.tif"',
            "[1]",
            "line 5: views.top.images: expected text, found a",
        ),
        ('"{sample}/top/L{light:02d}.tif"', "", "views.top.images: expected text, found nothing"),
        ('"{sample}/top/L{light:02d}.tif"', "{sample}/x", "not YAML"),
        (
            "mask: masks/top.png",
            'mask: "m{light}.png"',
            "views.top.mask: {light} has no meaning here",
        ),
        (
            "lights: lights/top.lp",
            "lights: [[0, 0, x]]",
            "views.top.lights[0][2]: 'x' is not a number",
        ),
        ("mask: masks/top.png", "response: srbg", "views.top.response: no response 'srbg'"),
        (
            "mask: masks/top.png",
            "response: gamma=x",
            "views.top.response: 'gamma=x' is no exponent",
        ),
        ("mask: masks/top.png", "bits: 12", "views.top.bits: 12 bits stated alone"),
        ("mask: masks/top.png", "bits: 17\n    align: left", "views.top.bits: 17 is outside 1..16"),
        ("mask: masks/top.png", "align: up", "views.top.align: unknown value 'up'"),
        (
            "mask: masks/top.png",
            "bayer: rgbg",
            "views.top.bayer: unknown value 'rgbg'; did you mean",
        ),
        ("mask: masks/top.png", "raw: {packing: u8}", "views.top.raw: the key 'width' is missing"),
        (
            "mask: masks/top.png",
            "raw: {packing: mono12, width: 1, height: 1}",
            "views.top.raw.packing: unknown value 'mono12'; did you mean 'mono12p'?",
        ),
        (
            "mask: masks/top.png",
            "lights_convention: gl",
            "views.top.lights_convention: unknown value",
        ),
        ("  top:", "  a/b:", "'a/b' cannot name a folder of the output"),
        ("  top:", "  ..:", "'..' cannot name a folder of the output"),
        ("views:\n  top:", "views: {}\nx:\n  top:", "x: unknown key"),
    ],
)
def test_a_faulty_rig_file_names_line_and_key(rig, rewrite, old, new, message):
    rewrite(rig / "rig.yml", old, new)

    error = root_fault(rig)

    assert error.startswith(f"{rig}/rig.yml, line ")
    assert message in error


@pytest.mark.parametrize(
    ("near", "line", "message"),
    [
        ("near: board", 8, "near: expected a mapping, found text"),
        ("near:\n  distance: 9", 9, "near.distance: unknown key; did you mean 'distance_mm'?"),
        ("near:\n  distance_mm: far", 9, "near.distance_mm: 'far' is not a number"),
        ("near:\n  distance_mm: -1", 9, "near.distance_mm: -1 is not zero or a positive number"),
        ("near:\n  distance_mm: .inf", 9, "near.distance_mm: "),
        ("near:\n  depth: d.tif\n  mm_per_px: 0", 10, "near.mm_per_px: 0 is not a positive number"),
        ("near:\n  plane: [10, 20]", 9, "near.plane: has a tilt but no distance; add distance_mm"),
        ("near:\n  plane: floor", 9, "near.plane: 'floor' is no plane; write board or [tilt, azi"),
        (
            "near:\n  plane: [1]\n  distance_mm: 9",
            9,
            "near.plane: 1 numbers; write [tilt, azimuth]",
        ),
        ("near:\n  plane: [1, x]\n  distance_mm: 9", 9, "near.plane[1]: 'x' is not a number"),
        ("near:\n  plane: board\n  distance_mm: 9", 10, "near.distance_mm: the board has its own"),
        ("near:\n  depth: 'd{light}.tif'", 9, "near.depth: {light} has no meaning here"),
        ("near:\n  intensities: watt", 9, "near.intensities: unknown value 'watt'; known are"),
    ],
)
def test_a_faulty_place_of_the_part_names_line_and_key(rig, near, line, message):
    write(rig, view(near))

    assert root_fault(rig).startswith(f"{rig}/rig.yml, line {line}: views.top.{message}")


def test_a_depth_map_for_each_sample_needs_samples(rig):
    text = view("near:\n  depth: '{sample}.tif'")
    write(rig, text.replace("{sample}/top", "a2/top"))

    assert "near: depth holds {sample}, but images does not" in root_fault(rig)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ("[a2, a2]", "samples[1]: 'a2' stands twice"),
        ("[]", "samples: the list is empty"),
        ("[../b]", "samples[0]: '../b' is not one name"),
        ('[".."]', "samples[0]: '..' is not one name"),
        ("a/*", "samples: 'a/*' is not one name"),
        ("{a: 1}", "samples: expected text, found a mapping"),
    ],
)
def test_faulty_samples_name_line_and_entry(rig, samples, message):
    write(rig, f"{RIG}samples: {samples}\n")

    assert root_fault(rig).startswith(f"{rig}/rig.yml, line 8: {message}")


def test_views_agree_on_whether_there_are_samples(rig):
    write(rig, RIG + '  side:\n    images: "side/{light}.tif"\n    lights: lights/top.lp\n')
    assert "views: side.images holds no {sample}, other views do" in root_fault(rig)

    write(rig, RIG.replace("{sample}", "a2") + 'samples: "*"\n')
    assert "samples: no view holds {sample}; remove it" in root_fault(rig)

    write(rig, RIG.replace("{sample}", "a2").replace("masks/top.png", "'{sample}.png'"))
    assert "line 7: views.top.mask: holds {sample}, but images does not" in root_fault(rig)


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_damaged_rig_file_is_refused_in_one_line_or_read(data):
    near = "near: {plane: [4, 5], distance_mm: 3}"
    raw = "raw: {packing: u8, width: 4, height: 4}"
    text = view(f"{near}\nresponse: linear\n{raw}") + "samples: [a, b]\n"
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 12))
    junk = data.draw(st.one_of(st.text(max_size=8), st.sampled_from(VIEW_KEYS)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rig.yml"
        path.write_text(text[:at] + junk + text[at + cut :], encoding="utf-8")
        try:
            read_rig(path)
        except InputError as error:
            assert "\n" not in str(error)
