"""The compiled core as a library: variants, switches, quantisation and where resources lie."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from mvps import native
from mvps.errors import MvpsError

VARIANTS = native.variants()
each_variant = pytest.mark.parametrize(
    "core", VARIANTS, ids=[core.instruction_set for core in VARIANTS]
)
REPORT = """
import numpy as np
from mvps import native
from mvps.stereo import solve
L = np.array([[.6, 0, .8], [-.6, 0, .8], [0, .6, .8], [0, -.6, .8]])
images = np.random.default_rng(0).integers(0, 256, (4, 31, 37), dtype=np.uint8)
found = solve(images, L, device="cpu")
print(native.instruction_set(), native.reason() or "-", float(np.abs(found.normals).sum()), sep="|")
"""


def report(**environment: str) -> tuple[str, str, float]:
    """Instruction set, reason and a checksum of a solve, in a process with that environment."""
    run = subprocess.run(
        [sys.executable, "-c", REPORT],
        env=os.environ | {"MVPS_NATIVE": "", "MVPS_ISA": ""} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    isa, reason, checksum = run.stdout.strip().split("|")
    return isa, reason, float(checksum)


@pytest.mark.skipif(not VARIANTS, reason="no compiled core here")
@pytest.mark.parametrize("isa", [core.instruction_set for core in VARIANTS])
def test_a_variant_can_be_forced(isa):
    found, reason, checksum = report(MVPS_ISA=isa)
    assert (found, reason) == (isa, "-")
    assert checksum == pytest.approx(report(MVPS_NATIVE="off")[2], rel=1e-5)


def test_the_core_can_be_switched_off():
    isa, reason, _ = report(MVPS_NATIVE="off")
    assert (isa, reason) == ("None", "MVPS_NATIVE=off")


@pytest.mark.skipif(not VARIANTS, reason="no compiled core here")
def test_a_variant_that_is_not_there_leaves_numpy_and_a_reason():
    isa, reason, _ = report(MVPS_ISA="avx1024")
    assert isa == "None"
    assert reason.startswith("MVPS_ISA=avx1024 is not among what runs here: ")


def test_a_missing_library_leaves_numpy_and_a_reason(tmp_path, monkeypatch):
    monkeypatch.setattr(native, "_LIBRARY", tmp_path / "none.so")
    native._load.cache_clear()
    try:
        assert native.variants() == ()
        assert "not built" in str(native._load())
    finally:
        native._load.cache_clear()


def test_a_broken_library_leaves_numpy_and_a_reason(tmp_path, monkeypatch):
    (tmp_path / "broken.so").write_bytes(b"not a library")
    monkeypatch.setattr(native, "_LIBRARY", tmp_path / "broken.so")
    native._load.cache_clear()
    try:
        assert "broken.so cannot be loaded" in str(native._load())
    finally:
        native._load.cache_clear()


@each_variant
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("pixels", [0, 1, 15, 16, 33, 1007])
def test_quantised_normals_are_numpys_to_the_bit(core, dtype, pixels):
    rng = np.random.default_rng(pixels)
    normals = rng.normal(size=(pixels, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    if pixels > 5:
        normals[:5] = [(1, 0, 0), (-1, 0, 0), (0, 1.5, 0), (0, 0, -1.5), (0.5, -0.5, 0)]
    valid = (rng.random(pixels) < 0.8).astype(np.uint8)
    signs = (1.0, -1.0, 1.0)
    out = np.full((pixels + 1, 3), 77, dtype)
    quantise = getattr(core, f"mvps_quantise_{'u8' if dtype == 'uint8' else 'u16'}")
    quantise(normals.ctypes.data, valid.ctypes.data, pixels, *signs, out.ctypes.data)

    top = np.iinfo(dtype).max
    levels = normals * np.array([sign * top / 2 for sign in signs], np.float32)
    levels = np.clip(levels + np.float32(top / 2 + 0.5), 0, top)
    levels[valid == 0] = 0
    np.testing.assert_array_equal(out[:pixels], levels.astype(dtype))
    assert (out[pixels] == 77).all()


def test_kernels_and_camera_files_are_found():
    assert (native.resource_dir("kernels") / "least_squares.cuh").is_file()
    assert (native.resource_dir("calib") / "cam1.yml").is_file()


def test_a_missing_resource_says_where_it_should_be():
    with pytest.raises(MvpsError, match=r"'nothing'.*missing"):
        native.resource_dir("nothing")
