"""The processes and the precision of a training: one process by itself, or several through Fabric.

Several share each batch evenly and descend the mean of their gradients, so that their number
changes the result by rounding alone.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mvps.errors import InputError, MissingExtraError

_CPU_FLAGS = {"amx_bf16", "avx512_bf16"}  # of /proc/cpuinfo


class Workers(Protocol):
    """What a training loop asks of the processes that share it.

    Attributes
    ----------
    rank, count : of this process, and of all
    device : torch's name of this process's
    """

    rank: int
    count: int
    device: str

    def autocast(self) -> AbstractContextManager[Any]:
        """Block whose matrix products are of the training's precision."""
        ...

    def spread(self, model: Any, optimiser: Any) -> tuple[Any, Any]:
        """Model to call and optimiser to use, whose gradients are those of all processes."""
        ...

    def descend(self, loss: Tensor, model: nn.Module, optimiser: Any, clip: float) -> None:
        """One step down, the norm of the gradient clipped."""
        ...

    def mean(self, value: float) -> float:
        """Mean of a number over the processes."""
        ...

    def mean_assignment(self, assignment: Tensor) -> Tensor:
        """Mean over the processes; the gradient is that of this process's part."""
        ...

    def wait(self) -> None:
        """Until all processes are here."""
        ...

    def scaler(self) -> dict[str, Any]:
        """State of the loss scaling, as JSON holds it; empty without one."""
        ...

    def set_scaler(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`scaler` returned."""
        ...


class Alone:
    """One process, without Fabric."""

    def __init__(self, device: str, precision: str) -> None:
        self.rank, self.count, self.device = 0, 1, device
        self._half = precision == "bf16"

    def autocast(self) -> AbstractContextManager[Any]:
        """Block whose matrix products are of the training's precision."""
        if not self._half:
            return nullcontext()
        return torch.autocast(self.device.partition(":")[0], dtype=torch.bfloat16)

    def spread(self, model: Any, optimiser: Any) -> tuple[Any, Any]:
        """Both as they are."""
        return model, optimiser

    def descend(self, loss: Tensor, model: nn.Module, optimiser: Any, clip: float) -> None:
        """One step down, the norm of the gradient clipped."""
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimiser.step()

    def mean(self, value: float) -> float:
        """The number itself."""
        return value

    def mean_assignment(self, assignment: Tensor) -> Tensor:
        """The assignment itself."""
        return assignment

    def wait(self) -> None:
        """There is nobody to wait for."""

    def scaler(self) -> dict[str, Any]:
        """Nothing is scaled."""
        return {}

    def set_scaler(self, state: dict[str, Any]) -> None:
        """Nothing is scaled."""


class Together:
    """Processes that torchrun started, or one whose float16 needs its loss scaled: by Fabric."""

    def __init__(self, device: str, precision: str, count: int) -> None:
        try:
            from lightning_fabric import Fabric
        except ImportError:
            raise MissingExtraError("lightning-fabric", "detect") from None
        kind, _, index = device.partition(":")
        here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
        names = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
        self._fabric = Fabric(
            accelerator=kind,
            devices=here if count > 1 or kind == "cpu" else [int(index or 0)],
            num_nodes=max(count // here, 1),
            strategy="ddp" if count > 1 else "auto",
            precision=names[precision],  # type: ignore[arg-type]
        )
        self._fabric.launch()
        self.rank, self.count = self._fabric.global_rank, self._fabric.world_size
        self.device = str(self._fabric.device)

    def autocast(self) -> AbstractContextManager[Any]:
        """Block whose matrix products are of the training's precision."""
        return self._fabric.autocast()

    def spread(self, model: Any, optimiser: Any) -> tuple[Any, Any]:
        """Model to call and optimiser to use, whose gradients are those of all processes."""
        spread, stepper = self._fabric.setup(model, optimiser)
        self._spread = spread
        return spread, stepper

    def descend(self, loss: Tensor, model: nn.Module, optimiser: Any, clip: float) -> None:
        """One step down, the norm of the gradient clipped."""
        self._fabric.backward(loss)
        self._fabric.clip_gradients(self._spread, optimiser, max_norm=clip)
        optimiser.step()

    def mean(self, value: float) -> float:
        """Mean of a number over the processes."""
        number = torch.tensor(value, dtype=torch.float64, device=self.device)
        return float(torch.as_tensor(self._fabric.all_reduce(number, reduce_op="mean")))

    def mean_assignment(self, assignment: Tensor) -> Tensor:
        """Mean over the processes.

        Fabric averages the gradients of all processes; so each of them adds that of its own part.
        """
        whole = self._fabric.all_reduce(assignment.detach().clone(), reduce_op="mean")
        return torch.as_tensor(whole) + (assignment - assignment.detach())

    def wait(self) -> None:
        """Until all processes are here."""
        self._fabric.barrier()

    def scaler(self) -> dict[str, Any]:
        """State of the loss scaling; empty without one."""
        return dict(self._fabric.strategy.precision.state_dict())

    def set_scaler(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`scaler` returned."""
        self._fabric.strategy.precision.load_state_dict(state)


@cache  # the processes can be joined once only
def join(device: str, precision: str) -> Workers:
    """The processes of this training.

    Parameters
    ----------
    device : as :func:`mvps.detect.torch_door.pick_device` names it
    precision : "32", "bf16" or "16"; see :func:`native_precision`

    Raises
    ------
    InputError
        float16 on a CPU, which computes it slower than float32.
    MissingExtraError
        Fabric is needed and not installed.
    """
    if precision == "16" and device == "cpu":
        raise InputError("--precision", "16 is for GPUs", "use bf16 or 32")
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count > 1 or precision == "16":
        return Together(device, precision, count)
    return Alone(device, precision)


def native_precision(device: str) -> str:
    """What ``auto`` means: "bf16" where the device multiplies it natively, else "32".

    bfloat16 halves the time of a step on such a device and has the range of float32, so that the
    loss needs no scaling. Weights, optimiser, losses and all scores stay float32. It depends on
    the device alone, and a run records it: a resumed one goes on in the same precision.
    """
    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "32"
    try:
        words = set(Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split())
    except OSError:
        return "32"
    return "bf16" if words & _CPU_FLAGS else "32"
