"""Cameras go through every pair of formats that loses nothing and come out as they went in."""

from __future__ import annotations

import itertools
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_cameras import cameras

from mvps.calib import read_cameras, write_cameras
from mvps.calib.camera import DIRECTIONS
from mvps.calib.formats.registry import FORMATS

# The rig's file must hold a pose; these two hold none, or none in a world of its own.
IMPOSSIBLE = {frozenset({"rig", "ros"}), frozenset({"rig", "kalibr"})}
PAIRS = [pair for pair in itertools.product(FORMATS, repeat=2) if frozenset(pair) not in IMPOSSIBLE]
CHAINS = [name for name, entry in FORMATS.items() if entry.holds.many]
# These write matrix and pose as they are: equal to the last bit.
EXACT = {"mvps", "rig", "opencv", "ros"}
COUNTS = (0, 4, 5, 8, 12)


@st.composite
def held(draw, names):
    """A random camera with nothing that one of the formats could not hold."""
    holds = [FORMATS[name].holds for name in names]
    camera = draw(cameras(skewed=all(h.skew for h in holds)))
    count = min([draw(st.sampled_from(COUNTS)), *(h.coefficients for h in holds)])
    changes = {"distortion": np.where(np.arange(12) < count, camera.distortion, 0.0)}
    if not all(h.direction for h in holds):
        changes["distortion_direction"] = DIRECTIONS[0]
    stands = all(h.pose == "world" for h in holds) and ("rig" in names or draw(st.booleans()))
    if not stands:
        changes |= {"rotation": None, "translation": None, "frame_id": ""}
    elif all(h.homography for h in holds) and draw(st.booleans()):
        entries = st.floats(-5, 5, allow_nan=False)
        H = np.array([draw(entries) for _ in range(9)]).reshape(3, 3) + 20 * np.eye(3)
        changes["homography"] = H
    return replace(camera, **changes)


def through(cams, names):
    """Written and read in each format in turn; every step must lose nothing."""
    with tempfile.TemporaryDirectory() as folder:
        for i, name in enumerate(names):
            assert FORMATS[name].losses(cams) == ()
            target = Path(folder) / f"{i}" / FORMATS[name].file_name.format(name="camera")
            written = write_cameras(cams, target, name)
            cams = read_cameras(written[0])
    return cams


def assert_same(found, camera, *, exact):
    assert found.image_size == camera.image_size
    assert np.array_equal(found.distortion, camera.distortion)
    assert found.distortion_direction == camera.distortion_direction or not found.distortion.any()
    assert (found.rotation is None) == (camera.rotation is None)
    fields = ["matrix"] + ["rotation", "translation"] * (camera.rotation is not None)
    for field in fields:
        a, b = getattr(found, field), getattr(camera, field)
        if exact:
            assert np.array_equal(a, b), field
        else:
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max(), err_msg=field)
    if camera.homography is not None:
        assert np.array_equal(found.homography, camera.homography)


def test_the_pairs_are_all_but_those_that_cannot_hold_one_camera():
    assert len(PAIRS) == 7 * 7 - 4


@pytest.mark.parametrize("names", PAIRS, ids="-".join)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_one_camera_comes_back(names, data):
    camera = data.draw(held(names))

    (found,) = through([camera], names)

    assert_same(found, camera, exact=EXACT.issuperset(names))


@pytest.mark.parametrize("names", [*itertools.product(CHAINS, repeat=2)], ids="-".join)
@settings(max_examples=5, deadline=None)
@given(data=st.data())
def test_cameras_that_share_a_frame_come_back_in_their_order_and_frame(names, data):
    holds = [FORMATS[name].holds for name in names]
    skewed = all(h.skew for h in holds)
    cams = [data.draw(cameras(skewed, DIRECTIONS[:1], prism=False)) for _ in range(3)]
    count = min(h.coefficients for h in holds)
    kept = np.arange(12) < count
    cams = [replace(c, distortion=np.where(kept, c.distortion, 0.0)) for c in cams]
    cams[0] = replace(cams[0], rotation=np.eye(3), translation=np.zeros(3))

    found = through(cams, names)

    assert len(found) == 3
    assert len({camera.frame_id for camera in found}) == 1
    assert found[0].frame_id
    for camera, original in zip(found, cams, strict=True):
        assert_same(camera, original, exact=names == ("mvps", "mvps"))


@settings(max_examples=25, deadline=None)
@given(camera=held(["mvps"]), name=st.text(max_size=8), frame=st.text(max_size=8))
def test_our_file_keeps_names_frames_and_where_a_camera_came_from(camera, name, frame):
    source = replace(camera.source, path="a/b: c.yml", sha256="00ff", header=(("time", "1:2"),))
    cam = replace(camera, name=name or "x", frame_id=frame, source=source)

    (found,) = through([cam], ["mvps"])
    (again,) = through([found], ["mvps"])

    expected = {"time": "1:2", "origin_path": "a/b: c.yml", "origin_sha256": "00ff"}
    for camera in (found, again):
        assert (camera.name, camera.frame_id) == (cam.name, frame)
        assert dict(camera.source.header) == expected


@settings(max_examples=40, deadline=None)
@given(turn=st.tuples(*[st.floats(-4, 4)] * 3))
def test_quaternions_and_rotation_vectors_give_the_rotation(turn):
    from scipy.spatial.transform import Rotation

    from mvps.calib.formats.values import (
        quaternion_from_rotation,
        rotation_from_quaternion,
        rotation_from_vector,
    )

    expected = Rotation.from_rotvec(turn).as_matrix()
    R = rotation_from_vector(np.array(turn))

    assert pytest.approx(expected, abs=1e-14) == R
    assert rotation_from_quaternion(quaternion_from_rotation(R)) == pytest.approx(R, abs=4e-15)


DOCS = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text()
SECTION = DOCS.split("## Calibration files\n")[1].split("\n## ")[0]


def test_the_tables_of_the_docs_say_what_each_format_holds():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in SECTION.splitlines()
        if line.startswith("| `") and "--to" not in line
    ]
    first, second = rows[: len(FORMATS)], rows[len(FORMATS) :]

    for name, entry in FORMATS.items():
        (title, *_, many) = next(row[1:] for row in first if row[0] == f"`{name}`")
        assert title.startswith(entry.title.removesuffix(" YAML or XML"))
        assert many.startswith("many" if entry.holds.many else "one")
        held = next(row[1:] for row in second if row[0] == f"`{name}`")
        pose = {"world": "yes", "relative": "relative", "none": "no"}[entry.holds.pose]
        flags = [entry.holds.homography, entry.holds.direction, entry.holds.frames]
        assert held[:2] == [str(entry.holds.coefficients), "yes" if entry.holds.skew else "no"]
        assert held[2].startswith(pose)
        assert held[3:6] == ["yes" if flag else "no" for flag in flags]


def test_the_docs_list_every_name_that_is_read_in_opencv_files():
    from mvps.calib.formats import opencv_storage as names

    pairs = [name for matrices, distortions, _ in names.PAIRS for name in matrices + distortions]
    sizes = names.WIDTH + names.HEIGHT + names.SIZE
    table = SECTION.split("Names that are read")[1]

    listed = {word for line in table.splitlines() for word in line.split("`")[1::2]}
    assert listed == {*pairs, *sizes, *names.ROTATION, *names.TRANSLATION}
