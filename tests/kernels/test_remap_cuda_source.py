"""The CUDA source of the warp: run on the CPU thread by thread, under sanitizers, and by NVRTC."""

from __future__ import annotations

import numpy as np
import nvrtc
import pytest
from host import HostModule, SanitizedModule, find_compiler, sanitizers_work
from remap_cases import TYPES, assert_image, certain, make_case, unit_case, warps
from test_nvrtc import CUPY_OPTIONS, LIBRARY, OLDEST, architectures

from mvps.calib import remap_reference as reference
from mvps.calib.resample import TYPES as SHORT
from mvps.calib.resample import position_rows
from mvps.native import resource_dir

SOURCE = resource_dir("kernels") / "remap.cu"
IMAGES = [f"remap_{kind}_{n}" for kind in SHORT.values() for n in (1, 3)]
KERNELS = (*IMAGES, "remap_normals")
BLOCK = 256
REGISTERS = 65536 // (4 * BLOCK)  # four blocks at a time on every multiprocessor
TURN = np.array([[0.6, 0.0, 0.8], [0.0, 1.0, 0.0], [-0.8, 0.0, 0.6]])


@pytest.fixture(scope="module")
def host(tmp_path_factory) -> HostModule:
    if find_compiler() is None:
        pytest.skip("no C++ compiler, so the CUDA source cannot run on the CPU")
    return HostModule(SOURCE, KERNELS, tmp_path_factory.mktemp("host"))


def arguments(case, out, valid, last, *, masked, where=None):
    """Grid and arguments of a launch; ``last`` is ``nearest`` or the rotation."""
    source = case.source(masked=masked)
    width, height = case.warp.size
    region = (0, 0, width, height)
    args = [source.rows, source.mask, source.window(), case.warp.model, where]
    args += [*map(np.int32, region), last, out, valid]
    return (-(-width * height // BLOCK),), args


def launch(module, name, grid, args, order=0):
    module.get_function(name)(grid, (BLOCK,), args, order)


def rotation():
    struct = np.zeros(1, [("rows", "f4", 9)])
    struct["rows"] = TURN.ravel()
    return struct


@pytest.mark.parametrize("name", warps())
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", TYPES)
def test_every_kernel_equals_the_definition(host, name, channels, dtype):
    case = make_case(name, dtype, channels)
    for masked in (False, True):
        for nearest in (False, True):
            out, valid = case.outputs()
            grid, args = arguments(case, out, valid, np.int32(nearest), masked=masked)
            launch(host, f"remap_{SHORT[dtype]}_{channels}", grid, args)
            assert_image(case, out, valid, masked=masked, nearest=nearest)


def test_normals_equal_the_definition(host):
    case = unit_case("plain")
    out, valid = case.outputs()
    grid, args = arguments(case, out, valid, rotation(), masked=True)

    launch(host, "remap_normals", grid, args)

    where = reference.positions(case.warp, 0, case.warp.size[1])
    right, ok = reference.remap_normals(case.image, case.mask, where, TURN)
    sure = certain(where, case.source(masked=True))
    np.testing.assert_array_equal(valid[sure] > 0, ok[sure])
    np.testing.assert_allclose(out[sure & ok], right[sure & ok], atol=2e-6)
    assert not out[valid == 0].any()


@pytest.mark.parametrize("order", [1, 7, 11], ids=["descending", "shuffled", "otherwise"])
def test_no_thread_depends_on_another(host, order):
    case = make_case("rational", "uint16", 3)
    results = []
    for each in (0, order):
        out, valid = case.outputs()
        grid, args = arguments(case, out, valid, np.int32(0), masked=True)
        launch(host, "remap_u16_3", grid, args, each)
        results.append((out, valid))

    np.testing.assert_array_equal(results[0][0], results[1][0])
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_a_map_stands_in_for_the_model(host):
    case = make_case("plain", "float32", 1)
    where, _ = position_rows(case.warp, 0, case.warp.size[1])
    out, valid = case.outputs()
    grid, args = arguments(case, out, valid, np.int32(0), masked=False, where=where)

    launch(host, "remap_f32_1", grid, args)

    values, ok = reference.sample(case.image[..., None], where.astype(np.float64))
    np.testing.assert_array_equal(valid > 0, ok)
    np.testing.assert_allclose(out[ok], values[ok][:, 0], atol=2e-6)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_launch_stays_inside_its_buffers(sanitized, kernel):
    normals = kernel == "remap_normals"
    kind, channels = ("f32", 3) if normals else kernel.split("_")[1:]
    dtype = {short: name for name, short in SHORT.items()}[kind]
    for name in ("rational", "crop", "one row"):
        case = unit_case(name) if normals else make_case(name, dtype, int(channels))
        out, valid = case.outputs()
        for last in [rotation()] if normals else [np.int32(0), np.int32(1)]:
            grid, args = arguments(case, out, valid, last, masked=True)
            sanitized.launch(kernel, grid, (BLOCK,), args)
            if not normals:
                assert_image(case, out, valid, masked=True, nearest=bool(last))


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory) -> SanitizedModule:
    folder = tmp_path_factory.mktemp("sanitized")
    if (compiler := find_compiler()) is None:
        pytest.skip("no C++ compiler, so the CUDA source cannot run on the CPU")
    if not sanitizers_work(compiler, folder):
        pytest.skip("the C++ compiler has no working AddressSanitizer")
    return SanitizedModule(SOURCE, KERNELS, folder)


@pytest.mark.skipif(LIBRARY is None, reason="no NVRTC: pip install nvidia-cuda-nvrtc")
@pytest.mark.parametrize("architecture", architectures(), ids="sm_{}".format)
def test_every_kernel_stays_in_registers(architecture):
    options = ("--std=c++17", f"-I{SOURCE.parent}", *CUPY_OPTIONS)

    usage = nvrtc.Nvrtc(LIBRARY).compile(SOURCE, architecture, options)

    assert architecture >= OLDEST
    assert set(usage) == set(KERNELS)
    for name, used in usage.items():
        assert (used.spills, used.stack, used.local) == (0, 0, 0), name
        assert used.registers <= REGISTERS, name
