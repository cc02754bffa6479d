"""Near lights: the compiled core, and the CUDA source on the CPU, against the definition."""

from __future__ import annotations

import sys
from dataclasses import fields, replace

import numpy as np
import nvrtc
import pytest
from cases import arrays, guards_untouched
from fake_cupy import Machine, fake_cupy
from host import HostModule, SanitizedModule, find_compiler, sanitizers_work
from near_cases import SIGHTS, WHITE, make_case, poisoned
from test_nvrtc import CUPY_OPTIONS, LIBRARY, OLDEST, architectures

from mvps.errors import InputError
from mvps.native import resource_dir, variants
from mvps.stereo import cuda, near_cuda
from mvps.stereo.near_kernel import CpuNear, Rows, count_colours

SOURCE = resource_dir("kernels") / near_cuda.SOURCE
# Measured: 1.4e-6 with every lamp, 3e-5 where three that nearly share a plane are left.
TOLERANCE = {"ls": 5e-6, "gated": 1e-4}
# Four blocks at a time on every multiprocessor, two with the planes of the quality.
REGISTERS = {"": 65536 // (4 * cuda.BLOCK), "examined": 65536 // (2 * cuda.BLOCK)}

each_core = pytest.mark.parametrize("core", variants(), ids=lambda core: core.instruction_set)
each_case = pytest.mark.parametrize("channels", [1, 3])


def assert_like_the_definition(case, out, *, given, atol=None):
    right = case.reference(poisoned(case, examined=out.deviation is not None), given=given)
    atol = atol or TOLERANCE[case.problem.distant.solver.name]
    assert right.valid.any() and not right.valid.all()
    for name, array in arrays(out).items():
        wanted = getattr(right, name)
        if name in ("condition", "deviation"):
            # Lamps that nearly share a plane multiply rounding; measured: 3e-5 but for those.
            apart = np.abs(array - wanted) > 1e-3 * wanted
            assert np.count_nonzero(apart) <= 0.01 * len(array), name
        elif array.dtype == np.uint8:
            np.testing.assert_array_equal(array, wanted, err_msg=name)
        else:
            np.testing.assert_allclose(array, wanted, rtol=0, atol=atol, err_msg=name)
        assert not array[out.valid == 0].any(), name
    assert guards_untouched(out)


def on_cpu(core, case, *, given, examined=False):
    out = poisoned(case, examined=examined)
    CpuNear(core).solve_rows(case.problem, case.view, case.strip(given=given), out)
    return out


def on_host(launch, case, *, given, order=0, examined=False):
    out = poisoned(case, examined=examined)
    rows = Rows.of(case.problem, case.view, case.strip(given=given))
    plan = near_cuda.plan_launch(case.problem, rows, case.mask, out, np.asarray)
    launch(plan.kernel, plan.grid, plan.block, plan.args, order)
    count_colours(case.problem, case.samples, out)
    return out


@each_core
@each_case
@pytest.mark.parametrize("solver", ["ls", "gated"])
@pytest.mark.parametrize("look", SIGHTS)
@pytest.mark.parametrize("dtype", WHITE)
def test_the_compiled_core_equals_the_definition(core, dtype, look, solver, channels):
    case = make_case(dtype, look, solver=solver, channels=channels)
    for given in (False, True):
        assert_like_the_definition(case, on_cpu(core, case, given=given), given=given)


@each_core
@each_case
@pytest.mark.parametrize("limits", [False, True])
@pytest.mark.parametrize("solver", ["ls", "gated"])
@pytest.mark.parametrize("dtype", WHITE)
def test_the_planes_of_the_quality_equal_the_definition(core, dtype, solver, limits, channels):
    case = make_case(dtype, "distorted", solver=solver, channels=channels, limits=limits)
    plain = on_cpu(core, case, given=True)

    out = on_cpu(core, case, given=True, examined=True)

    assert_like_the_definition(case, out, given=True)
    assert out.shadowed.any() and (out.saturated.any() or dtype == "float32")
    for name, array in arrays(plain).items():
        np.testing.assert_array_equal(array, getattr(out, name), err_msg=name)


@each_core
@pytest.mark.parametrize("mu", [None, 0.5, 1.0, 3.0, 20.0])
def test_every_lobe_equals_the_definition(core, mu):
    case = make_case("uint16", mu=mu, limits=True)

    # cosine^mu multiplies the rounding of a logarithm, 1e-7, by mu
    atol = 5e-6 * max(1, (mu or 0) / 4)
    assert_like_the_definition(case, on_cpu(core, case, given=True), given=True, atol=atol)


@each_core
@pytest.mark.parametrize("lights", [3, 5, 31, 128])
def test_any_number_of_lamps(core, lights):
    case = make_case("uint8", lights=lights, solver="gated")

    out = on_cpu(core, case, given=False)

    right = case.reference(poisoned(case), given=False)
    np.testing.assert_array_equal(out.valid, right.valid)
    np.testing.assert_allclose(out.normals, right.normals, rtol=0, atol=2e-4)


@each_core
def test_rows_must_be_whole(core):
    case = make_case()
    cut = replace(case, samples=case.samples[:, :-1], mask=case.mask[:-1], depth=case.depth[:-1])

    with pytest.raises(InputError, match="not rows of"):
        on_cpu(core, cut, given=False)


@pytest.fixture(scope="module")
def host(tmp_path_factory) -> HostModule:
    if find_compiler() is None:
        pytest.skip("no C++ compiler, so the CUDA source cannot run on the CPU")
    return HostModule(SOURCE, near_cuda.KERNELS, tmp_path_factory.mktemp("near"))


def launch_of(host):
    return lambda name, grid, block, args, order: host.get_function(name)(grid, block, args, order)


@each_case
@pytest.mark.parametrize("solver", ["ls", "gated"])
@pytest.mark.parametrize("look", SIGHTS)
@pytest.mark.parametrize("dtype", WHITE)
def test_every_kernel_equals_the_definition(host, dtype, look, solver, channels):
    case = make_case(dtype, look, solver=solver, channels=channels, limits=True)
    for given in (False, True):
        for examined in (False, True):
            out = on_host(launch_of(host), case, given=given, examined=examined)
            assert_like_the_definition(case, out, given=given)


@pytest.mark.parametrize("order", [1, 7, 11], ids=["descending", "shuffled", "otherwise"])
def test_no_thread_depends_on_another(host, order):
    case = make_case("uint16", "distorted", solver="gated")

    first = on_host(launch_of(host), case, given=True)
    again = on_host(launch_of(host), case, given=True, order=order)

    for field in fields(first):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(again, field.name))


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory) -> SanitizedModule:
    folder = tmp_path_factory.mktemp("sanitized")
    if (compiler := find_compiler()) is None:
        pytest.skip("no C++ compiler, so the CUDA source cannot run on the CPU")
    if not sanitizers_work(compiler, folder):
        pytest.skip("the C++ compiler has no working AddressSanitizer")
    return SanitizedModule(SOURCE, near_cuda.KERNELS, folder)


