"""The front door: what it takes, what it refuses, and that every way in gives the same solution."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from rendered import degrees_between, render

from mvps import native
from mvps.errors import InputError
from mvps.stereo import get_backend, solve
from mvps.stereo.problem import DTYPES

HEIGHT, WIDTH = 41, 53
DEVICES = ["reference", "numpy", "cpu"]


def images_of(capture) -> np.ndarray:
    return capture.samples.reshape(len(capture.samples), HEIGHT, WIDTH, *capture.samples.shape[2:])


@pytest.fixture
def grey():
    return render("uint8", pixels=HEIGHT * WIDTH)


@pytest.fixture
def colour():
    return render("uint16", channels=3, pixels=HEIGHT * WIDTH)


@pytest.mark.parametrize("device", DEVICES)
def test_images_become_maps_of_the_same_size(colour, device):
    found = solve(images_of(colour), colour.rig, grey="channels", quality=True, device=device)
    assert found.normals.shape == found.albedo.shape == (HEIGHT, WIDTH, 3)
    assert found.valid.shape == found.residual.shape == found.used.shape == (HEIGHT, WIDTH)
    types = (found.normals.dtype, found.albedo.dtype, found.valid.dtype, found.used.dtype)
    assert types == (np.float32, np.float32, np.bool_, np.uint8)
    assert np.median(degrees_between(found.normals.reshape(-1, 3), colour.normals)) < 3
    assert (found.used == 8).all()


def test_quality_is_given_only_when_asked_for(grey):
    found = solve(images_of(grey), grey.rig)
    assert found.residual is None
    assert found.used is None


@pytest.mark.parametrize("device", DEVICES)
def test_degenerate_pixels_are_counted(grey, device):
    images, mask = np.array(images_of(grey)), np.ones((HEIGHT, WIDTH), bool)
    images[:, 3, 4:9] = 0
    mask[30:, :] = False
    found = solve(images, grey.rig, mask=mask, device=device)
    assert found.degenerate == 5 + 11 * WIDTH
    assert not found.normals[~found.valid].any()
    assert not found.albedo[~found.valid].any()


def test_directions_alone_are_lights_of_intensity_one(grey):
    rig = type(grey.rig)(grey.rig.directions, np.ones(8))
    bare = solve(images_of(grey), grey.rig.directions.tolist())
    np.testing.assert_array_equal(bare.normals, solve(images_of(grey), rig).normals)


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_the_number_of_threads_changes_nothing(threads):
    capture = render("uint16", lights=4, pixels=411 * 531)
    images = capture.samples.reshape(4, 411, 531)
    single = solve(images, capture.rig, threads=1, quality=True, device="cpu")
    many = solve(images, capture.rig, threads=threads, quality=True, device="cpu")
    for name in ("normals", "albedo", "valid", "residual", "used"):
        np.testing.assert_allclose(
            getattr(many, name), getattr(single, name), rtol=0, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_layout_in_memory_gives_the_same(dtype):
    images = images_of(render(dtype, pixels=HEIGHT * WIDTH))
    rig = render(pixels=HEIGHT * WIDTH).rig
    right = solve(images, rig).normals
    wide = np.zeros((8, HEIGHT + 5, WIDTH), dtype)
    wide[:, 2:-3] = images
    gaps = np.zeros((8, HEIGHT, 2 * WIDTH), dtype)
    gaps[:, :, ::2] = images
    layouts = {
        "a window of rows": wide[:, 2:-3],
        "every second column": gaps[:, :, ::2],
        "lights last": np.moveaxis(np.ascontiguousarray(np.moveaxis(images, 0, 2)), 2, 0),
        "backwards": np.ascontiguousarray(images[::-1])[::-1],
        "Fortran order": np.asfortranarray(images),
    }
    for name, layout in layouts.items():
        np.testing.assert_array_equal(layout, images)
        np.testing.assert_array_equal(solve(layout, rig).normals, right, err_msg=name)
    readonly = images.copy()
    readonly.flags.writeable = False
    np.testing.assert_array_equal(solve(readonly, rig).normals, right)


def test_whatever_speaks_dlpack_is_taken(grey):
    class Foreign:
        def __init__(self, array):
            self._array = array

        def __dlpack__(self, **options):
            return self._array.__dlpack__(**options)

        def __dlpack_device__(self):
            return self._array.__dlpack_device__()

    mask = np.ones((HEIGHT, WIDTH), np.uint8)
    found = solve(Foreign(images_of(grey)), grey.rig, mask=Foreign(mask))
    np.testing.assert_array_equal(found.normals, solve(images_of(grey), grey.rig).normals)


def test_a_list_of_images_is_taken(grey):
    images = images_of(grey)
    found = solve(list(images), grey.rig)
    np.testing.assert_array_equal(found.normals, solve(images, grey.rig).normals)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    "change,text",
    [
        (lambda i: {"images": i[0]}, "images: shape (41, 53), expected (K, H, W) or (K, H, W, 3)"),
        (lambda i: {"images": i[:, :0]}, "images: shape (8, 0, 53), expected"),
        (lambda i: {"images": i[:5]}, "images: 5 of them for 8 lights"),
        (lambda i: {"images": i.astype(float)}, "images: samples of type float64"),
        (lambda i: {"images": i.astype(">u2")}, "images: samples of type >u2"),
        (lambda i: {"images": [i[0], i[1, :3]]}, "images: cannot be read as one array"),
        (
            lambda i: {"mask": np.ones((53, 41))},
            "mask: shape (53, 41), but the images are (41, 53)",
        ),
        (lambda i: {"threads": 0}, "threads: 0 of them"),
        (lambda i: {"lights": np.eye(3)[:, :2]}, "lights: shape (3, 2), expected (K, 3)"),
    ],
)
def test_every_device_refuses_with_the_same_words(grey, device, change, text):
    images = images_of(grey)
    arguments = {"images": images, "lights": grey.rig, "device": device} | change(images)
    with pytest.raises(InputError) as caught:
        solve(**arguments)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "CPU", ""])
def test_an_unknown_device_is_refused(device):
    with pytest.raises(InputError, match=f"device: unknown device '{device}'"):
        get_backend(device)


def test_cpu_means_the_compiled_core_where_there_is_one():
    assert get_backend("cpu").name == ("cpu" if native.library() else "numpy")


@pytest.mark.skipif(native.library() is None, reason="NumPy needs room for its tiles")
def test_beyond_its_results_a_solve_holds_next_to_nothing():
    images = np.ones((4, 1500, 2000), np.uint8)
    rig = render(lights=4, pixels=1).rig
    tracemalloc.start()
    found = solve(images, rig, device="cpu", threads=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    results = found.normals.nbytes + found.albedo.nbytes + found.valid.nbytes
    assert peak - results < 1 << 20
