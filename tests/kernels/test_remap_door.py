"""Warping through the door to a GPU: on a pretended one everywhere, on a real one where it is."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest
from fake_cupy import Machine, fake_cupy
from host import HostModule, find_compiler
from remap_cases import TYPES, assert_image, certain, make_case, rational_camera, unit_case

from mvps.calib import remap_reference as reference
from mvps.calib.remap import remap_image
from mvps.calib.resample import Source
from mvps.calib.warp import Warp, undistortion
from mvps.errors import DeviceError, InputError
from mvps.native import resource_dir
from mvps.stereo import cuda, remap_cuda

TURN = np.array([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0], [-0.8, 0.0, 0.6]])
NAMES = ("rational", "crop")  # every branch of the kernels is run elsewhere
USABLE, REASON = cuda.available()


@pytest.fixture(scope="module")
def host(tmp_path_factory) -> HostModule:
    if find_compiler() is None:
        pytest.skip("no C++ compiler, so the CUDA source cannot run on the CPU")
    folder = tmp_path_factory.mktemp("door")
    return HostModule(resource_dir("kernels") / remap_cuda.SOURCE, remap_cuda.KERNELS, folder)


@pytest.fixture
def machine(monkeypatch, host):
    """A pretended CuPy whose launches run on the CPU."""
    pretended = Machine(module=host)
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(pretended))
    remap_cuda._kernel.cache_clear()
    yield pretended
    remap_cuda._kernel.cache_clear()


def check_images(door) -> None:
    for name in NAMES:
        for dtype in TYPES:
            for channels in (1, 3):
                case = make_case(name, dtype, channels)
                for masked in (False, True):
                    for way in ("linear", "nearest"):
                        mask = case.mask if masked else None
                        out, valid = door.image(case.warp, case.image, mask, interpolation=way)
                        assert valid.dtype == np.bool_ and out.dtype == case.image.dtype
                        flags = valid.view(np.uint8)
                        assert_image(case, out, flags, masked=masked, nearest=way == "nearest")


def check_normals(door) -> None:
    case = unit_case("rational")
    where = reference.positions(case.warp, 0, case.warp.size[1])
    for rotation in (None, TURN):
        for mask in (None, case.mask):
            out, valid = door.normals(case.warp, case.image, mask, rotation)

            turn = np.eye(3) if rotation is None else rotation
            right, ok = reference.remap_normals(case.image, case.mask, where, turn)
            sure = certain(where, Source(case.image, case.mask))
            np.testing.assert_array_equal(valid[sure], ok[sure])
            np.testing.assert_allclose(out[sure & ok], right[sure & ok], atol=2e-6)
            assert not out[~valid].any()


def test_every_image_equals_the_definition(machine):
    check_images(remap_cuda.CudaRemap())
    assert {launch.name for launch in machine.launches} == set(remap_cuda.KERNELS[:-1])


def test_normals_equal_the_definition(machine):
    check_normals(remap_cuda.CudaRemap())


def test_positions_take_the_place_of_a_model(machine):
    camera = rational_camera()
    plain = undistortion(camera)
    stated = Warp(
        plain.size,
        plain.source_size,
        positions=lambda pixels: _positions_of(plain, pixels),
    )
    case = replace(make_case("rational", "float32", 1), warp=stated)

    out, valid = remap_cuda.CudaRemap().image(stated, case.image)

    right, ok = remap_image(plain, case.image)
    both = valid & ok
    assert np.mean(valid != ok) < 0.001
    np.testing.assert_allclose(out[both], right[both], atol=1e-4)  # float32 positions


def _positions_of(warp: Warp, pixels: np.ndarray) -> np.ndarray:
    y0, y1 = int(pixels[0, 0, 1]), int(pixels[-1, 0, 1]) + 1
    return reference.positions(warp, y0, y1)


def test_arrays_on_the_device_stay_there(machine):
    case = make_case("plain", "uint16", 3)
    door = remap_cuda.CudaRemap()

    out, valid = door.image(case.warp, machine.on_device(case.image), machine.on_device(case.mask))

    assert type(out).__name__ == type(valid).__name__ == "DeviceArray"
    right, ok = remap_image(case.warp, case.image, case.mask)
    assert np.array_equal(np.asarray(valid), ok)
    assert np.abs(np.asarray(out).astype(int) - right).max() <= 1


def test_rows_that_are_not_contiguous_are_copied(machine):
    case = make_case("plain", "float32", 1)
    wide = np.repeat(case.image, 2, axis=1)[:, ::2]

    out, _ = remap_cuda.CudaRemap().image(case.warp, wide)

    assert np.array_equal(out, remap_cuda.CudaRemap().image(case.warp, case.image)[0])


def test_what_cannot_be_warped_is_one_line(machine):
    door = remap_cuda.CudaRemap()
    case = make_case("plain", "uint8", 1)

    with pytest.raises(InputError, match="'cubic' is not linear or nearest"):
        door.image(case.warp, case.image, interpolation="cubic")
    with pytest.raises(InputError, match="256x187 px, expected 257x187"):
        door.image(case.warp, case.image[:, 1:])
    with pytest.raises(InputError, match="type float64"):
        door.image(case.warp, case.image.astype(float))
    with pytest.raises(InputError, match="mask of shape"):
        door.image(case.warp, case.image, case.mask[:-1])
    with pytest.raises(InputError, match="three channels of float32"):
        door.normals(case.warp, case.image)
    with pytest.raises(InputError, match="on cuda:0 and the host, but"):
        door.image(case.warp, machine.on_device(case.image), case.mask)
    machine.compile_error = "error: no"
    remap_cuda._kernel.cache_clear()
    with pytest.raises(DeviceError, match="do not compile"):
        door.image(case.warp, case.image)


@pytest.mark.gpu
@pytest.mark.skipif(not USABLE, reason=REASON or "usable")
def test_a_gpu_equals_the_definition():
    door = remap_cuda.CudaRemap()

    check_images(door)
    check_normals(door)
