"""A camera is applied to images of its size only, and to others after what is stated of them."""

from __future__ import annotations

import numpy as np
import pytest

from mvps.calib import published_cameras, read_camera
from mvps.calib.fit import CameraFit, check_size, parse_crop
from mvps.errors import InputError

CAM1 = published_cameras()["cam1"]


def test_the_papers_images_are_refused_with_the_aspect_and_what_to_pass():
    with pytest.raises(InputError) as caught:
        check_size(read_camera(CAM1), (3648, 5472), "part.tif")
    assert str(caught.value) == (
        f"part.tif: 3648x5472 px, but the camera of {CAM1} has 4096x3000 px; the aspect ratios "
        "differ: 0.6667, 1.5 when turned and 1.365 (9.9% apart); pass --camera-crop X,Y,W,H, the "
        "part of the 4096x3000 calibrated px that the images show, then --camera-bin N or "
        "--camera-scale where they were reduced; or another --camera"
    )


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((2048, 1500), "pass --camera-bin 2 where they were binned, --camera-scale where scaled"),
        ((1024, 750), "pass --camera-bin 4 where"),
        ((8192, 6000), "; pass --camera-scale where the images were scaled"),
        ((1000, 732), "; pass --camera-scale where the images were scaled"),
    ],
)
def test_a_reduced_image_is_told_how(size, words):
    with pytest.raises(InputError, match=words) as caught:
        check_size(read_camera(CAM1), size, "part.tif")
    assert "aspect" not in str(caught.value)


def test_turned_images_are_called_turned():
    with pytest.raises(InputError, match="turned by 90 degrees; turn the images") as caught:
        check_size(read_camera(CAM1), (3000, 4096), "part.tif")
    assert "aspect" not in str(caught.value)


def test_crop_then_bin_then_scale_moves_the_principal_point_by_the_pixel_centre_rule():
    camera = read_camera(CAM1)

    found = CameraFit((96, 200, 4000, 2800), 2, scale=True).apply(camera, (1000, 700))

    cx, cy = camera.matrix[0, 2] - 96, camera.matrix[1, 2] - 200
    expected = [(c + 0.5) / 4 - 0.5 for c in (cx, cy)]
    assert found.image_size == (1000, 700)
    np.testing.assert_allclose(found.matrix[:2, 2], expected, atol=1e-9)
    np.testing.assert_allclose(np.diag(found.matrix)[:2], np.diag(camera.matrix)[:2] / 4)


def test_scaling_does_not_squeeze():
    with pytest.raises(InputError, match="aspect ratios differ"):
        CameraFit(scale=True).apply(read_camera(CAM1), (3648, 5472))


def test_nothing_stated_changes_nothing():
    camera = read_camera(CAM1)
    assert CameraFit().apply(camera, (1, 1)) is camera


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,x", "", "-1,0,5,5"])
def test_a_crop_that_is_none_is_refused(text):
    with pytest.raises(InputError, match="--camera-crop"):
        parse_crop(text)
