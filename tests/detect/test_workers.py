"""Several processes descend what one descends on the whole batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from mvps.datasets import NORMALS, RGB
from mvps.detect.cprn import Cprn, CprnConfig
from mvps.detect.cprn_detector import CprnDetector
from mvps.detect.features import Features
from mvps.detect.workers import Alone, join, native_precision
from mvps.errors import InputError

BATCH = 4


def gradient(place: str | None) -> dict[str, Tensor]:
    """Gradient of one step of a CPRN on this process's part of a batch, by parameter."""
    torch.manual_seed(0)
    detector = CprnDetector(CprnConfig(dim=16, heads=2, layers=2, entropy_weight=0.5))
    model = Cprn(detector.network)
    generator = torch.Generator().manual_seed(1)
    tokens = {m: torch.randn(BATCH, 2, 9, 16, generator=generator) for m in (RGB, NORMALS)}
    workers = detector._workers = join("cpu", "32")
    detector._model = model
    forward, stepper = workers.spread(model, torch.optim.SGD(model.parameters(), lr=0.0))
    own = {m: t[workers.rank :: workers.count] for m, t in tokens.items()}
    losses = detector._losses(forward, Features(own, (3, 3), ("",) * len(own[RGB])))
    workers.descend(losses["total"], model, stepper, clip=1e9)
    found = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    if place is not None and workers.rank == 0:
        save_file(found | {"count": torch.tensor(workers.count)}, place)
    return found


@pytest.mark.slow
def test_two_processes_have_the_gradient_of_one_with_the_whole_batch(tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric", reason="Fabric is not installed")
    place = tmp_path / "gradient.safetensors"
    words = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    subprocess.run(
        [sys.executable, "-m", *words, str(Path(__file__)), str(place)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=True,
        timeout=300,
    )
    spread = load_file(place)
    assert int(spread.pop("count")) == 2
    whole = gradient(None)
    assert spread.keys() == whole.keys()
    largest = max(float(one.abs().max()) for one in whole.values())
    for name, one in whole.items():
        torch.testing.assert_close(spread[name], one, rtol=1e-4, atol=1e-6 * largest)


def test_half_precision_stays_near_the_whole_one() -> None:
    torch.manual_seed(0)
    left, right = torch.randn(2, 50, 64).unbind()
    with Alone("cpu", "bf16").autocast():
        product = left @ right.T
    assert product.dtype == torch.bfloat16
    assert (product.float() - left @ right.T).abs().max() < 64 * 2**-7
    with Alone("cpu", "32").autocast():
        assert (left @ right.T).dtype == torch.float32


def test_precision_follows_from_the_device() -> None:
    assert native_precision("cpu") in {"bf16", "32"}
    with pytest.raises(InputError, match="16 is for GPUs; use bf16 or 32"):
        join("cpu", "16")


if __name__ == "__main__":  # one of the processes
    gradient(sys.argv[1])
