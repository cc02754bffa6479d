"""The CUDA source keeps to its buffers and to defined behaviour: every launch under sanitizers."""

from __future__ import annotations

import numpy as np
import pytest
from cases import assert_same, make_case, outputs, solve_reference
from host import SanitizedModule, find_compiler, sanitizers_work

from mvps.native import resource_dir
from mvps.stereo import cuda


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory) -> SanitizedModule:
    folder = tmp_path_factory.mktemp("sanitized")
    if (compiler := find_compiler()) is None:
        pytest.skip("no C++ compiler, so the CUDA source cannot run on the CPU")
    if not sanitizers_work(compiler, folder):
        pytest.skip("the C++ compiler has no working AddressSanitizer")
    return SanitizedModule(resource_dir("kernels") / cuda.SOURCE, cuda.KERNELS, folder)


@pytest.mark.parametrize("kernel", cuda.KERNELS)
def test_a_launch_stays_inside_its_buffers(sanitized, kernel):
    _, kind, mode, *full = kernel.split("_")
    dtype = {"u8": "uint8", "u16": "uint16", "f32": "float32"}[kind]
    # 257 pixels: a second block with one thread at work and 255 beyond the end.
    case = make_case(dtype, mode, limits=bool(full), pixels=257)
    out = outputs(case, full=bool(full))

    plan = cuda.plan_launch(case.problem, case.samples, case.mask, out, np.asarray)
    assert plan.kernel == kernel
    sanitized.launch(plan.kernel, plan.grid, plan.block, plan.args)

    assert_same(out, solve_reference(case, full=bool(full), mask=case.mask), case.tolerance)


def test_one_pixel_too_many_is_caught(sanitized):
    case = make_case("uint8", "grey", pixels=40)
    plan = cuda.plan_launch(case.problem, case.samples, None, outputs(case, full=False), np.asarray)
    args = list(plan.args)
    args[2] = np.int64(41)

    with pytest.raises(AssertionError, match="heap-buffer-overflow"):
        sanitized.launch(plan.kernel, plan.grid, plan.block, args)
