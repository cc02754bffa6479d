"""The training loop: a small network over cached tokens, resumed bit for bit after any kill.

Nothing is drawn at random while training: the order of an epoch follows from seed and epoch, the
learning rate from the step. A checkpoint is model, optimiser and a few numbers, and from there a
resumed run does what an undisturbed one does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mvps.detect.detector import Budget
from mvps.detect.features import Features, FeatureSource
from mvps.detect.recipe import Recipe
from mvps.detect.tensor_file import read_tensors, write_tensors
from mvps.detect.workers import Workers
from mvps.errors import InputError, MissingExtraError

CHECKPOINT = "checkpoint.safetensors"
Forward = Callable[[Mapping[str, Tensor]], Any]
Losses = Callable[[Forward, Features], dict[str, Tensor]]


@dataclass
class Progress:
    """Where a training stands.

    Attributes
    ----------
    step : steps done
    best, best_step : least loss on the held-out normals and where it was reached
    losses : step and parts of the loss, once a look
    """

    step: int = 0
    best: float = math.inf
    best_step: int = 0
    stopped_early: bool = False
    losses: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class _Training:
    """The parts of one training, always together; ``forward`` is the model as it is spread."""

    model: nn.Module
    forward: Any
    optimiser: Any
    losses: Losses
    source: FeatureSource
    held_out: FeatureSource | None
    recipe: Recipe
    steps: int
    seed: int
    workers: Workers


def train(
    model: nn.Module,
    losses: Losses,
    source: FeatureSource,
    held_out: FeatureSource | None,
    *,
    recipe: Recipe,
    budget: Budget,
    seed: int,
    workers: Workers,
    compile: bool = False,
) -> Progress:
    """Train a model in place, to its best state on the held-out normals where there are any.

    Parameters
    ----------
    model : on the device of ``workers``
    losses : scalars of a batch and of the model that is called; "total" is descended, all are
        logged
    source, held_out : normal images to learn from, and others to watch
    workers : processes that share each batch, and the precision
    compile : call the model through ``torch.compile``

    Raises
    ------
    InputError
        No images, a batch that the processes cannot share evenly, or the checkpoint in
        ``budget.folder`` is of another training.
    """
    if not len(source):
        raise InputError("training", "there is no normal image to learn from")
    if recipe.batch % workers.count:
        raise InputError(
            "--batch", f"{recipe.batch} images cannot be shared by {workers.count} processes"
        )
    identity = json.dumps([asdict(recipe), budget.steps, seed, len(source)])
    state, best = Progress(), _copied(model)
    optimiser = _optimiser(model, recipe)
    if budget.folder is not None:
        state, best = _resume(budget.folder, model, optimiser, workers, identity, best)
        budget.progress(state.step)
    called = torch.compile(model) if compile else model
    forward, stepper = workers.spread(called, optimiser)
    parts = _Training(
        model, forward, stepper, losses, source, held_out, recipe, budget.steps, seed, workers
    )
    while state.step < budget.steps and not state.stopped_early:
        _step(parts, state)
        if state.step % recipe.check_every == 0 or state.step == budget.steps:
            best = _look(parts, state, best)
            budget.log(state.losses[-1])
        last = state.step == budget.steps or state.stopped_early
        if budget.folder is not None and (state.step % budget.checkpoint_every == 0 or last):
            _keep(budget.folder, model, optimiser, workers, identity, state, best)
        budget.progress(1)
    if held_out is not None and len(held_out):
        model.load_state_dict(best)
    return state


def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    """Indices of an epoch in its order."""
    order: list[int] = np.random.default_rng([seed, epoch]).permutation(count).tolist()
    return order


def batch_indices(count: int, batch: int, seed: int, step: int) -> list[int]:
    """Images of a step: epochs follow each other without a gap, so that every batch is full."""
    start = step * batch
    epochs = range(start // count, (start + batch - 1) // count + 1)
    line = [i for epoch in epochs for i in epoch_order(count, seed, epoch)]
    first = start - epochs[0] * count
    return line[first : first + batch]


def _step(parts: _Training, state: Progress) -> None:
    recipe, workers = parts.recipe, parts.workers
    for group in parts.optimiser.param_groups:
        group["lr"] = recipe.rate_at(state.step, parts.steps)
    parts.model.train()
    indices = batch_indices(len(parts.source), recipe.batch, parts.seed, state.step)
    batch = parts.source.batch(indices[workers.rank :: workers.count]).to(workers.device)
    losses = parts.losses(parts.forward, batch)
    parts.optimiser.zero_grad(set_to_none=True)
    workers.descend(losses["total"], parts.model, parts.optimiser, recipe.clip)
    state.step += 1
    if state.step % recipe.check_every == 0 or state.step in (1, parts.steps):
        figures = {n: workers.mean(float(value.detach())) for n, value in losses.items()}
        if not math.isfinite(figures["total"]):
            raise InputError("training", f"the loss is {figures['total']} at step {state.step}")
        rate = recipe.rate_at(state.step - 1, parts.steps)
        state.losses.append({"step": state.step, "rate": rate, **figures})


def _look(parts: _Training, state: Progress, best: dict[str, Tensor]) -> dict[str, Tensor]:
    """Loss on the held-out normals; the best state so far."""
    held_out, workers, recipe = parts.held_out, parts.workers, parts.recipe
    if held_out is None or not len(held_out):
        return best
    parts.model.eval()
    total = 0.0
    starts = range(0, len(held_out), recipe.batch)
    with torch.inference_mode():
        for start in starts[workers.rank :: workers.count]:
            chosen = range(start, min(start + recipe.batch, len(held_out)))
            batch = held_out.batch(chosen).to(workers.device)
            total += float(parts.losses(parts.model, batch)["total"]) * len(chosen)
    loss = workers.mean(total) * workers.count / len(held_out)
    state.losses[-1]["held_out"] = loss
    if loss < state.best:
        state.best, state.best_step = loss, state.step
        return _copied(parts.model)
    looks = (state.step - state.best_step) / recipe.check_every
    state.stopped_early = bool(recipe.patience) and looks >= recipe.patience
    return best


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


def _optimiser(model: nn.Module, recipe: Recipe) -> Any:
    try:
        from pytorch_optimizer import StableAdamW
    except ImportError:
        raise MissingExtraError("pytorch-optimizer", "detect") from None
    return StableAdamW(model.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay)


def _keep(  # noqa: PLR0917
    folder: Path,
    model: nn.Module,
    optimiser: Any,
    workers: Workers,
    identity: str,
    state: Progress,
    best: Mapping[str, Tensor],
) -> None:
    if workers.rank:
        return
    kept = optimiser.state_dict()
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for index, slots in kept["state"].items():
        tensors |= {f"optimiser.{index}.{n}": t for n, t in slots.items() if t is not None}
    header = {
        "identity": identity,
        "state": asdict(state),
        "clock": [group["step"] for group in kept["param_groups"]],
        "scaler": workers.scaler(),
    }
    write_tensors(folder / CHECKPOINT, tensors, json.dumps(header))


def _resume(  # noqa: PLR0917
    folder: Path,
    model: nn.Module,
    optimiser: Any,
    workers: Workers,
    identity: str,
    best: dict[str, Tensor],
) -> tuple[Progress, dict[str, Tensor]]:
    """The training as its last checkpoint left it, or as it begins where there is none."""
    path = folder / CHECKPOINT
    if not path.is_file():
        return Progress(), best
    tensors, text = read_tensors(path, "remove it to start anew")
    header = json.loads(text)
    if header.get("identity") != identity:
        raise InputError(path, "is of another training", "give another folder or --overwrite")
    model.load_state_dict(_under(tensors, "model."))
    kept = optimiser.state_dict()
    kept["state"] = {}
    for name, tensor in _under(tensors, "optimiser.").items():
        index, _, slot = name.partition(".")
        kept["state"].setdefault(int(index), {"kahan_comp": None})[slot] = tensor
    for group, clock in zip(kept["param_groups"], header["clock"], strict=True):
        group["step"] = clock
    optimiser.load_state_dict(kept)
    workers.set_scaler(header["scaler"])
    device = next(model.parameters()).device
    best = {name: tensor.to(device) for name, tensor in _under(tensors, "best.").items()}
    return Progress(**header["state"]), best


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
