"""PatchCore (Roth et al., CVPR 2022): the distance to the nearest of the normal tokens kept.

Tokens are the mean over the layers of each modality, averaged with their neighbours as the paper
does with its patches, modalities side by side. The coreset is the greedy k-centre one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from mvps.datasets.record import NORMALS, RGB
from mvps.detect.detector import Budget, Scores
from mvps.detect.features import Features, FeatureSource
from mvps.errors import InputError

READ_BATCH = 16
CHUNK = 4096  # tokens whose distances are held at once
PROJECTED = 128  # dimensions in which the coreset is chosen (Johnson-Lindenstrauss, as the paper)


@dataclass(frozen=True)
class PatchCoreConfig:
    """What makes a PatchCore.

    Parameters
    ----------
    modalities : whose tokens stand side by side
    share : of all normal tokens that is kept
    most : tokens kept at most
    reservoir : tokens among which the coreset is chosen; more are thinned evenly by the seed
    neighbours : b of the paper's equation (7), which weighs the image score; 0 leaves it out
    """

    modalities: tuple[str, ...] = (RGB, NORMALS)
    share: float = 0.1
    most: int = 10_000
    reservoir: int = 200_000
    neighbours: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError("share", f"{self.share} is not in 0..1")


class PatchCore:
    """The memory of normal tokens and the distance to it."""

    name = "patchcore"

    def __init__(self, settings: PatchCoreConfig | None = None) -> None:
        self.settings = settings or PatchCoreConfig()
        self._memory = torch.empty(0, 0)

    @property
    def config(self) -> Mapping[str, Any]:
        """Everything but the memory, as JSON holds it."""
        return {"settings": asdict(self.settings)}

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities that are read."""
        return self.settings.modalities

    def fit(
        self,
        source: FeatureSource,
        held_out: FeatureSource | None,
        *,
        seed: int,
        device: str,
        budget: Budget,
    ) -> Mapping[str, Any]:
        """Keep a coreset of the source's tokens."""
        if not len(source):
            raise InputError("training", "there is no normal image to learn from")
        generator = torch.Generator().manual_seed(seed)
        batches = []
        per_image = max(self.settings.reservoir // len(source), 1)
        for batch in source.batches(READ_BATCH):
            tokens = self._described(batch)
            for one in tokens:
                pick = torch.randperm(len(one), generator=generator)[:per_image]
                batches.append(one[pick])
            budget.progress(len(tokens))
        tokens = torch.cat(batches).to(device)
        count = min(max(round(self.settings.share * len(tokens)), 1), self.settings.most)
        self._memory = tokens[coreset(tokens, count, generator)]
        return {"tokens": len(tokens), "kept": len(self._memory)}

    def score(self, batch: Features) -> Scores:
        """Distance of each token to the memory; the image's is its largest, weighed."""
        with torch.inference_mode():
            described = self._described(batch).to(self._memory.device)
            flat = described.flatten(0, 1)
            distance, nearest = nearest_of(flat, self._memory)
            tokens = distance.reshape(described.shape[:2])
            at = tokens.argmax(1)
            rows = torch.arange(len(tokens), device=at.device)
            worst, match = described[rows, at], nearest.reshape(tokens.shape)[rows, at]
            return Scores(tokens, tokens[rows, at] * self._weight(worst, match, tokens[rows, at]))

    def tensors(self) -> Mapping[str, Any]:
        """The memory."""
        return {"memory": self._memory}

    def load(self, tensors: Mapping[str, Any], device: str) -> None:
        """Take over a memory."""
        self._memory = tensors["memory"].to(device)

    def _described(self, batch: Features) -> Tensor:
        """Tokens (B, N, F) as they are compared."""
        parts = [batch.tokens[m].mean(1) for m in self.settings.modalities]
        tokens = torch.cat([functional.layer_norm(p, p.shape[-1:]) for p in parts], -1)
        images = tokens.mT.reshape(len(tokens), -1, *batch.grid)
        pooled = functional.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
        return pooled.flatten(2).mT

    def _weight(self, worst: Tensor, match: Tensor, distance: Tensor) -> Tensor:
        """1 - softmax share of the match among its own neighbours (equation 7)."""
        count = min(self.settings.neighbours, len(self._memory))
        if count < 2:
            return torch.ones_like(distance)
        kept = self._memory[match]
        near = torch.cdist(kept, self._memory).topk(count, largest=False).indices
        around = (self._memory[near] - worst[:, None]).norm(dim=-1)
        return 1 - (distance - torch.logsumexp(around, 1)).exp().clamp(max=1)


def coreset(tokens: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Indices (count,) of tokens (T, F): each the farthest from those before it (k-centre)."""
    width = tokens.shape[1]
    if width > PROJECTED:
        basis = torch.randn(width, PROJECTED, generator=generator) / PROJECTED**0.5
        tokens = tokens @ basis.to(tokens)
    first = int(torch.randint(len(tokens), (1,), generator=generator))
    chosen = [first]
    squares = tokens.square().sum(1)

    def distance(index: int) -> Tensor:
        """Squared, from one token to all; its rounding matters to near ones only."""
        return squares + squares[index] - 2 * (tokens @ tokens[index])

    reach = distance(first)
    while len(chosen) < count:
        farthest = int(reach.argmax())
        chosen.append(farthest)
        torch.minimum(reach, distance(farthest), out=reach)
    return torch.tensor(chosen)


def nearest_of(tokens: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
    """Distance (T,) to the nearest of a memory (K, F), and its index, for tokens (T, F)."""
    found = [torch.cdist(part, memory).argmin(1) for part in torch.split(tokens, CHUNK)]
    nearest = torch.cat(found)
    # The products that cdist is made of cancel where the distance is small: it is taken anew.
    return (tokens - memory[nearest]).norm(dim=1), nearest
