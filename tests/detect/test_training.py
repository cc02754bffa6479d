"""The training loop: what the recipe says, and the same model after any kill."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_vit import LAYERS, SIZE, tiny_encoder, write_records

from mvps.datasets import NORMALS, RGB
from mvps.detect.cache import FeatureCache
from mvps.detect.cprn import CprnConfig
from mvps.detect.cprn_detector import CprnDetector
from mvps.detect.detector import Budget
from mvps.detect.features import FeatureSource
from mvps.detect.preprocess import Preprocess
from mvps.detect.recipe import Recipe
from mvps.detect.training import CHECKPOINT, batch_indices, epoch_order
from mvps.errors import InputError

STEPS = 24
RECIPE = Recipe(batch=4, warm_up=5, check_every=5, patience=0)


def source(folder: Path, first: int = 0, count: int = 7) -> FeatureSource:
    records = write_records(folder / "images", 10)[first : first + count]
    cache = FeatureCache(folder / "features")
    return FeatureSource(records, (RGB, NORMALS), tiny_encoder(), Preprocess(SIZE, SIZE), cache)


def detector(recipe: Recipe = RECIPE) -> CprnDetector:
    return CprnDetector(CprnConfig(dim=64, heads=4, layers=len(LAYERS)), recipe)


def fit(folder: Path, checkpoints: Path | None, steps: int = STEPS) -> CprnDetector:
    made = detector()
    made.fit(
        source(folder),
        source(folder, 7, 3),
        seed=1,
        device="cpu",
        budget=Budget(steps, checkpoints, checkpoint_every=3),
    )
    return made


def test_the_rate_warms_up_and_falls_along_a_cosine() -> None:
    recipe = Recipe()
    assert recipe.rate_at(0, 1000) == pytest.approx(1e-5)
    assert recipe.rate_at(99, 1000) == pytest.approx(1e-3)
    assert recipe.rate_at(550, 1000) == pytest.approx((1e-3 + 1e-4) / 2)
    assert recipe.rate_at(1000, 1000) == pytest.approx(1e-4)


def test_every_image_is_seen_once_an_epoch_and_every_batch_is_full() -> None:
    seen = [i for step in range(7) for i in batch_indices(28, 4, 5, step)]
    assert sorted(seen) == list(range(28))
    assert seen == epoch_order(28, 5, 0)
    across = [i for step in range(20) for i in batch_indices(3, 4, 5, step)]
    assert len(across) == 80
    assert {across.count(i) for i in range(3)} <= {26, 27}


def test_a_killed_training_ends_in_the_model_of_an_undisturbed_one(tiny_store: Path) -> None:
    whole = fit(tiny_store, None)
    script = Path(__file__)
    kills = 0
    for _ in range(12):
        child = subprocess.Popen(
            [sys.executable, str(script), str(tiny_store), str(tiny_store / "run")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        for _ in range(7):  # some steps, then the axe, wherever it falls
            if not child.stdout.readline():
                break
        time.sleep(0.02 * kills)
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            kills += 1
            child.wait()
        if child.wait() == 0:
            break
    assert kills >= 2
    resumed = fit(tiny_store, tiny_store / "run")
    for name, tensor in whole.tensors().items():
        assert torch.equal(tensor, resumed.tensors()[name]), name


def test_a_checkpoint_of_another_training_is_refused(tiny_store: Path) -> None:
    fit(tiny_store, tiny_store / "run", steps=6)
    with pytest.raises(InputError, match="is of another training"):
        fit(tiny_store, tiny_store / "run", steps=9)
    path = tiny_store / "run" / CHECKPOINT
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match="remove it to start anew"):
        fit(tiny_store, tiny_store / "run", steps=6)


def test_the_best_state_on_held_out_normals_is_kept(tiny_store: Path) -> None:
    made = detector(Recipe(batch=4, warm_up=1, rate=3e-2, last_rate=3e-2, check_every=2))
    figures = made.fit(
        source(tiny_store, 0, 3), source(tiny_store, 3, 5), seed=0, device="cpu", budget=Budget(30)
    )
    held_out = [entry["held_out"] for entry in figures["losses"] if "held_out" in entry]
    steps = [entry["step"] for entry in figures["losses"] if "held_out" in entry]
    assert figures["best_step"] == steps[held_out.index(min(held_out))]
    model = made._model.eval()
    with torch.inference_mode():
        total = 0.0
        for batch in source(tiny_store, 3, 5).batches(4):
            total += float(made._losses(model, batch)["total"]) * len(batch.names)
    assert model is made._model
    assert total / 5 == pytest.approx(min(held_out), abs=1e-6)


def test_training_stops_when_the_held_out_normals_get_no_better(tiny_store: Path) -> None:
    recipe = Recipe(batch=4, warm_up=1, rate=0.2, last_rate=0.2, check_every=1, patience=3)
    figures = detector(recipe).fit(
        source(tiny_store, 0, 2), source(tiny_store, 2, 4), seed=0, device="cpu", budget=Budget(400)
    )
    assert figures["stopped_early"]
    assert figures["steps"] == figures["best_step"] + 3


def test_training_lowers_the_loss(tiny_store: Path) -> None:
    figures = detector().fit(source(tiny_store), None, seed=0, device="cpu", budget=Budget(60))
    losses = [entry["reconstruction"] for entry in figures["losses"]]
    assert losses[-1] < 0.7 * losses[0]
    assert all(math.isfinite(loss) for loss in losses)


def test_no_images_to_learn_from_is_one_line(tiny_store: Path) -> None:
    with pytest.raises(InputError, match="no normal image to learn from"):
        detector().fit(source(tiny_store, 0, 0), None, seed=0, device="cpu", budget=Budget(5))


def test_a_checkpoint_holds_nothing_but_tensors_and_text(tiny_store: Path) -> None:
    fit(tiny_store, tiny_store / "run", steps=6)
    tensors = load_file(tiny_store / "run" / CHECKPOINT)
    assert any(name.startswith("optimiser.") for name in tensors)
    save_file(tensors, tiny_store / "copy.safetensors")


if __name__ == "__main__":  # the training that is killed

    def report(count: int) -> None:
        if count == 1:  # not the steps that a checkpoint brought
            sys.stdout.write("step\n")
            sys.stdout.flush()

    store, run = Path(sys.argv[1]), Path(sys.argv[2])
    detector().fit(
        source(store),
        source(store, 7, 3),
        seed=1,
        device="cpu",
        budget=Budget(STEPS, run, checkpoint_every=3, progress=report),
    )
