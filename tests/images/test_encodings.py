"""How far quantisation turns a normal, derived from its step."""

from __future__ import annotations

import numpy as np
import pytest

from mvps import native
from mvps.errors import InputError
from mvps.images import encodings
from mvps.images.encodings import (
    CONVENTIONS,
    NORMAL_ENCODINGS,
    decode_floats,
    dequantise,
    encode_floats,
    quantise,
)


def directions(count: int = 300_000) -> np.ndarray:
    """Unit vectors (1, count, 3) all over the sphere."""
    vectors = np.random.default_rng(3).standard_normal((1, count, 3))
    return (vectors / np.linalg.norm(vectors, axis=2, keepdims=True)).astype(np.float32)


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a.astype(np.float64), b.astype(np.float64)
    across = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.degrees(np.arctan2(across, (a * b).sum(axis=-1)))


@pytest.mark.parametrize(
    ("dtype", "limit", "mean"), [(np.uint16, 0.00152, 0.00066), (np.uint8, 0.3892, 0.1695)]
)
def test_quantised_normals_stay_within_half_a_step_in_each_component(dtype, limit, mean):
    normals = directions()
    valid = np.ones(normals.shape[:2], np.bool_)

    back, still_valid = dequantise(quantise(normals, valid, dtype))

    error = angles(normals, back)
    step = 2 / np.iinfo(dtype).max
    # The error of a component is uniform over a step; two of three directions turn the normal.
    expected_rms = np.degrees(step / np.sqrt(6))
    name = "png8" if dtype is np.uint8 else "tiff"
    assert still_valid.all()
    assert error.max() <= NORMAL_ENCODINGS[name].max_error <= limit
    assert error.max() > 0.8 * limit
    assert np.sqrt(np.mean(error**2)) == pytest.approx(expected_rms, rel=0.01)
    assert error.mean() == pytest.approx(mean, rel=0.02)


def test_half_floats_stay_within_2_to_minus_11_of_each_component():
    normals = directions()
    valid = np.ones(normals.shape[:2], np.bool_)
    stored = np.empty(normals.shape, np.float16)

    encode_floats(normals, valid, stored, CONVENTIONS["opengl"])
    back, still_valid = decode_floats(stored)

    error = angles(normals, back)
    assert still_valid.all()
    assert error.max() <= NORMAL_ENCODINGS["exr"].max_error < 0.02799
    # Rounding errors are uniform over the step of a component's binade.
    halves = np.spacing(np.abs(normals).astype(np.float16)).astype(np.float64)
    across = (halves**2 / 12 * (1 - normals.astype(np.float64) ** 2)).sum(axis=-1)
    assert np.sqrt(np.mean(error**2)) == pytest.approx(np.degrees(np.sqrt(across.mean())), rel=0.02)


