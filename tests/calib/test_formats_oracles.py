"""Files that OpenCV and COLMAP wrote are read, and ours are read by them, with equal numbers."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from random_cameras import cameras, published

from mvps.calib import Camera, read_camera, read_cameras, write_cameras
from mvps.calib.camera import DIRECTIONS
from mvps.calib.formats.opencv_storage import PAIRS

K = np.array([[812.25, 0, 319.5], [0, 808.125, 1e-7], [0, 0, 1]])
D = np.array([[-0.1, 0.02, 1e-4, -2e-5, 3e30]])
TMP = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def stored(path, **values):
    """A file that cv2.FileStorage writes."""
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    for key, value in values.items():
        storage.write(key, value)
    storage.release()
    return path


def sized(path, **values):
    return stored(path, image_width=640, image_height=480, **values)


@pytest.mark.parametrize("ending", ["yml", "xml"])
def test_what_opencv_wrote_is_read_to_the_last_bit(tmp_path, ending):
    rvec, tvec = np.array([[0.1], [-0.2], [0.3]]), np.array([[1.5], [2.5], [300.0]])
    path = sized(
        tmp_path / f"c.{ending}",
        calibration_time="Mon Jan  1 00:00:00: 2024",
        camera_matrix=K,
        distortion_coefficients=D,
        rvec=rvec,
        tvec=tvec,
    )

    camera = read_camera(path)

    assert camera.image_size == (640, 480)
    assert np.array_equal(camera.matrix, K)
    assert np.array_equal(camera.distortion[:5], D[0])
    assert camera.rotation == pytest.approx(cv2.Rodrigues(rvec)[0], abs=1e-15)
    assert np.array_equal(camera.translation, tvec[:, 0])
    assert camera.frame_id.startswith("opencv-")


NAMES = [
    (matrix_name, distortion_name)
    for matrices, distortions, name in PAIRS[:1]
    for matrix_name in matrices
    for distortion_name in distortions
]


@pytest.mark.parametrize(("matrix_name", "distortion_name"), NAMES)
def test_every_name_that_people_use_is_read(tmp_path, matrix_name, distortion_name):
    path = sized(tmp_path / "c.yml", **{matrix_name: K, distortion_name: D})

    assert np.array_equal(read_camera(path).matrix, K)


def test_a_stereo_pair_is_two_cameras_in_the_frame_of_the_first(tmp_path):
    R, T = cv2.Rodrigues(np.array([0.0, 0.2, 0]))[0], np.array([[-60.0], [0], [1]])
    path = sized(tmp_path / "s.yml", M1=K, D1=D, M2=K + np.diag([1.0, 1, 0]), D2=2 * D, R=R, T=T)

    left, right = read_cameras(path)

    assert [left.name, right.name] == ["camera1", "camera2"]
    assert np.array_equal(left.rotation, np.eye(3))
    assert not left.translation.any()
    assert np.array_equal(right.rotation, R)
    assert np.array_equal(right.translation, T[:, 0])
    assert left.frame_id == right.frame_id != ""


@pytest.mark.parametrize("count", [4, 5, 8, 12, 14])
def test_coefficients_are_taken_in_opencvs_order(tmp_path, count):
    values = np.arange(1.0, count + 1)
    values[12:] = 0  # no tilt
    path = sized(tmp_path / "c.yml", K=K, D=values[None])

    assert np.array_equal(read_camera(path).distortion[: min(count, 12)], values[:12])
    assert not read_camera(path).distortion[count:].any()


def test_a_vector_of_opencv_5_is_read(tmp_path):
    """A NumPy vector is written as opencv-nd-matrix there, as a column before."""
    path = sized(tmp_path / "c.yml", K=K, D=D[0])

    assert np.array_equal(read_camera(path).distortion[:5], D[0])


@pytest.mark.parametrize("ending", ["yml", "xml"])
@TMP
@given(camera=cameras(skewed=True, directions=DIRECTIONS[:1]))
def test_what_is_written_opens_in_opencv_with_equal_numbers(tmp_path, camera, ending):
    path = tmp_path / f"out.{ending}"
    named = replace(camera, name='a "b" <c> ä')
    write_cameras([named], path, "opencv", overwrite=True)

    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_READ)

    def mat(key):
        return storage.getNode(key).mat()

    assert storage.getNode("image_width").real() == camera.image_size[0]
    assert storage.getNode("image_height").real() == camera.image_size[1]
    assert storage.getNode("camera_name").string() == named.name
    assert np.array_equal(mat("camera_matrix"), camera.matrix)
    distortion = mat("distortion_coefficients").ravel()
    assert np.array_equal(distortion, camera.distortion[: len(distortion)])
    assert not camera.distortion[len(distortion) :].any()
    assert np.array_equal(mat("R"), camera.rotation)
    assert np.array_equal(mat("T").ravel(), camera.translation)


@TMP
@given(camera=cameras(directions=DIRECTIONS[:1], prism=False))
def test_pycolmap_reads_what_is_written_and_projects_half_a_pixel_further(tmp_path, camera):
    pycolmap = pytest.importorskip("pycolmap")
    write_cameras([replace(camera, name="top")], tmp_path, "colmap", overwrite=True)

    model = pycolmap.Reconstruction(str(tmp_path))
    (image,) = model.images.values()
    world = np.random.default_rng(1).uniform(-40, 40, (50, 3))
    expected = cv2.projectPoints(
        world @ camera.rotation.T + camera.translation,  # cv2.Rodrigues drops angles of 1e-5
        np.zeros(3),
        np.zeros(3),
        camera.matrix,
        camera.distortion[:8],
    )[0][:, 0]
    inside = image.cam_from_world() * world
    found = image.camera.img_from_cam(inside)

    assert image.name == "top"
    assert (image.camera.width, image.camera.height) == camera.image_size
    # Its own rotation has passed through a quaternion of seven operations.
    assert found == pytest.approx(expected + 0.5, rel=1e-10, abs=1e-8)


@pytest.mark.parametrize(
    ("model", "parameters", "distortion"),
    [
        ("SIMPLE_PINHOLE", [500, 320, 240], []),
        ("PINHOLE", [500, 510, 320, 240], []),
        ("SIMPLE_RADIAL", [500, 320, 240, 0.1], [0.1]),
        ("RADIAL", [500, 320, 240, 0.1, 0.2], [0.1, 0.2]),
        ("OPENCV", [500, 510, 320, 240, 0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.3, 0.4]),
        ("FULL_OPENCV", [500, 510, 320, 240, *range(1, 9)], [*range(1, 9)]),
    ],
)
def test_every_model_of_colmap_that_is_opencvs_is_read(tmp_path, model, parameters, distortion):
    pycolmap = pytest.importorskip("pycolmap")
    reconstruction = pycolmap.Reconstruction()
    camera = pycolmap.Camera(
        model=model, width=640, height=480, params=np.array(parameters, float), camera_id=7
    )
    reconstruction.add_camera(camera)
    reconstruction.write_text(str(tmp_path))

    found = read_camera(tmp_path)

    assert found.image_size == (640, 480)
    assert found.name == "camera7"
    assert np.array_equal(found.matrix[:2, 2], [319.5, 239.5])
    assert found.matrix[0, 0] == 500
    assert found.matrix[1, 1] == (510 if "fy" in camera.params_info else 500)
    assert np.array_equal(found.distortion[: len(distortion)], distortion)
    assert not found.distortion[len(distortion) :].any()
    assert found.rotation is None


def test_the_centre_of_an_image_is_where_nerfstudio_looks_through_its_middle(tmp_path):
    """A ray through pixel (i, j) of nerfstudio starts at (i + 0.5, j + 0.5) and looks along -z."""
    camera = replace(published("cam3"), distortion=np.zeros(12), homography=None)
    path = tmp_path / "transforms.json"
    write_cameras([camera], path, "nerfstudio")

    (frame,) = json.loads(path.read_text())["frames"]
    pose = np.array(frame["transform_matrix"])
    i, j = 1200, 700
    ray = pose[:3, :3] @ [
        (i + 0.5 - frame["cx"]) / frame["fl_x"],
        -(j + 0.5 - frame["cy"]) / frame["fl_y"],
        -1,
    ]
    point = pose[:3, 3] + 250 * ray
    seen = camera.matrix @ (camera.rotation @ point + camera.translation)

    assert seen[:2] / seen[2] == pytest.approx((i, j), abs=1e-8)


def test_nerfstudio_has_opencvs_terms_up_to_the_sixth_power(tmp_path):
    """It hands k1 k2 p1 p2 k3 to OpenCV in this order, with k4 asserted zero."""
    camera = Camera(K, [0.1, 0.2, 0.3, 0.4, 0.5, *[0] * 7], (640, 480))
    path = tmp_path / "transforms.json"
    write_cameras([camera], path, "nerfstudio")

    data = json.loads(path.read_text())

    assert [data[k] for k in ("k1", "k2", "p1", "p2", "k3")] == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert data["camera_model"] == "OPENCV"
    assert data["cx"] == 320


def test_a_kalibr_chain_is_in_metres_and_from_each_camera_to_the_next(tmp_path):
    text = """\
