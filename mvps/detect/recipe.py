"""How a network is trained, apart from what it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mvps.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the defaults are those of docs/detect.md.

    Attributes
    ----------
    batch : images a step, over all processes
    rate, last_rate : learning rate after the warm-up and at the end of the cosine
    warm_up : steps in which the rate rises from zero; a fifth of a shorter training
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

    def __post_init__(self) -> None:
        for option, value in (("--batch", self.batch), ("--check-every", self.check_every)):
            if value < 1:
                raise InputError(option, f"{value} is not positive")
        if not 0 < self.rate < 10:
            raise InputError("--rate", f"{self.rate} is no learning rate", "try 1e-3")

    def rate_at(self, step: int, steps: int) -> float:
        """Learning rate of a step, counted from 0, of a training of so many steps."""
        warm_up = min(self.warm_up, steps // 5)
        if step < warm_up:
            return self.rate * (step + 1) / warm_up
        share = (step - warm_up) / max(steps - warm_up, 1)
        return self.last_rate + (self.rate - self.last_rate) * (1 + math.cos(math.pi * share)) / 2
