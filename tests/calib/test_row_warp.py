"""Streaming gives what the whole image gives, and holds no more rows than the warp reaches over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planar import reversed_camera, tilted_camera

from mvps.calib import published_cameras, read_camera, resample
from mvps.calib.remap import remap_image, remap_normals
from mvps.calib.row_warp import Layer, RowWarp
from mvps.calib.transforms import resize_camera
from mvps.calib.warp import undistortion, view_warp

SIZE = (160, 410)


def upside_down():
    """The last source rows come first, so that every row has to be kept."""
    camera = tilted_camera(SIZE)
    flip = np.diag([-1.0, -1.0, 1.0])
    turned = replace(camera, rotation=flip @ camera.rotation, translation=flip @ camera.translation)
    return view_warp(camera, turned)


WARPS = {
    "published": lambda: undistortion(
        resize_camera(read_camera(published_cameras()["cam1"]), SIZE, allow_aspect=True)
    ),
    "strong": lambda: undistortion(tilted_camera(SIZE)),
    "reversed": lambda: undistortion(replace(reversed_camera(), image_size=SIZE)),
    "looks beyond": lambda: undistortion(
        tilted_camera(SIZE), tilted_camera().matrix * [[0.5], [0.5], [1.0]], (160, 700)
    ),
    "upside down": upside_down,
}


@pytest.fixture(params=["compiled", "NumPy"], autouse=True)
def backend(request, monkeypatch):
    if request.param == "NumPy":
        monkeypatch.setattr(resample, "library", lambda: None)
    elif resample.library() is None:
        pytest.skip("no compiled core")


def stream(warp, layers, arrays, mask, step, rotation):
    """Every output strip, put together; rows go in ``step`` at a time."""
    rows = RowWarp(warp, layers, rotation)
    found = [[] for _ in range(len(arrays) + 1)]
    for y in range(0, len(mask), step):
        part = slice(y, y + step)
        for strip in rows.push([array[part] for array in arrays], mask[part]):
            for place, array in zip(found, (*strip.layers, strip.valid), strict=True):
                place.append(array.copy())
    return [np.concatenate(parts) for parts in found], rows.buffered_rows


@pytest.mark.parametrize("step", [7, 64, 410])
@pytest.mark.parametrize("name", WARPS)
def test_strips_put_together_are_the_whole_image(name, step):
    warp = WARPS[name]()
    rng = np.random.default_rng(3)
    width, height = warp.source_size
    normals = rng.normal((0, 0, 2), 0.3, (height, width, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    grey = rng.integers(0, 1 << 16, (height, width), np.uint16)
    labels = rng.integers(0, 5, (height, width), np.uint8)
    mask = np.kron(rng.random((height // 10, width // 10)) < 0.9, np.ones((10, 10), np.uint8))
    turn = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])
    layers = [
        Layer("normals", 3, np.float32),
        Layer("linear", 1, np.uint16),
        Layer("nearest", 1, np.uint8),
    ]

    (found, plain, near, valid), held = stream(
        warp, layers, (normals, grey, labels), mask, step, turn
    )

    whole, ok = remap_normals(warp, normals, mask, turn)
    image, _ = remap_image(warp, grey, mask)
    closest, _ = remap_image(warp, labels, mask, interpolation="nearest")
    assert valid.shape == ok.shape == (warp.size[1], warp.size[0])
    # Positions go through float32, so that a few pixels at the mask's edge differ in validity.
    assert (ok != (valid > 0)).mean() < 2e-4
    both = ok & (valid > 0)
    assert both.mean() > 0.05
    # A step of 1.5e-5 px times the largest differences between neighbours.
    assert np.abs(found - whole)[both].max() < 1e-3
    assert np.abs(plain.astype(int) - image)[both].max() <= 4
    assert (near != closest)[both].mean() < 1e-4
    assert not found[valid == 0].any() and not plain[valid == 0].any()
    assert held <= height


@pytest.mark.parametrize("name", ["cam1", "cam2", "cam3", "cam4"])
def test_a_published_camera_needs_a_tenth_of_its_rows(name):
    camera = read_camera(published_cameras()[name])
    if resample.library() is None:
        camera = resize_camera(camera, (410, 300), allow_aspect=True)

    rows = RowWarp(undistortion(camera), [Layer("normals", 3, np.float32)])

    assert rows.buffered_rows < 330 and rows.buffered_rows <= camera.image_size[1]


def test_more_rows_than_the_image_has_are_refused():
    warp = WARPS["strong"]()
    rows = RowWarp(warp, [Layer("linear", 1, np.uint8)])
    image = np.zeros((411, 160), np.uint8)
    with pytest.raises(ValueError, match="411 rows for a source of 410"):
        list(rows.push([image]))
