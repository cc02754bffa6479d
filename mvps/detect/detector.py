"""What every detector promises, so that training, scoring and tables need to know none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from mvps.detect.features import Features, FeatureSource


class Scores(NamedTuple):
    """Scores of a batch, higher where a part is less normal.

    Attributes
    ----------
    tokens : float32 torch tensor (B, N), one a token of the grid
    images : float32 torch tensor (B,), or None: the image score is read from the anomaly map
    modalities : float32 torch tensor (B, M, N), scores of the tokens in each modality alone, or
        None where they are not told apart
    """

    tokens: Any
    images: Any | None = None
    modalities: Any | None = None


@dataclass(frozen=True)
class Budget:
    """How long a fit may take and where it keeps what a resumed one needs.

    Attributes
    ----------
    steps : optimiser steps at most
    folder : of checkpoints; None keeps none
    checkpoint_every : steps between checkpoints
    progress : told the number of steps just done
    log : told the figures of a look, "step" among them
    """

    steps: int
    folder: Path | None = None
    checkpoint_every: int = 100
    progress: Callable[[int], None] = lambda _: None
    log: Callable[[Mapping[str, float]], None] = lambda _: None


class Detector(Protocol):
    """A detector on the tokens of frozen encoders.

    Its scores of an image depend on that image alone, never on others of the batch or of the test
    set; a seed gives one model; what :meth:`tensors` and ``config`` hold makes it anew.
    """

    name: str

    @property
    def config(self) -> Mapping[str, Any]:
        """Everything but the tensors, as JSON holds it."""
        ...

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities whose tokens it needs."""
        ...

    def fit(
        self,
        source: FeatureSource,
        held_out: FeatureSource | None,
        *,
        seed: int,
        device: str,
        budget: Budget,
    ) -> Mapping[str, Any]:
        """Learn what is normal; returns figures on the fit, as JSON holds them."""
        ...

    def score(self, batch: Features) -> Scores:
        """Scores of a batch on the detector's device."""
        ...

    def tensors(self) -> Mapping[str, Any]:
        """Named torch tensors that make the fitted detector."""
        ...

    def load(self, tensors: Mapping[str, Any], device: str) -> None:
        """Take over tensors of a fitted detector of the same configuration."""
        ...
