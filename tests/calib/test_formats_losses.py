"""What a format cannot hold is named and stops; files that exist stay; a refit states its cost."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from random_cameras import published
from running import mvps, only_error

from mvps.calib import Camera, read_camera, read_cameras, write_cameras
from mvps.calib.distortion import apply_polynomial
from mvps.calib.formats.convert import convert
from mvps.calib.formats.mvps_yaml import write_mvps_yaml
from mvps.calib.formats.refit import refit_distortion
from mvps.calib.formats.registry import FORMATS
from mvps.calib.geometry import normalise, project, to_pixels
from mvps.errors import InputError

K = np.array([[900.0, 0, 310], [0, 905, 250], [0, 0, 1]])
PLAIN = Camera(K, np.zeros(12), (640, 480), name="top")
STANDING = replace(PLAIN, rotation=np.eye(3), translation=[1.0, 2, 300], frame_id="board")
EVERY = set(FORMATS)


def with_terms(**terms):
    from mvps.calib.formats.values import COEFFICIENTS

    return replace(PLAIN, distortion=[terms.get(name, 0.0) for name in COEFFICIENTS])


@pytest.mark.parametrize(
    ("camera", "phrase", "keepers"),
    [
        (PLAIN, "", EVERY),
        (with_terms(p2=0.1), "", EVERY),
        (with_terms(k3=0.1), "top: distortion k3 = 0.1", EVERY - {"kalibr"}),
        (
            with_terms(k1=1, k4=0.1, k6=-2.5),
            "top: distortion k4 = 0.1, k6 = -2.5",
            {"mvps", "opencv", "ros", "colmap"},
        ),
        (with_terms(s1=0.1), "top: distortion s1 = 0.1", {"mvps", "opencv"}),
        (
            replace(with_terms(k1=1), distortion_direction="distorted_to_undistorted"),
            "top: the distortion direction distorted_to_undistorted",
            {"mvps"},
        ),
        (replace(PLAIN, distortion_direction="distorted_to_undistorted"), "", EVERY),
        (
            replace(PLAIN, matrix=K + np.outer([1, 0, 0], [0, 2.5, 0])),
            "top: skew 2.5",
            {"mvps", "rig", "opencv", "ros"},
        ),
        (replace(PLAIN, homography=np.eye(3)), "the board homography", {"mvps", "rig", "opencv"}),
        (STANDING, "top", EVERY - {"ros", "kalibr"}),
        (
            replace(STANDING, homography=np.eye(3)),
            "top",
            {"mvps", "rig", "opencv"},
        ),
    ],
)
def test_each_loss_is_named_by_just_the_formats_that_have_it(camera, phrase, keepers):
    losses = {name: "; ".join(entry.losses([camera])) for name, entry in FORMATS.items()}

    assert {name for name, text in losses.items() if not text} == keepers
    assert all(phrase in text for name, text in losses.items() if name not in keepers)


def test_a_homography_that_matrix_and_pose_give_is_no_loss_in_any_scale():
    H = K @ np.array([[1, 0, 1], [0, 1, 2], [0, 0, 300.0]])

    assert FORMATS["colmap"].losses([replace(STANDING, homography=-7 * H)]) == ()
    changed = H * (1 + 1e-6 * np.eye(3))
    (loss,) = FORMATS["colmap"].losses([replace(STANDING, homography=changed)])
    assert loss == "top: the board homography, which differs from K [r1 r2 t]"


@pytest.mark.parametrize("name", ["colmap", "nerfstudio", "kalibr"])
@pytest.mark.parametrize("frames", [("a", "b"), ("", "")])
def test_cameras_of_different_frames_do_not_go_into_one_file(name, frames):
    cameras = [replace(STANDING, frame_id=frame) for frame in frames]

    assert "no common frame: frame_id differs or is empty" in FORMATS[name].losses(cameras)
    assert FORMATS["mvps"].losses(cameras) == ()


def test_files_of_one_camera_lose_that_cameras_share_a_frame():
    assert FORMATS["rig"].losses([STANDING, STANDING]) == (
        "the frame that cameras share (frame_id)",
    )
    assert FORMATS["opencv"].losses([STANDING, STANDING]) == ()


def test_a_loss_stops_unless_it_is_allowed(tmp_path):
    target = tmp_path / "cam.yaml"

    with pytest.raises(InputError, match="would lose: top: rotation and translation; allow it"):
        write_cameras([STANDING], target, "ros")
    assert not target.exists()

    write_cameras([STANDING], target, "ros", allow_loss=True)
    assert read_camera(target).rotation is None


@pytest.mark.parametrize("name", ["rig", "nerfstudio"])
def test_a_format_that_must_hold_a_pose_is_not_given_an_invented_one(tmp_path, name):
    with pytest.raises(InputError, match="top: has no rotation and translation"):
        write_cameras([PLAIN, STANDING], tmp_path / "out", name, allow_loss=True)
    assert not (tmp_path / "out").exists()


def test_files_that_exist_stay_and_the_input_stays_even_when_others_may_go(tmp_path):
    first, second = tmp_path / "a.yml", tmp_path / "b.yml"
    write_cameras([PLAIN], first, "opencv")
    camera = read_camera(first)
    before = first.read_bytes()
    second.write_text("mine")

    with pytest.raises(InputError, match=r"b\.yml: exists; name another file, or pass --overwrite"):
        write_cameras([camera], second, "mvps")
    assert second.read_text() == "mine"
    (tmp_path / "link.yml").symlink_to(first)
    for target in (first, tmp_path / "link.yml"):
        with pytest.raises(InputError, match="is a file that a camera was read from"):
            write_cameras([camera], target, "mvps", overwrite=True)
    assert first.read_bytes() == before

    write_cameras([camera], second, "mvps", overwrite=True)
    assert read_camera(second).name == "top"


def test_an_input_whose_camera_is_not_chosen_stays_as_well(tmp_path):
    paths = [tmp_path / "a.yml", tmp_path / "b.yml"]
    for path in paths:
        write_cameras([replace(PLAIN, name=path.stem)], path, "mvps")

    with pytest.raises(InputError, match=r"b\.yml: is a file that a camera was read from"):
        convert(paths, paths[1], "opencv", name="a", overwrite=True)


def test_nothing_is_written_when_one_of_several_files_exists(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b.yml").write_text("mine")

    with pytest.raises(InputError, match="exists"):
        write_cameras(
            [replace(PLAIN, name="a"), replace(PLAIN, name="b")], tmp_path / "out", "opencv"
        )
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.yml"]


def test_a_camera_is_never_written_outside_the_folder_by_its_name(tmp_path):
    names = ["../../evil", "/etc/passwd", "..", "a b/c:d"]
    cameras = [replace(PLAIN, name=name) for name in names]

    written = write_cameras(cameras, tmp_path / "out", "opencv")

    assert [path.name for path in written] == ["evil.yml", "passwd.yml", "camera.yml", "c_d.yml"]
    assert {path.parent for path in written} == {tmp_path / "out"}


def test_one_of_several_cameras_is_read_by_name(tmp_path):
    path = tmp_path / "cams.yml"
    write_cameras([replace(STANDING, name=name) for name in ("left", "right")], path, "mvps")

    assert read_camera(path, "right").name == "right"
    with pytest.raises(InputError, match=r"holds 2 cameras \(left, right\); name one of them"):
        read_camera(path)
    with pytest.raises(InputError, match="holds no camera 'rihgt'; did you mean 'right'"):
        read_camera(path, "rihgt")


def test_blocks_for_the_writers_of_calibrations_are_kept_out_of_the_way(tmp_path):
    path = tmp_path / "cam.yml"
    extra = {"uncertainty": {"fx": 1e-7}, "notes": ["12 views, \U0001f600"]}

    write_mvps_yaml([PLAIN], path, extra)

    assert np.array_equal(read_camera(path).matrix, K)
    with pytest.raises(InputError, match="no block 'note'"):
        write_mvps_yaml([PLAIN], path, {"note": 1})


def test_a_refit_finds_the_terms_that_were_there_and_states_no_error():
    camera = with_terms(k1=-0.1, k2=0.02, p1=1e-3, p2=-2e-3)

    fitted, cost = refit_distortion(camera, 4)

    assert fitted.distortion == pytest.approx(camera.distortion, abs=1e-9)
    assert cost.largest_px < 1e-8
    assert cost.left_out == 0


def test_the_error_of_a_refit_is_what_projecting_with_both_cameras_shows():
    lens = with_terms(k1=-0.2, k2=0.1, k3=0.15, p1=1e-3)
    camera = replace(lens, rotation=np.eye(3), translation=np.zeros(3))
    fitted, cost = refit_distortion(camera, 4)

    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 400), np.linspace(-0.4, 0.4, 300))
    points = np.stack([x, y, np.ones_like(x)], axis=-1)
    before, seen = project(camera, points)
    after, _ = project(fitted, points)
    inside = seen & (before >= 0).all(-1) & (before <= [639, 479]).all(-1)
    off = np.hypot(*(before - after)[inside].T)

    assert cost.largest_px == pytest.approx(off.max(), rel=0.05)
    assert cost.mean_px == pytest.approx(off.mean(), rel=0.05)
    assert 0 < cost.mean_px < cost.largest_px < 1


def test_a_refit_turns_a_polynomial_round():
    camera = replace(with_terms(k1=0.05), distortion_direction="distorted_to_undistorted")
    fitted, cost = refit_distortion(camera, 5)
    raw = np.array([[600.0, 400.0]])

    undistorted = apply_polynomial(camera.distortion, normalise(K, raw))
    back = to_pixels(K, apply_polynomial(fitted.distortion, undistorted))

    assert fitted.distortion_direction == "undistorted_to_distorted"
    assert np.abs(back - raw).max() <= cost.largest_px < 1e-3


def test_convert_says_what_it_wrote_and_assumed(tmp_path):
    source = published("cam1").source.path

    result = mvps("calib", "convert", source, "--to", "colmap", tmp_path / "out")

    assert result.returncode == 0
    names = ["cameras.txt", "images.txt", "points3D.txt"]
    assert result.stdout.splitlines() == [str(tmp_path / "out" / name) for name in names]
    assert "which way the distortion maps is not documented" in result.stderr
    assert read_camera(tmp_path / "out").name == "cam1"


def test_convert_stops_at_a_loss_and_names_the_ways_on(tmp_path):
    source = published("cam1").source.path
    target = tmp_path / "chain.yaml"

    stopped = mvps("calib", "convert", source, "--to", "kalibr", target)

    assert stopped.returncode == 2
    line = only_error(stopped)
    assert "would lose: cam1: distortion k3 = -115.984; where the board or world stands" in line
    assert "--allow-loss" in line
    assert "--refit" in line
    assert not target.exists()

    words = ("--refit", "--allow-loss", "--json")
    done = mvps("calib", "convert", source, "--to", "kalibr", target, *words)
    data = json.loads(done.stdout)
    (refit,) = data["refits"]
    assert done.returncode == 0
    # Measured: four terms follow cam1's five to 22 px in its corner, 2 px on average.
    assert refit["largest_px"] == pytest.approx(22.1, abs=0.5)
    assert refit["mean_px"] == pytest.approx(2.14, abs=0.05)
    assert data["lost"] == ["where the board or world stands (poses become relative to cam1)"]
    assert data["written"] == [str(target)]


def test_convert_joins_cameras_under_the_names_of_their_files(tmp_path):
    sources = [published(name).source.path for name in ("cam1", "cam2", "cam1")]

    joined = convert(sources, tmp_path / "rig.yml", "mvps")

    assert joined.cameras == ("cam1", "cam2", "cam1_2")
    assert [camera.name for camera in read_cameras(tmp_path / "rig.yml")] == list(joined.cameras)
    with pytest.raises(InputError, match="would lose: no common frame"):
        convert(sources, tmp_path / "sparse", "colmap")
    with pytest.raises(InputError, match="holds one camera a file, and there are 3"):
        convert(sources, tmp_path / "one.yml", "opencv")


def test_convert_takes_the_direction_that_is_stated(tmp_path):
    source = published("cam3").source.path
    target = tmp_path / "cam.yml"

    done = convert([source], target, "mvps", direction="distorted_to_undistorted")

    assert done.warnings == ()
    assert read_camera(target).distortion_direction == "distorted_to_undistorted"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--to", "colmp"), "unknown calibration format; did you mean 'colmap'?"),
        (("--to", "mvps", "--name", "cam9"), "holds no camera 'cam9'"),
        (
            ("--to", "mvps", "--distortion-direction", "both"),
            "--distortion-direction: unknown direction 'both'",
        ),
    ],
)
def test_convert_names_a_wrong_word(tmp_path, words, message):
    source = published("cam1").source.path

    result = mvps("calib", "convert", source, tmp_path / "out.yml", *words)

    assert result.returncode == 2
    assert message in only_error(result)
