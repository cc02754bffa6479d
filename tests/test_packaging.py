"""An installed mvps finds its kernels and calibration files, with and without a compiler."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("mvps", "kernels", "calib", "examples/parts")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
PROBE = """
import json, mvps
from mvps.calib import published_cameras
from mvps.native import instruction_set, reason, resource_dir
print(json.dumps({
    "home": mvps.__file__,
    "kernels": sorted(path.name for path in resource_dir("kernels").iterdir()),
    "cameras": sorted(published_cameras()),
    "parts": sorted(path.name for path in resource_dir("examples/parts").iterdir()),
    "core": instruction_set(),
    "reason": reason() if instruction_set() is None else "",
}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("compiler", ["there", "missing"])
def test_an_installation_stands_on_its_own(tmp_path: Path, compiler: str) -> None:
    source, site = tmp_path / "source", tmp_path / "site"
    source.mkdir()
    for part in PARTS:
        ignored = shutil.ignore_patterns("*.so", "__pycache__")
        shutil.copytree(ROOT / part, source / part, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, source)
    broken = {"CC": "/bin/false", "CXX": "/bin/false"} if compiler == "missing" else {}
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"]
    subprocess.run(
        [*install, "--target", str(site), str(source)],
        check=True,
        env=os.environ | broken,
        capture_output=True,
    )

    seen = subprocess.run(
        [sys.executable, "-P", "-c", PROBE],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(seen.stdout)

    assert found["home"].startswith(str(site))
    assert {"least_squares.cu", "least_squares.cuh"} <= set(found["kernels"])
    assert {"NOTICE.md", "jst_header.wrl"} <= set(found["parts"])
    assert found["cameras"] == ["cam1", "cam2", "cam3", "cam4"]
    if compiler == "missing":
        assert found["core"] is None
        assert found["reason"]
    elif shutil.which("g++"):
        assert found["core"] in {"avx512", "avx2", "baseline"}


def test_the_published_cameras_are_those_of_the_rig_to_the_letter() -> None:
    """Digests from the README beside them, which states where the files come from."""
    lines = (ROOT / "calib" / "README.md").read_text().splitlines()
    digests = [line.split() for line in lines if line.endswith(".yml") and len(line.split()) == 2]

    from mvps.files import sha256_file

    assert len(digests) == 4
    for digest, name in digests:
        assert sha256_file(ROOT / "calib" / name) == digest