@pytest.mark.parametrize("dtype", WHITE)
@pytest.mark.parametrize("look", ["pinhole", "distorted"])
def test_a_launch_stays_inside_its_buffers(sanitized, dtype, look):
    for lights in (3, 128):
        case = make_case(dtype, look, solver="gated", lights=lights)
        on_host(sanitized.launch, case, given=look == "distorted", examined=True)


@pytest.mark.skipif(LIBRARY is None, reason="no NVRTC: pip install nvidia-cuda-nvrtc")
@pytest.mark.parametrize("architecture", architectures(), ids="sm_{}".format)
def test_every_kernel_stays_in_registers(architecture):
    _, options = cuda.kernel_sources(near_cuda.SOURCE)

    usage = nvrtc.Nvrtc(LIBRARY).compile(SOURCE, architecture, (*options, *CUPY_OPTIONS))

    assert architecture >= OLDEST
    assert set(usage) == set(near_cuda.KERNELS)
    for name, used in usage.items():
        assert (used.spills, used.stack, used.local) == (0, 0, 0), name
        assert used.registers <= REGISTERS[name.partition("_examined")[1][1:]], name


def test_tables_fit_into_the_parameters_of_a_kernel():
    problem = make_case().problem

    assert problem.table.nbytes + 200 < 4096  # what a launch of any CUDA may carry


@pytest.fixture
def machine(monkeypatch, host):
    """A pretended CuPy whose launches run on the CPU."""
    pretended = Machine(module=host)
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(pretended))
    near_cuda._kernel.cache_clear()
    yield pretended
    near_cuda._kernel.cache_clear()


@each_case
@pytest.mark.parametrize("solver", ["ls", "gated"])
@pytest.mark.parametrize("look", SIGHTS)
def test_the_door_to_the_gpu_gives_the_numbers_of_the_definition(machine, look, solver, channels):
    case = make_case("uint16", look, solver=solver, channels=channels)
    for given in (False, True):
        out = poisoned(case, examined=given)

        near_cuda.CudaNear().solve_rows(case.problem, case.view, case.strip(given=given), out)

        assert_like_the_definition(case, out, given=given)
    assert len(machine.launches) == 2


USABLE, REASON = cuda.available()


@pytest.mark.gpu
@pytest.mark.skipif(not USABLE, reason=REASON or "usable")
@each_case
@pytest.mark.parametrize("solver", ["ls", "gated"])
@pytest.mark.parametrize("look", SIGHTS)
@pytest.mark.parametrize("dtype", WHITE)
def test_a_gpu_equals_the_definition(dtype, look, solver, channels):
    case = make_case(dtype, look, solver=solver, channels=channels)
    for given in (False, True):
        out = poisoned(case, examined=given)
        near_cuda.CudaNear().solve_rows(case.problem, case.view, case.strip(given=given), out)
        assert_like_the_definition(case, out, given=given)
