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
from mvps.errors import InputError, MissingExtraError
from mvps.files import atomic_path

CHECKPOINT = "checkpoint.safetensors"
Losses = Callable[[Features], dict[str, Tensor]]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the defaults are those of docs/detect.md.

    Attributes
    ----------
    batch : images a step
    rate, last_rate : learning rate after the warm-up and at the end of the cosine
    warm_up : steps in which the rate rises from zero
    weight_decay : decoupled
    clip : largest norm of the gradient
    check_every : steps between two looks at the held-out normals
    patience : looks without a better one after which training stops; 0 never stops early
    """

    batch: int = 16
    rate: float = 1e-3
    last_rate: float = 1e-4
    warm_up: int = 100
    weight_decay: float = 1e-4
    clip: float = 0.1
    check_every: int = 100
    patience: int = 10

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0, of a training of so many steps."""
        if step < self.warm_up:
            return self.rate * (step + 1) / self.warm_up
        share = (step - self.warm_up) / max(steps - self.warm_up, 1)
        return self.last_rate + (self.rate - self.last_rate) * (1 + math.cos(math.pi * share)) / 2


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


def train(
    model: nn.Module,
    losses: Losses,
    source: FeatureSource,
    held_out: FeatureSource | None,
    *,
    recipe: Recipe,
    budget: Budget,
    seed: int,
    device: str,
) -> Progress:
    """Train a model in place, to its best state on the held-out normals where there are any.

    Parameters
    ----------
    model : on ``device``
    losses : scalars of a batch; "total" is descended, all are logged
    source, held_out : normal images to learn from, and others to watch

    Raises
    ------
    InputError
        No images, or the checkpoint in ``budget.folder`` is of another training.
    """
    if not len(source):
        raise InputError("training", "there is no normal image to learn from")
    optimiser = _optimiser(model, recipe)
    identity = json.dumps([asdict(recipe), budget.steps, seed, len(source)])
    state = Progress()
    best = _copied(model)
    if budget.folder is not None:
        state, best = _resume(budget.folder, model, optimiser, identity, best)
        budget.progress(state.step)
    while state.step < budget.steps and not state.stopped_early:
        _step(model, optimiser, losses, source, recipe, budget.steps, seed, device, state)
        if state.step % recipe.check_every == 0 or state.step == budget.steps:
            best = _look(model, losses, held_out, recipe, device, state, best)
        if budget.folder is not None and (
            state.step % budget.checkpoint_every == 0 or state.step == budget.steps
        ):
            _keep(budget.folder, model, optimiser, identity, state, best)
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


def _step(  # noqa: PLR0917 (the parts of one training, always together)
    model: nn.Module,
    optimiser: Any,
    losses: Losses,
    source: FeatureSource,
    recipe: Recipe,
    steps: int,
    seed: int,
    device: str,
    state: Progress,
) -> None:
    for group in optimiser.param_groups:
        group["lr"] = recipe.rate_at(state.step, steps)
    model.train()
    batch = source.batch(batch_indices(len(source), recipe.batch, seed, state.step)).to(device)
    parts = losses(batch)
    optimiser.zero_grad(set_to_none=True)
    parts["total"].backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
    optimiser.step()
    state.step += 1
    if state.step % recipe.check_every == 0 or state.step in (1, steps):
        figures = {name: float(value.detach()) for name, value in parts.items()}
        if not math.isfinite(figures["total"]):
            raise InputError("training", f"the loss is {figures['total']} at step {state.step}")
        state.losses.append({"step": state.step, **figures})


def _look(  # noqa: PLR0917
    model: nn.Module,
    losses: Losses,
    held_out: FeatureSource | None,
    recipe: Recipe,
    device: str,
    state: Progress,
    best: dict[str, Tensor],
) -> dict[str, Tensor]:
    """Loss on the held-out normals; the best state so far."""
    if held_out is None or not len(held_out):
        return best
    model.eval()
    total = 0.0
    with torch.inference_mode():
        for batch in held_out.batches(recipe.batch):
            total += float(losses(batch.to(device))["total"]) * len(batch.names)
    loss = total / len(held_out)
    state.losses[-1]["held_out"] = loss
    if loss < state.best:
        state.best, state.best_step = loss, state.step
        return _copied(model)
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
    identity: str,
    state: Progress,
    best: Mapping[str, Tensor],
) -> None:
    from safetensors.torch import save_file

    kept = optimiser.state_dict()
    tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for index, slots in kept["state"].items():
        tensors |= {f"optimiser.{index}.{n}": t for n, t in slots.items() if t is not None}
    header = {
        "identity": identity,
        "state": json.dumps(asdict(state)),
        "clock": json.dumps([group["step"] for group in kept["param_groups"]]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(folder / CHECKPOINT) as temporary:
        save_file(contiguous, temporary, header)


def _resume(
    folder: Path, model: nn.Module, optimiser: Any, identity: str, best: dict[str, Tensor]
) -> tuple[Progress, dict[str, Tensor]]:
    """The training as its last checkpoint left it, or as it begins where there is none."""
    from safetensors import SafetensorError, safe_open

    path = folder / CHECKPOINT
    if not path.is_file():
        return Progress(), best
    try:
        with safe_open(path, "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(path, f"cannot be read ({error})", "remove it to start anew") from None
    if header.get("identity") != identity:
        raise InputError(path, "is of another training", "give another folder or --overwrite")
    model.load_state_dict(_under(tensors, "model."))
    kept = optimiser.state_dict()
    kept["state"] = {}
    for name, tensor in _under(tensors, "optimiser.").items():
        index, _, slot = name.partition(".")
        kept["state"].setdefault(int(index), {"kahan_comp": None})[slot] = tensor
    for group, clock in zip(kept["param_groups"], json.loads(header["clock"]), strict=True):
        group["step"] = clock
    optimiser.load_state_dict(kept)
    device = next(model.parameters()).device
    best = {name: tensor.to(device) for name, tensor in _under(tensors, "best.").items()}
    return Progress(**json.loads(header["state"])), best


def _under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
