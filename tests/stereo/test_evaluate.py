"""Angular error against angles that are known, and its picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mvps.errors import InputError
from mvps.stereo.evaluate import (
    ErrorSummary,
    angular_error,
    error_picture,
    known,
    summarise,
)

# Ends of the viridis table as OpenCV has it.
DARK, BRIGHT = [68, 1, 84], [253, 231, 37]


def turned(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Normals (H, W, 3) and the same turned by ``angles`` (H, W) in degrees."""
    rng = np.random.default_rng(5)
    normals = rng.standard_normal((*angles.shape, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    axis = np.cross(normals, rng.standard_normal(normals.shape))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    radians = np.radians(angles)[..., None]
    return normals, normals * np.cos(radians) + np.cross(axis, normals) * np.sin(radians)


@pytest.mark.parametrize("angle", [1e-9, 1e-5, 0.001, 1, 45, 90, 179, 179.999999])
def test_the_angle_is_exact_at_both_ends(angle):
    normals, truth = turned(np.full((40, 50), angle))

    error = angular_error(normals, truth)

    # float32 of the result, and float64 rounding of the vectors (about 2e-16 rad each).
    assert error == pytest.approx(np.full((40, 50), angle), rel=2e-7, abs=5e-14)


def test_length_does_not_matter_and_nothing_is_an_angle_of_zero():
    normals, _ = turned(np.zeros((40, 50)))

    assert angular_error(normals.astype(np.float32), normals.astype(np.float32) * 3).max() < 1e-5


def test_pixels_without_a_direction_or_outside_the_mask_are_nan():
    normals, truth = turned(np.full((1, 5), 10.0))
    normals[0, 0] = 0
    truth[0, 1] = 0
    truth[0, 2] = np.nan
    mask = np.array([[255, 255, 255, 0, 255]], np.uint8)

    error = angular_error(normals, truth, mask)
    figures = summarise(error, known(truth) & (mask != 0))

    assert np.isnan(error).tolist() == [[True, True, True, True, False]]
    assert figures.count == 1
    # The first pixel has a truth and no normal; the masked one does not count.
    assert figures.missing == 1


def test_figures_follow_their_definitions():
    error = np.full((2, 101), np.nan, np.float32)
    error[0] = np.arange(101)

    figures = summarise(error, np.ones((2, 101), np.bool_))

    rmse = np.sqrt(100 * 201 / 6)  # mean of squares 0..100 is n (2n + 1) / 6
    assert figures == ErrorSummary(50.0, 50.0, 95.0, 100.0, pytest.approx(rmse), 101, 101)


def test_the_benchmarks_own_result_on_the_ball_has_its_published_error(test_data):
    folder = test_data("diligent_ball")
    truth = np.load(folder / "normal_gt.npy")
    normals = np.load(folder / "normal_l2_benchmark.npy")
    mask = cv2.imread(str(folder / "mask.png"), cv2.IMREAD_GRAYSCALE)

    figures = summarise(angular_error(normals, truth, mask), mask != 0)

    # DiLiGenT (Shi et al. 2019) reports 4.10 degrees for least squares on BALL.
    assert figures.mean == pytest.approx(4.0962, abs=5e-5)
    assert figures.count == 15791
    assert figures.missing == 0


def test_maps_of_different_size_or_without_a_common_pixel_are_refused():
    normals, truth = turned(np.zeros((4, 5)))
    with pytest.raises(InputError, match="result: 4 x 4 pixels, the truth 5 x 4"):
        angular_error(normals[:, :4], truth)
    with pytest.raises(InputError, match="mask: 5 x 3 pixels"):
        angular_error(normals, truth, np.ones((3, 5)))
    with pytest.raises(InputError, match="no valid pixel"):
        summarise(angular_error(np.zeros_like(normals), truth))


def test_the_picture_runs_from_dark_at_zero_to_bright_at_the_upper_end():
    error = np.zeros((300, 330), np.float32)
    error[:, 100:200] = 8
    error[:, 200:] = np.nan

    picture = error_picture(error, upper=8)

    row = picture[picture.shape[0] // 2, 16:346].tolist()
    assert row[50] == DARK
    assert row[150] == BRIGHT
    assert row[250] == [225, 225, 225]
    bar = picture[:, 346 + 16 + 10].tolist()
    assert bar.index(BRIGHT) < bar.index(DARK)


@pytest.mark.parametrize(
    ("top", "bar"), [(0.0007, 0.001), (0.17, 0.2), (3.1, 5), (4.9, 5), (7, 10)]
)
def test_the_bar_ends_at_1_2_or_5_times_a_power_of_ten(top, bar):
    error = np.full((300, 330), top, np.float32)

    assert np.array_equal(error_picture(error), error_picture(error, upper=bar))


def test_a_flawless_result_and_an_empty_one_have_pictures_too():
    assert error_picture(np.zeros((300, 330), np.float32))[150, 100].tolist() == DARK
    assert error_picture(np.full((300, 330), np.nan, np.float32))[150, 100].tolist() == [225] * 3


def test_large_maps_are_reduced_and_small_ones_enlarged():
    large = np.full((3000, 4100), 2, np.float32)
    large[:, 2050:] = np.nan

    picture = error_picture(large, upper=2)

    assert max(picture.shape) <= 1024 + 200
    assert picture[picture.shape[0] // 2, 16 + 100].tolist() == BRIGHT
    assert min(error_picture(np.ones((20, 30), np.float32)).shape[:2]) >= 200