def test_unit_float32_vectors_come_back_to_the_last_bit():
    normals = directions(1000)
    stored = np.empty_like(normals)

    encode_floats(normals, np.ones(normals.shape[:2], np.uint8), stored, CONVENTIONS["opencv"])
    back, _ = decode_floats(stored, signs=CONVENTIONS["opencv"])

    assert np.array_equal(back, normals)
    assert NORMAL_ENCODINGS["npy"].max_error == NORMAL_ENCODINGS["f32"].max_error == 0


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_codes_are_the_nearest_levels(dtype):
    normals = directions(50_000)
    top = np.iinfo(dtype).max
    exact = (normals.astype(np.float64) + 1) / 2 * top

    codes = quantise(normals, np.ones(normals.shape[:2], np.uint8), dtype)

    # float32 arithmetic near 65535 resolves 2^-8 of a level.
    assert np.abs(codes - exact).max() <= 0.5 + 2.0**-8


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_ends_of_the_range_do_not_wrap(dtype):
    over = np.nextafter(np.float32(1), np.float32(2))
    normals = np.array([[[over, 0, -over], [0, 1, -1], [3, -3, 0]]], np.float32)
    top = np.iinfo(dtype).max

    codes = quantise(normals, np.ones((1, 3), np.uint8), dtype)

    middle = (top + 1) // 2
    assert codes.tolist() == [[[top, middle, 0], [middle, top, 0], [top, 0, middle]]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_invalid_pixels_are_0_0_0_whatever_they_held(dtype):
    normals = np.array([[[0, 0, 1], [np.nan, np.inf, 1], [0, 0, 0]]], np.float32)
    valid = np.array([[1, 0, 0]], np.uint8)

    codes = quantise(normals, valid, dtype)
    back, still_valid = dequantise(codes)

    assert codes[0, 1:].tolist() == [[0, 0, 0], [0, 0, 0]]
    assert still_valid.tolist() == [[True, False, False]]
    assert back[0, 1:].tolist() == [[0, 0, 0], [0, 0, 0]]


def test_backgrounds_that_others_paint_are_invalid():
    grey, near_grey, white, facing = [128] * 3, [127] * 3, [255] * 3, [128, 128, 255]
    codes = np.array([[grey, near_grey, white, facing]], np.uint8)

    normals, valid = dequantise(codes)

    assert valid.tolist() == [[False, False, False, True]]
    assert normals[0, 3] == pytest.approx([0.0039, 0.0039, 1], abs=1e-4)


def test_float_vectors_of_any_length_become_unit_and_the_rest_invalid():
    vectors = np.array([[[0, 0, 2.5], [0, 0, 0], [np.nan, 0, 1], [0, np.inf, 0], [0.01, 0, 0]]])

    normals, valid = decode_floats(vectors)

    assert valid.tolist() == [[True, False, False, False, False]]
    assert normals.tolist() == [[[0, 0, 1], [0, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("convention", sorted(CONVENTIONS))
def test_a_convention_flips_the_stored_signs_and_back(dtype, convention):
    normals = np.array([[[0.48, 0.6, 0.64]]], np.float32)
    signs = CONVENTIONS[convention]
    valid = np.ones((1, 1), np.uint8)

    codes = quantise(normals, valid, dtype, signs=signs)
    plain, _ = dequantise(codes)
    back, _ = dequantise(codes, signs=signs)

    step = 2 / np.iinfo(dtype).max
    assert plain[0, 0] == pytest.approx(normals[0, 0] * signs, abs=step)
    assert back[0, 0] == pytest.approx(normals[0, 0], abs=step)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("convention", sorted(CONVENTIONS))
def test_every_variant_of_the_compiled_core_and_numpy_give_equal_bits(
    dtype, convention, monkeypatch
):
    if not native.variants():
        pytest.skip(f"no compiled core: {native.reason()}")
    normals = directions(200_003)
    normals[0, :6] = [[0, 0, 1], [1, 0, 0], [-1, 0, 0], [0, -1, 0], [2, -2, 0], [-0.0, 1e-30, 1]]
    valid = np.ones(normals.shape[:2], np.uint8)
    valid[0, ::7] = 0
    normals[0, ::7] = np.nan
    signs = CONVENTIONS[convention]

    monkeypatch.setattr(native, "library", lambda: None)
    plain = quantise(normals, valid, dtype, signs=signs)
    for variant in native.variants():
        monkeypatch.setattr(native, "library", lambda core=variant: core)
        compiled = quantise(normals, valid, dtype, signs=signs)

        assert np.array_equal(compiled, plain), variant.instruction_set


def test_an_unknown_format_or_convention_is_named_with_those_that_exist():
    with pytest.raises(InputError, match=r"png17: no such format.*tiff, zstd, f32, png16"):
        encodings.get_encoding("png17")
    with pytest.raises(InputError, match=r"maya: no such convention.*opengl, directx, opencv"):
        encodings.convention_signs("maya")


def test_shapes_that_do_not_fit_are_refused():
    normals = np.zeros((2, 3, 3), np.float32)
    with pytest.raises(ValueError, match="do not fit"):
        quantise(normals, np.ones((2, 2), np.uint8), np.uint8)
    with pytest.raises(ValueError, match="C-contiguous"):
        quantise(normals, np.ones((2, 3), np.uint8), np.uint8, np.empty((2, 3, 3), np.uint16))