cam0:
  camera_model: pinhole
  intrinsics: [461.629, 460.152, 362.680, 246.049]
  distortion_model: radtan
  distortion_coeffs: [-0.27695497, 0.06712482, 0.00087538, 0.00011556]
  rostopic: /cam0/image_raw
  resolution: [752, 480]
cam1:
  camera_model: pinhole
  intrinsics: [461.6, 460.1, 362.6, 246.0]
  distortion_model: none
  distortion_coeffs: []
  resolution: [752, 480]
  T_cn_cnm1:
  - [1.0, 0.0, 0.0, -0.11]
  - [0.0, 1.0, 0.0, 0.0]
  - [0.0, 0.0, 1.0, 0.002]
  - [0.0, 0.0, 0.0, 1.0]
cam2:
  camera_model: pinhole
  intrinsics: [461.6, 460.1, 362.6, 246.0]
  distortion_model: none
  distortion_coeffs: []
  resolution: [752, 480]
  T_cn_cnm1:
  - [0.0, -1.0, 0.0, 0.0]
  - [1.0, 0.0, 0.0, 0.05]
  - [0.0, 0.0, 1.0, 0.0]
  - [0.0, 0.0, 0.0, 1.0]
"""
    path = tmp_path / "camchain.yaml"
    path.write_text(text)

    first, second, third = read_cameras(path)

    assert [camera.name for camera in (first, second, third)] == ["cam0", "cam1", "cam2"]
    assert second.translation == pytest.approx([-110, 0, 2])
    # A turn of 90 degrees about z takes (-110, 0, 2) to (0, -110, 2), then 50 mm are added to y.
    assert third.translation == pytest.approx([0, -60, 2])
    assert np.array_equal(first.distortion[:4], [-0.27695497, 0.06712482, 0.00087538, 0.00011556])
    assert first.frame_id == third.frame_id != ""
