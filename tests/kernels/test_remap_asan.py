"""The CPU warp keeps to its buffers and to defined behaviour."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from host import SANITIZERS, find_compiler, sanitizers_work

from mvps import native

HERE = Path(__file__).resolve().parent


def test_no_warp_reads_or_writes_beyond_its_arrays(tmp_path):
    compiler = find_compiler()
    if compiler is None or not sanitizers_work(compiler, tmp_path):
        pytest.skip("no C++ compiler with a working AddressSanitizer")
    runtimes = [_runtime(compiler, name) for name in ("libasan.so", "libubsan.so")]
    if not all(runtimes):
        pytest.skip("the sanitizers have no shared runtime to load into Python")
    library = tmp_path / "remap.so"
    source = native.resource_dir("kernels") / "remap.cpp"
    flags = ["-std=gnu++17", "-O1", "-g", "-fno-trapping-math", "-Wno-psabi", "-fPIC", "-shared"]
    subprocess.run(
        [compiler, *flags, *SANITIZERS, "-DLS_VARIANT=baseline", source, "-o", library], check=True
    )

    run = subprocess.run(
        [sys.executable, HERE / "remap_sanitized.py", library, "baseline"],
        env=os.environ | {"LD_PRELOAD": " ".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stderr[-3000:]


def _runtime(compiler: str, name: str) -> str:
    """Path of a runtime of the sanitizers, empty where the compiler has none."""
    command = [compiler, f"-print-file-name={name}"]
    path = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return path if Path(path).is_absolute() else ""
