"""The CUDA source of the robust solvers: on the CPU by threads, under sanitizers, and by NVRTC."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import nvrtc
import pytest
from cases import Case, arrays, guards_untouched, make_case, outputs
from fake_cupy import Machine, fake_cupy
from host import HostModule, SanitizedModule, find_compiler, sanitizers_work
from test_nvrtc import CUPY_OPTIONS, LIBRARY, architectures

from mvps import native
from mvps.lights import LightRig
from mvps.native import resource_dir
from mvps.stereo import Solver, cuda, prepare, solve
from mvps.stereo.cpu import CpuBackend
from mvps.stereo.reference import ReferenceBackend

SOLVERS = {
    "gated": Solver("gated"),
    "trimmed": Solver("trimmed"),
    "cauchy": Solver("irls"),
    "huber": Solver("irls", loss="huber"),
    "tukey": Solver("irls", loss="tukey"),
    "l1": Solver("irls", loss="l1"),
}
SOURCE = resource_dir("kernels") / cuda.ROBUST_SOURCE
# Registers of a thread: two blocks of 256 always fit on a multiprocessor, three nearly always.
MOST_REGISTERS = 80


def robust_case(dtype, mode, solver, *, lights=12, pixels=600):
    case = make_case(dtype, mode, lights=lights, pixels=pixels)
    return replace(case, problem=replace(case.problem, solver=solver, high=0.9 * WHITE[dtype]))


WHITE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}


def run(module, case, *, order=0, mask=None):
    out = robust_outputs(case)
    plan = cuda.plan_launch(case.problem, case.samples, mask, out, np.asarray)
    module.get_function(plan.kernel)(plan.grid, plan.block, plan.args, order)
    return out


def robust_outputs(case):
    out = outputs(case, full=True)
    return replace(out, fallback=outputs(case, full=False).valid)


def assert_like_the_definition(out, case, mask=None):
    right = robust_outputs(case)
    ReferenceBackend().solve_strip(case.problem, case.samples, mask, right)
    assert np.array_equal(out.valid, right.valid)
    assert np.array_equal(out.fallback, right.fallback)
    apart = np.abs(out.normals - right.normals).max(axis=1)
    assert apart.max() < 1e-4
    for name, array in arrays(out).items():
        assert not array[out.valid == 0].any(), name
    assert np.count_nonzero(out.used != right.used) <= 0.01 * len(apart)
    np.testing.assert_allclose(out.residual, right.residual, rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def module(tmp_path_factory) -> HostModule:
    if find_compiler() is None:
        pytest.skip("no C++ compiler, so the CUDA source cannot run on the CPU")
    return HostModule(SOURCE, cuda.ROBUST_KERNELS, tmp_path_factory.mktemp("robust"))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("mode", ["grey", "rgb", "matlab", "channels"])
@pytest.mark.parametrize("dtype", WHITE)
def test_every_kernel_equals_the_definition(module, dtype, mode, solver):
    case = robust_case(dtype, mode, SOLVERS[solver])

    out = run(module, case, mask=case.mask)

    assert_like_the_definition(out, case, case.mask)
    assert guards_untouched(out)


@pytest.mark.parametrize("solver", ["trimmed", "cauchy"])
@pytest.mark.parametrize("lights", [3, 4, 17, 40, 128])
def test_any_number_of_lights_finds_its_kernel(module, lights, solver):
    case = robust_case("uint8", "grey", SOLVERS[solver], lights=lights, pixels=257)

    assert_like_the_definition(run(module, case), case)


@pytest.mark.parametrize("order", [1, 7, 11])
@pytest.mark.parametrize("solver", ["gated", "trimmed", "cauchy"])
def test_no_thread_depends_on_another(module, solver, order):
    case = robust_case("uint16", "channels", SOLVERS[solver], lights=40)

    first, again = run(module, case), run(module, case, order=order)

    for name, array in arrays(first).items():
        np.testing.assert_array_equal(array, getattr(again, name), err_msg=name)


def shadowed_case(solver, lights, pixels=20000):
    """8 bit, 5% shadows, 8% highlights; of four lights, three are left in nearly one plane."""
    rng = np.random.default_rng(lights)
    turn, polar = np.arange(lights) * 2.399963, np.linspace(0.4, 0.9, lights)
    across = np.sin(polar)
    L = np.stack([across * np.cos(turn), across * np.sin(turn), np.cos(polar)], axis=1)
    normals = rng.normal((0, 0, 1), (0.4, 0.4, 0.1), (pixels, 3))
    normals *= rng.uniform(60, 200, (pixels, 1)) / np.linalg.norm(normals, axis=1, keepdims=True)
    light = np.maximum(L @ normals.T, 0) + rng.normal(0, 1, (lights, pixels))
    light += 120 * rng.random(light.shape) * (rng.random(light.shape) < 0.08)
    light[rng.random(light.shape) < 0.05] = 2
    samples = np.clip(np.rint(light), 0, 255).astype(np.uint8)
    rig = LightRig(L, np.ones(lights))
    problem = prepare(rig, channels=1, dtype=np.uint8, white=255.0, solver=solver)
    return Case(rig, problem, samples, np.ones(pixels, np.uint8))


@pytest.mark.parametrize("solver", ["gated", "trimmed", "cauchy"])
@pytest.mark.parametrize("lights", [4, 12])
@pytest.mark.parametrize("core", native.variants(), ids=lambda core: core.instruction_set)
def test_the_compiled_core_gives_what_the_cuda_source_gives(module, core, lights, solver):
    # The one fuses multiply and add, the other, compiled for any x86-64, does not: unrefined,
    # 0.1% of the pixels under four lights would be up to 1e-3 apart.
    case = shadowed_case(SOLVERS[solver], lights)

    found, right = robust_outputs(case), run(module, case)
    CpuBackend(core).solve_strip(case.problem, case.samples, None, found)

    assert np.array_equal(found.valid, right.valid)
    assert np.array_equal(found.fallback, right.fallback)
    apart = np.abs(found.normals - right.normals).max(axis=1)
    assert np.count_nonzero(apart > 1e-4) <= 1e-4 * len(apart)


def test_the_lowest_rank_that_fits_is_asked_for():
    def kernel(solver, lights):
        case = robust_case("uint8", "grey", solver, lights=lights, pixels=10)
        out = robust_outputs(case)
        return cuda.plan_launch(case.problem, case.samples, None, out, np.asarray).kernel

    trimmed, irls = SOLVERS["trimmed"], SOLVERS["cauchy"]
    assert kernel(SOLVERS["gated"], 12) == "rb_u8_grey_gated_0"
    assert [kernel(trimmed, k) for k in (3, 20, 40, 41, 96)] == [
        f"rb_u8_grey_trimmed_{room}" for room in (0, 8, 16, 16, 0)
    ]
    assert [kernel(irls, k) for k in (16, 17, 32, 33)] == [
        f"rb_u8_grey_irls_{room}" for room in (8, 16, 16, 0)
    ]


class TestFrontDoor:
    """``mvps.solve`` before a pretended CuPy whose launches run on the CPU."""

    @pytest.fixture
    def machine(self, monkeypatch, module):
        pretended = Machine(module=module)
        monkeypatch.setitem(sys.modules, "cupy", fake_cupy(pretended))
        cuda._kernel.cache_clear()
        cuda._module.cache_clear()
        yield pretended
        cuda._kernel.cache_clear()
        cuda._module.cache_clear()

    @pytest.mark.parametrize("solver", ["gated", "trimmed", "irls", "auto"])
    @pytest.mark.parametrize("on_device", [False, True])
    def test_every_solver_gives_the_definitions_numbers(self, machine, solver, on_device):
        case = make_case("uint16", "grey", lights=24, pixels=1000)
        images, mask = case.samples.reshape(24, 20, 50), case.mask.reshape(20, 50)
        right = solve(images, case.rig, mask=mask, solver=solver, device="reference")
        given = (
            (machine.on_device(images), machine.on_device(mask)) if on_device else (images, mask)
        )

        found = solve(given[0], case.rig, mask=given[1], solver=solver, device="cuda")

        assert machine.launches[0].name.startswith("rb_u16_grey")
        assert np.array_equal(found.valid, right.valid)
        assert np.array_equal(found.fallback, right.fallback)
        np.testing.assert_allclose(found.normals, right.normals, atol=1e-3)

    def test_one_type_of_samples_is_compiled(self, machine):
        case = make_case("uint8", "grey", pixels=1000)
        images = case.samples.reshape(12, 20, 50)
        for solver in ("gated", "trimmed", "irls"):
            solve(images, case.rig, solver=solver, device="cuda")

        ((source, options),) = machine.compiled
        assert source == SOURCE.read_text()
        assert "-DRB_BYTES=1" in options


# Under sanitizers a kernel takes seconds to compile: each kind of solver, each kind of rank.
SANITIZED = {
    "rb_u8_grey_gated_0": ("unsigned char", "LS_GREY", 0, "RB_GATED", "gated", 12),
    "rb_u8_grey_trimmed_8": ("unsigned char", "LS_GREY", 8, "RB_TRIMMED", "trimmed", 12),
    "rb_u16_channels_trimmed_0": ("unsigned short", "LS_CHANNELS", 0, "RB_TRIMMED", "trimmed", 60),
    "rb_f32_rgb_irls_8": ("float", "LS_RGB", 8, "RB_CAUCHY", "cauchy", 12),
}


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory) -> SanitizedModule:
    folder = tmp_path_factory.mktemp("sanitized")
    if (compiler := find_compiler()) is None:
        pytest.skip("no C++ compiler, so the CUDA source cannot run on the CPU")
    if not sanitizers_work(compiler, folder):
        pytest.skip("the C++ compiler has no working AddressSanitizer")
    few = folder / "few.cu"
    kernels = [
        f"RB_KERNEL({sample}, {name}, {mode}, {room}, {first})\n"
        for name, (sample, mode, room, first, *_) in SANITIZED.items()
    ]
    few.write_text(f'#define RB_BYTES 0\n#include "{SOURCE}"\n' + "".join(kernels))
    return SanitizedModule(few, list(SANITIZED), folder)


@pytest.mark.parametrize("kernel", SANITIZED)
def test_a_launch_stays_inside_its_buffers(sanitized, kernel):
    _, kind, mode, *_ = kernel.split("_")
    dtype = {"u8": "uint8", "u16": "uint16", "f32": "float32"}[kind]
    solver, lights = SANITIZED[kernel][4:]
    # 257 pixels: a second block with one thread at work and 255 beyond the end.
    case = robust_case(dtype, mode, SOLVERS[solver], lights=lights, pixels=257)
    out = robust_outputs(case)
    plan = cuda.plan_launch(case.problem, case.samples, case.mask, out, np.asarray)
    assert plan.kernel == kernel

    sanitized.launch(plan.kernel, plan.grid, plan.block, plan.args)

    assert_like_the_definition(out, case, case.mask)


def compiled_for(architecture):
    """Each takes seconds: the oldest and the newest always, the others when asked."""
    slow = architecture not in (architectures()[0], architectures()[-1])
    return pytest.param(architecture, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.skipif(LIBRARY is None, reason="no NVRTC: pip install nvidia-cuda-nvrtc")
@pytest.mark.parametrize(
    "architecture", list(map(compiled_for, architectures())), ids="sm_{}".format
)
def test_every_kernel_stays_in_registers(architecture):
    compiler = nvrtc.Nvrtc(LIBRARY)
    _, options = cuda.kernel_sources(cuda.ROBUST_SOURCE)
    kind, size = (("u8", 1), ("u16", 2), ("f32", 4))[architecture % 3]
    define = f"-DRB_BYTES={size}"

    usage = compiler.compile(SOURCE, architecture, (*options, define, *CUPY_OPTIONS))

    assert set(usage) == {name for name in cuda.ROBUST_KERNELS if f"_{kind}_" in name}
    for name, used in usage.items():
        assert (used.spills, used.stack, used.local) == (0, 0, 0), name
        assert used.registers <= MOST_REGISTERS, name
