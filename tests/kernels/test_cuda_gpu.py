"""On a real GPU: every kernel through the door equals the float64 reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cases import MODES, WHITE, arrays, assert_same, make_case, outputs, solve_reference

from mvps.stereo import Solver, cuda, get_backend
from mvps.stereo.problem import prepare

USABLE, REASON = cuda.available()
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not USABLE, reason=REASON or "usable")]


@pytest.fixture(scope="module")
def backend():
    return cuda.CudaBackend()


def on_device(backend, out):
    return replace(out, **{name: backend.on_device(a) for name, a in arrays(out).items()})


def on_host(out):
    return replace(out, **{name: array.get() for name, array in arrays(out).items()})


@pytest.mark.parametrize("limits", [False, True])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", WHITE)
def test_host_arrays_equal_the_reference(backend, dtype, mode, full, limits):
    case = make_case(dtype, mode, limits=limits, pixels=100_003)
    out = outputs(case, full=full)

    backend.solve_strip(case.problem, case.samples, case.mask, out)

    assert_same(out, solve_reference(case, full=full, mask=case.mask), case.tolerance)


@pytest.mark.parametrize("solver", ["gated", "trimmed", "irls"])
@pytest.mark.parametrize("lights", [12, 24, 96])
@pytest.mark.parametrize("mode", ["grey", "channels"])
def test_robust_solvers_give_what_the_compiled_core_gives(backend, solver, lights, mode):
    case = make_case("uint8", mode, lights=lights, pixels=100_003)
    case = replace(case, problem=replace(case.problem, solver=Solver(solver)))
    found, right = (
        replace(outputs(case, full=True), fallback=np.empty(100_003, np.uint8)) for _ in range(2)
    )

    backend.solve_strip(case.problem, case.samples, case.mask, found)
    get_backend("cpu").solve_strip(case.problem, case.samples, case.mask, right)

    assert np.array_equal(found.valid, right.valid)
    apart = np.abs(found.normals - right.normals).max(axis=1)[right.valid > 0]
    assert (apart > 1e-4).mean() <= 1e-4


@pytest.mark.parametrize("mode", MODES)
def test_device_arrays_equal_the_reference(backend, mode):
    case = make_case("uint16", mode, limits=True, pixels=100_003)
    out = on_device(backend, outputs(case, full=True))
    samples, mask = backend.on_device(case.samples), backend.on_device(case.mask)

    backend.solve_strip(case.problem, samples, mask, out)

    assert_same(on_host(out), solve_reference(case, full=True, mask=case.mask), case.tolerance)


def test_columns_of_a_larger_device_buffer_equal_the_reference(backend):
    case = make_case("uint8", "rgb", pixels=5000)
    part = case.part(1000, 4001)
    out = on_device(backend, outputs(part, full=False))

    samples = backend.on_device(case.samples)[:, 1000:4001]
    backend.solve_strip(case.problem, samples, None, out)

    assert_same(on_host(out), solve_reference(part, full=False, mask=None), part.tolerance)


def test_parts_and_threads_do_not_mix(backend, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr(cuda, "STAGED_BYTES", 12 * 7000)
    cases = [make_case("uint8", "grey", pixels=20_000 + i) for i in range(8)]

    def solve(case):
        out = outputs(case, full=False)
        backend.solve_strip(case.problem, case.samples, case.mask, out)
        return out

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(solve, cases))

    for case, out in zip(cases, found, strict=True):
        assert_same(out, solve_reference(case, full=False, mask=case.mask), case.tolerance)


def test_pixels_beyond_two_to_the_31_are_solved(backend):
    cupy = pytest.importorskip("cupy")
    pixels = 2**31 + 1000
    if cupy.cuda.runtime.memGetInfo()[0] < 48 << 30:
        pytest.skip("needs 48 GB of free device memory")
    case = make_case("uint8", "grey", lights=3, pixels=8)
    problem = prepare(
        replace(case.rig, intensities=np.ones(3)),
        channels=1,
        dtype=np.uint8,
        white=255.0,
    )
    plane = cupy.full(pixels, 100, np.uint8)  # every light sees the same grey
    out = replace(
        outputs(case, full=False),
        normals=cupy.zeros((pixels, 3), np.float32),
        albedo=cupy.zeros(pixels, np.float32),
        valid=cupy.zeros(pixels, np.uint8),
    )

    backend.solve_strip(problem, cupy.broadcast_to(plane, (3, pixels)), None, out)

    g = problem.pinv @ np.full(3, 100 / 255)
    assert int(out.valid.sum(dtype=np.int64)) == pixels
    np.testing.assert_allclose(out.normals[-1].get(), g / np.linalg.norm(g), atol=1e-5)
    np.testing.assert_allclose(out.albedo[-1].get(), np.linalg.norm(g), atol=1e-5)


def test_a_device_that_is_not_there_is_refused(backend):
    with pytest.raises(cuda.DeviceError, match="cuda:7777 is not there"):
        cuda.CudaBackend(7777)


def test_the_device_is_described():
    info = cuda.device_info()[0]
    assert info.name
    assert info.memory > 1 << 30
    assert float(info.compute_capability) >= 7.5
