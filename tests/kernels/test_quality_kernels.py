"""The CUDA source of the quality: on the CPU by threads, under sanitizers, and by NVRTC."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import nvrtc
import pytest
from cases import arrays, guards_untouched, make_case, outputs
from fake_cupy import Machine, fake_cupy
from host import HostModule, SanitizedModule, find_compiler, sanitizers_work
from test_nvrtc import CUPY_OPTIONS, LIBRARY, architectures

from mvps.native import resource_dir
from mvps.stereo import Solver, cuda, solve
from mvps.stereo.noise import Noise
from mvps.stereo.reference import ReferenceBackend
from mvps.stereo.solution import PLANES

SOURCE = resource_dir("kernels") / cuda.QUALITY_SOURCE
WHITE = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
SOLVERS = {
    "plain": Solver("ls"),
    "gated": Solver("gated"),
    "trimmed": Solver("trimmed"),
    "cauchy": Solver("irls"),
    "huber": Solver("irls", loss="huber"),
    "tukey": Solver("irls", loss="tukey"),
    "l1": Solver("irls", loss="l1"),
}
# Each takes a while to compile: every solver in every mode, every type, every kind of rank.
CHOSEN = {
    f"rq_{kind}_{mode}_{name}_{room}": f"{sample}, {{}}, {mode_name}, {room}, {first}"
    for kind, sample, mode, mode_name in (
        ("u8", "unsigned char", "grey", "LS_GREY"),
        ("u16", "unsigned short", "channels", "LS_CHANNELS"),
        ("f32", "float", "rgb", "LS_RGB"),
    )
    for name, room, first in (
        ("ls", 0, "RB_PLAIN"),
        ("gated", 0, "RB_GATED"),
        ("trimmed", 8, "RB_TRIMMED"),
        ("irls", 8, "RB_CAUCHY"),
    )
} | {
    "rq_u8_grey_irls_0": "unsigned char, {}, LS_GREY, 0, RB_CAUCHY",
    "rq_u8_grey_trimmed_16": "unsigned char, {}, LS_GREY, 16, RB_TRIMMED",
    "rq_u16_grey_ls_0": "unsigned short, {}, LS_GREY, 0, RB_PLAIN",
    "rq_u16_grey_irls_8": "unsigned short, {}, LS_GREY, 8, RB_CAUCHY",
}
MODES = {"uint8": "grey", "uint16": "channels", "float32": "rgb"}
# Registers of a thread: two blocks of 256 fit on a multiprocessor, nearly always three.
MOST_REGISTERS = 84


def few(folder, names):
    """A source with some of the kernels."""
    source = folder / "few.cu"
    kernels = [f"RQ_KERNEL({CHOSEN[name].format(name)})\n" for name in names]
    source.write_text(f'#define RB_BYTES 0\n#include "{SOURCE}"\n' + "".join(kernels))
    return source


@pytest.fixture(scope="module")
def module(tmp_path_factory) -> HostModule:
    if find_compiler() is None:
        pytest.skip("no C++ compiler, so the CUDA source cannot run on the CPU")
    folder = tmp_path_factory.mktemp("quality")
    return HostModule(few(folder, CHOSEN), list(CHOSEN), folder)


def quality_case(dtype, solver, *, lights=12, pixels=600, mode=None):
    case = make_case(dtype, mode or MODES[dtype], lights=lights, pixels=pixels)
    problem = replace(
        case.problem,
        solver=solver,
        high=0.9 * WHITE[dtype],
        saturated=0.9 * WHITE[dtype],
        noise=Noise(1e-6, 1e-5, "stated"),
    )
    return replace(case, problem=problem)


def quality_outputs(case):
    """Every result, poisoned and between guards."""
    spare = [outputs(case, full=True) for _ in range(3)]
    return replace(
        spare[0],
        fallback=spare[1].used if case.problem.solver.robust else None,
        condition=spare[1].residual,
        deviation=spare[2].residual,
        saturated=spare[2].used,
        shadowed=outputs(case, full=True).used,
    )


def run(module, case, *, order=0, mask=None):
    out = quality_outputs(case)
    plan = cuda.plan_launch(case.problem, case.samples, mask, out, np.asarray)
    module.get_function(plan.kernel)(plan.grid, plan.block, plan.args, order)
    return out


def assert_like_the_definition(out, case, mask=None):
    right = quality_outputs(case)
    ReferenceBackend().solve_strip(case.problem, case.samples, mask, right)
    assert np.array_equal(out.valid, right.valid)
    assert np.isfinite(out.condition).all() and np.isfinite(out.deviation).all()
    ok = right.valid > 0
    for name in ("condition", "deviation"):
        apart = np.abs(getattr(out, name)[ok] / getattr(right, name)[ok] - 1)
        # Three lights that nearly share a plane multiply rounding.
        assert np.count_nonzero(apart > 1e-3) <= 0.01 * len(apart), name
        assert np.count_nonzero(apart > 1e-4) <= 0.1 * len(apart), name
    for name in ("saturated", "shadowed"):
        assert np.count_nonzero(getattr(out, name) != getattr(right, name)) <= 0.003 * len(ok)
    for name, array in arrays(out).items():
        assert not array[~ok].any(), name


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dtype", WHITE)
def test_every_kernel_equals_the_definition(module, dtype, solver):
    case = quality_case(dtype, SOLVERS[solver])

    out = run(module, case, mask=case.mask)

    assert_like_the_definition(out, case, case.mask)
    assert guards_untouched(out)


@pytest.mark.parametrize("pixels", [1, 255, 257])
def test_any_number_of_pixels_fills_its_outputs_and_nothing_else(module, pixels):
    case = quality_case("uint8", SOLVERS["cauchy"], pixels=pixels)

    out = run(module, case)

    assert_like_the_definition(out, case)
    assert guards_untouched(out)


@pytest.mark.parametrize("solver,lights", [("cauchy", 40), ("trimmed", 30), ("plain", 128)])
def test_any_number_of_lights_finds_its_kernel(module, solver, lights):
    case = quality_case("uint8", SOLVERS[solver], lights=lights, pixels=257)

    assert_like_the_definition(run(module, case), case)


@pytest.mark.parametrize("solver", ["plain", "cauchy"])
def test_no_thread_depends_on_another(module, solver):
    case = quality_case("uint16", SOLVERS[solver])

    first, again = run(module, case), run(module, case, order=7)

    for name, array in arrays(first).items():
        np.testing.assert_array_equal(array, getattr(again, name), err_msg=name)


@pytest.mark.parametrize("solver", ["ls", "irls"])
def test_the_front_door_gives_the_definitions_numbers(monkeypatch, module, solver):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(Machine(module=module)))
    cuda._kernel.cache_clear()
    cuda._module.cache_clear()
    case = make_case("uint16", "grey", pixels=1000)
    images, mask = case.samples.reshape(12, 20, 50), case.mask.reshape(20, 50)
    options = {"mask": mask, "quality": True, "solver": solver}

    found = solve(images, case.rig, device="cuda", **options)
    right = solve(images, case.rig, device="reference", **options)

    cuda._kernel.cache_clear()
    cuda._module.cache_clear()
    for name in PLANES:
        np.testing.assert_allclose(
            getattr(found, name), getattr(right, name), rtol=2e-3, err_msg=name
        )


SANITIZED = {"rq_u8_grey_trimmed_8": "trimmed", "rq_u16_channels_ls_0": "plain"}


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory) -> SanitizedModule:
    folder = tmp_path_factory.mktemp("sanitized")
    if (compiler := find_compiler()) is None:
        pytest.skip("no C++ compiler, so the CUDA source cannot run on the CPU")
    if not sanitizers_work(compiler, folder):
        pytest.skip("the C++ compiler has no working AddressSanitizer")
    return SanitizedModule(few(folder, SANITIZED), list(SANITIZED), folder)


@pytest.mark.parametrize("kernel", SANITIZED)
def test_a_launch_stays_inside_its_buffers(sanitized, kernel):
    dtype = {"u8": "uint8", "u16": "uint16"}[kernel.split("_")[1]]
    # 257 pixels: a second block with one thread at work and 255 beyond the end.
    case = quality_case(dtype, SOLVERS[SANITIZED[kernel]], pixels=257)
    out = quality_outputs(case)
    plan = cuda.plan_launch(case.problem, case.samples, case.mask, out, np.asarray)
    assert plan.kernel == kernel

    sanitized.launch(plan.kernel, plan.grid, plan.block, plan.args)

    assert_like_the_definition(out, case, case.mask)


@pytest.mark.slow
@pytest.mark.skipif(LIBRARY is None, reason="no NVRTC: pip install nvidia-cuda-nvrtc")
@pytest.mark.parametrize(
    "architecture", list(architectures()) if LIBRARY else [], ids="sm_{}".format
)
def test_every_kernel_stays_in_registers(architecture):
    _, options = cuda.kernel_sources(cuda.QUALITY_SOURCE)
    kind, size = (("u8", 1), ("u16", 2), ("f32", 4))[architecture % 3]

    usage = nvrtc.Nvrtc(LIBRARY).compile(
        SOURCE, architecture, (*options, f"-DRB_BYTES={size}", *CUPY_OPTIONS)
    )

    assert set(usage) == {name for name in cuda.QUALITY_KERNELS if f"_{kind}_" in name}
    for name, used in usage.items():
        assert (used.spills, used.stack, used.local) == (0, 0, 0), name
        assert used.registers <= MOST_REGISTERS, name
