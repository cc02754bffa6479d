"""The PNG filters keep to their buffers and to defined behaviour, whatever the rows hold."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from host import HERE, SANITIZERS, WARNINGS, find_compiler, sanitizers_work

from mvps import native

# The flags of setup.py; the names of the entry points stay those of the baseline.
VARIANTS = {"baseline": [], "avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx512f", "-mavx2", "-mfma"]}
UNIT = """
#include "png_filters.cpp"
#include "png_fuzz_main.h"
int main(int, char** argv) { return fuzz::main(argv); }
"""


@pytest.fixture(scope="module", params=VARIANTS)
def program(request, tmp_path_factory) -> Path:
    """The filters of one variant as a program under AddressSanitizer and UBSan."""
    if (compiler := find_compiler()) is None:
        pytest.skip("no C++ compiler")
    runs = {core.instruction_set for core in native.variants()} | {"baseline"}
    if request.param not in runs:
        pytest.skip(f"{request.param} does not run here")
    folder = tmp_path_factory.mktemp(request.param)
    if not sanitizers_work(compiler, folder):
        pytest.skip("the C++ compiler has no working AddressSanitizer")
    (folder / "unit.cpp").write_text(UNIT)
    folders = [f"-I{HERE}", f"-I{native.resource_dir('kernels')}"]
    options = ["-std=gnu++17", "-O2", "-g", *WARNINGS, *SANITIZERS]
    built = subprocess.run(
        [compiler, *options, *VARIANTS[request.param], *folders, "unit.cpp", "-o", "fuzz"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return folder / "fuzz"


def run(program: Path, *arguments: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_random_and_adversarial_rows_stay_inside_and_come_out_right(program):
    done = run(program, 1, 3000, 0)
    assert done.returncode == 0, done.stderr


def test_one_row_too_many_is_caught(program):
    done = run(program, 1, 100, 1)
    assert "heap-buffer-overflow" in done.stderr
