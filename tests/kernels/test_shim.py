"""The CUDA source, run thread by thread on the CPU, gives what the float64 reference gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import (
    MODES,
    WHITE,
    arrays,
    assert_same,
    guards_untouched,
    make_case,
    outputs,
    solve_reference,
)

from mvps.stereo import cuda

ORDERS = {"descending": 1, "shuffled": 7, "shuffled otherwise": 11}
# The plain kernel, the full one without limits and the full one with them.
VARIANTS = {"plain": (False, False), "quality": (True, False), "limits": (True, True)}


def run(module, case, *, full, order=0, mask=None):
    out = outputs(case, full=full)
    plan = cuda.plan_launch(case.problem, case.samples, mask, out, np.asarray)
    module.get_function(plan.kernel)(plan.grid, plan.block, plan.args, order)
    return out


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", WHITE)
def test_every_kernel_equals_the_reference(host_module, dtype, mode, variant):
    full, limits = VARIANTS[variant]
    case = make_case(dtype, mode, limits=limits)

    out = run(host_module, case, full=full, mask=case.mask)

    assert_same(out, solve_reference(case, full=full, mask=case.mask), case.tolerance)
    assert guards_untouched(out)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", ["grey", "channels"])
def test_no_thread_depends_on_another(host_module, mode, order):
    case = make_case("uint16", mode, limits=True)

    first = run(host_module, case, full=True)
    again = run(host_module, case, full=True, order=ORDERS[order])

    assert all(
        np.array_equal(a, b)
        for a, b in zip(vars(first).values(), vars(again).values(), strict=True)
    )


@pytest.mark.parametrize("pixels", [1, 2, 255, 256, 257, 515])
def test_any_number_of_pixels_fills_its_outputs_and_nothing_else(host_module, pixels):
    case = make_case("uint8", "grey", pixels=pixels)

    out = run(host_module, case, full=True)

    assert_same(out, solve_reference(case, full=True, mask=None), case.tolerance)
    assert guards_untouched(out)


@pytest.mark.parametrize("lights", [3, 4, 31, 128])
def test_any_number_of_lights_fits_the_table(host_module, lights):
    case = make_case("uint16", "channels", lights=lights, pixels=300)

    out = run(host_module, case, full=True)

    assert_same(out, solve_reference(case, full=True, mask=None), case.tolerance)


def test_the_planes_of_a_larger_buffer_need_not_be_copied(host_module):
    case = make_case("uint16", "rgb")
    part = case.part(100, 613)
    assert not part.samples.flags.c_contiguous

    out = run(host_module, part, full=False)

    assert np.array_equal(out.normals, run(host_module, case, full=False).normals[100:613])


def test_lights_more_than_two_to_the_31_samples_apart_are_reached(host_module):
    case = make_case("uint8", "grey", lights=128, pixels=300)
    plane = 2**31 // 127 + 1  # so that the last light begins beyond 2^31
    capture = np.zeros((128, plane), np.uint8)  # 2.2 GB of addresses, of which 128 pages are used
    capture[:, :300] = case.samples
    apart = replace(case, samples=capture[:, :300])

    out = run(host_module, apart, full=False)

    assert_same(out, run(host_module, case, full=False))


@pytest.mark.parametrize("missing", ["residual", "used"])
def test_a_result_that_is_not_wanted_is_left_out(host_module, missing):
    case = make_case("uint8", "grey", limits=True)
    out = replace(outputs(case, full=True), **{missing: None})

    plan = cuda.plan_launch(case.problem, case.samples, None, out, np.asarray)
    host_module.get_function(plan.kernel)(plan.grid, plan.block, plan.args)

    assert_same(out, solve_reference(case, full=True, mask=None), case.tolerance)
    assert guards_untouched(out)


def test_a_pixel_outside_the_mask_is_zero_everywhere(host_module):
    case = make_case("float32", "channels", limits=True)

    out = run(host_module, case, full=True, mask=np.zeros_like(case.mask))

    assert not any(array.any() for array in arrays(out).values())


def test_arguments_of_the_wrong_kind_or_size_are_noticed(host_module):
    case = make_case("uint8", "grey")
    plan = cuda.plan_launch(case.problem, case.samples, None, outputs(case, full=False), np.asarray)
    kernel = host_module.get_function(plan.kernel)

    for place, wrong in ((1, np.int32(1000)), (3, np.float32(12)), (4, np.zeros(1, "V3092"))):
        args = [*plan.args[:place], wrong, *plan.args[place + 1 :]]
        with pytest.raises(TypeError, match="ls_u8_grey takes p8 i8 i8 i4 s3096 f4 f4 p8"):
            kernel(plan.grid, plan.block, args)
