"""The CUDA source compiles for every GPU that mvps supports, without a driver or a device."""

from __future__ import annotations

import nvrtc
import pytest

from mvps.native import resource_dir
from mvps.stereo import cuda

OLDEST = 75  # Turing, the oldest that CUDA 13 knows
LAUNCH_REGISTERS = 65536 // (4 * cuda.BLOCK)  # four blocks at a time on every multiprocessor
# CuPy adds these to whatever options a module names.
CUPY_OPTIONS = ("-ftz=true", "--device-as-default-execution-space")
LIBRARY = nvrtc.find_library()

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="no NVRTC: pip install nvidia-cuda-nvrtc")


def architectures() -> tuple[int, ...]:
    if LIBRARY is None:
        return (OLDEST,)
    return tuple(a for a in nvrtc.Nvrtc(LIBRARY).architectures() if a >= OLDEST)


def test_turing_is_still_supported():
    assert OLDEST in architectures()


@pytest.mark.parametrize("architecture", architectures(), ids="sm_{}".format)
def test_every_kernel_stays_in_registers(architecture):
    compiler = nvrtc.Nvrtc(LIBRARY)
    _, options = cuda.kernel_sources()
    source = resource_dir("kernels") / cuda.SOURCE

    usage = compiler.compile(source, architecture, (*options, *CUPY_OPTIONS))

    assert set(usage) == set(cuda.KERNELS)
    for name, used in usage.items():
        assert (used.spills, used.stack, used.local) == (0, 0, 0), name
        assert used.registers <= LAUNCH_REGISTERS, name


def test_a_kernel_that_spills_is_noticed(tmp_path):
    source = tmp_path / "spill.cu"
    source.write_text(
        'extern "C" __global__ void spill(float* x, int n) {\n'
        "  float a[64];\n"
        "  for (int i = 0; i < 64; ++i) a[i] = x[i * n];\n"
        "  for (int i = 0; i < n; ++i) a[i * n % 64] += a[i];\n"
        "  x[threadIdx.x] = a[n] + a[n + 1];\n"
        "}\n"
    )

    usage = nvrtc.Nvrtc(LIBRARY).compile(source, OLDEST)

    assert usage["spill"].stack == 256  # 64 floats, indexed at run time, cannot live in registers


def test_an_error_in_the_source_is_reported_with_its_line(tmp_path):
    source = tmp_path / "broken.cu"
    source.write_text('extern "C" __global__ void broken() {\n  nonsense;\n}\n')

    with pytest.raises(nvrtc.CompileError, match=r"broken\.cu\(2\): error"):
        nvrtc.Nvrtc(LIBRARY).compile(source, OLDEST)
