"""CPRN, the Cross-modal Prototype Reconstruction Network, on the tokens of frozen encoders.

Equations (1) to (6) are those of the Real-IAD-MVN paper, section 4. What the paper leaves open
(heads, normalisation, which residuals, the assignment q) is filled in as docs/detect.md says.
Shapes: B images, L layers, N patch tokens, D features, M prototypes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from mvps.datasets.record import NORMALS, RGB
from mvps.errors import InputError

FUSIONS = ("ucp", "concat", "rgb", "nv")
ASSIGNMENT_TEMPERATURE = 0.1
ENTROPY_FLOOR = 1e-8  # epsilon of equation (6)


@dataclass(frozen=True)
class CprnConfig:
    """What makes a CPRN, apart from its weights.

    Parameters
    ----------
    dim : D, features of a token
    heads : attention heads, a divisor of ``dim``; the encoder's own by custom
    layers : L, encoder layers that are reconstructed
    prototypes : M
    fusion : "ucp" (equations 1 to 3), "concat" (one attention over the tokens of both modalities),
        "rgb" or "nv" (that modality alone)
    reconstruct : "both" modalities from the shared prototypes, or "rgb" as the equations have it;
        a fusion of a single modality reconstructs that one
    context : tokens that the prototypes are read from: the "last" layer or the "mean" of all
    loss : "layers" (the mean over layers and each of them) or "paper" (the mean alone)
    map_from : layers behind the anomaly map: their "mean" or the "last"
    entropy_weight : lambda_p of the total loss
    """

    dim: int
    heads: int
    layers: int = 8
    prototypes: int = 6
    fusion: str = "ucp"
    reconstruct: str = "both"
    context: str = "last"
    loss: str = "layers"
    map_from: str = "mean"
    entropy_weight: float = 0.01

    def __post_init__(self) -> None:
        for name, value, allowed in (
            ("fusion", self.fusion, FUSIONS),
            ("reconstruct", self.reconstruct, ("both", "rgb")),
            ("context", self.context, ("last", "mean")),
            ("loss", self.loss, ("layers", "paper")),
            ("map_from", self.map_from, ("mean", "last")),
        ):
            if value not in allowed:
                raise InputError(name, f"{value!r} is unknown", f"use {', '.join(allowed)}")
        for name in ("dim", "heads", "layers", "prototypes"):
            if getattr(self, name) < 1:
                raise InputError(name, f"{getattr(self, name)} is not positive")
        if self.dim % self.heads:
            raise InputError("heads", f"{self.heads} do not divide {self.dim} features")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Modalities whose tokens are needed."""
        return {"rgb": (RGB,), "nv": (NORMALS,)}.get(self.fusion, (RGB, NORMALS))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Modalities that are reconstructed."""
        return (RGB,) if self.reconstruct == "rgb" and self.fusion != "nv" else self.inputs


class Reconstruction(NamedTuple):
    """What :class:`Cprn` returns.

    Attributes
    ----------
    decoded : (B, L, N, D) of each reconstructed modality
    prototypes : (B, M, D)
    context : (B, N, D) tokens whose assignment to the prototypes is kept even
    """

    decoded: dict[str, Tensor]
    prototypes: Tensor
    context: Tensor


class Attention(nn.Module):
    """Multi-head attention of queries (B, Q, D) over a context (B, N, D); no residual."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query_norm = nn.LayerNorm(dim)
        self.context_norm = nn.LayerNorm(dim)
        self.to_query = nn.Linear(dim, dim)
        self.to_key = nn.Linear(dim, dim)
        self.to_value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, query: Tensor, context: Tensor) -> Tensor:
        """(B, Q, D), every token a mixture of projected context tokens."""
        context = self.context_norm(context)
        mixed = functional.scaled_dot_product_attention(
            self._split(self.to_query(self.query_norm(query))),
            self._split(self.to_key(context)),
            self._split(self.to_value(context)),
        )
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.reshape(*tokens.shape[:-1], self.heads, -1).transpose(1, 2)


class FeedForward(nn.Sequential):
    """LayerNorm, then a perceptron with one hidden layer of 4 D units."""

    def __init__(self, dim: int) -> None:
        super().__init__(
            nn.LayerNorm(dim), nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim)
        )


class PrototypeExtraction(nn.Module):
    """UCP: learnable queries read a context a modality (equations 1 to 3)."""

    def __init__(self, config: CprnConfig) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.empty(config.prototypes, config.dim))
        readers = (RGB,) if config.fusion == "concat" else config.inputs
        self.attend = nn.ModuleDict({m: Attention(config.dim, config.heads) for m in readers})
        self.refine = FeedForward(config.dim)

    def forward(self, contexts: Mapping[str, Tensor]) -> Tensor:
        """Prototypes (B, M, D) of contexts (B, N, D)."""
        batch = next(iter(contexts.values())).shape[0]
        queries = self.queries.expand(batch, -1, -1)
        if len(self.attend) < len(contexts):  # naive fusion: the tokens of all in one sequence
            contexts = {RGB: torch.cat(list(contexts.values()), 1)}
        read = [attend(queries, contexts[m]) for m, attend in self.attend.items()]  # (1), (2)
        prototypes: Tensor = self.refine(queries + torch.stack(read).mean(0))  # (3)
        return prototypes


class GuidedReconstruction(nn.Module):
    """CPGA, one decoder stage: encoder tokens asked for in terms of the prototypes (equation 4).

    The only residual goes around the feed-forward part. One around the attention would hand the
    query, and with it the anomaly, to the output.
    """

    def __init__(self, config: CprnConfig) -> None:
        super().__init__()
        self.attention = Attention(config.dim, config.heads)
        self.refine = FeedForward(config.dim)

    def forward(self, encoded: Tensor, prototypes: Tensor) -> Tensor:
        """Tokens (B, N, D) as the prototypes (B, M, D) explain them."""
        attended = self.attention(encoded, prototypes)  # (4)
        out: Tensor = attended + self.refine(attended)
        return out


class Cprn(nn.Module):
    """The whole network. Its input are tokens; the encoders, frozen, are not part of it."""

    def __init__(self, config: CprnConfig) -> None:
        super().__init__()
        self.config = config
        self.extract = PrototypeExtraction(config)
        self.decode = nn.ModuleDict(
            {
                m: nn.ModuleList(GuidedReconstruction(config) for _ in range(config.layers))
                for m in config.outputs
            }
        )
        self._initialise()

    def forward(self, tokens: Mapping[str, Tensor]) -> Reconstruction:
        """Reconstruct the tokens (B, L, N, D) of each modality in ``config.inputs``.

        Raises
        ------
        InputError
            A modality is missing, or the shape does not fit the configuration.
        """
        inputs = {m: self._checked(tokens, m) for m in self.config.inputs}
        contexts = {m: self._context(encoded) for m, encoded in inputs.items()}
        prototypes = self.extract(contexts)
        decoded = {
            m: torch.stack([s(inputs[m][:, i], prototypes) for i, s in enumerate(stages)], 1)
            for m, stages in self._stages().items()
        }
        return Reconstruction(decoded, prototypes, contexts[self.config.inputs[0]])

    def _stages(self) -> dict[str, nn.ModuleList]:
        return {m: stages for m, stages in self.decode.items() if isinstance(stages, nn.ModuleList)}

    def _context(self, encoded: Tensor) -> Tensor:
        return encoded[:, -1] if self.config.context == "last" else encoded.mean(1)

    def _checked(self, tokens: Mapping[str, Tensor], modality: str) -> Tensor:
        if modality not in tokens:
            raise InputError(modality, f"fusion {self.config.fusion!r} needs these tokens")
        encoded = tokens[modality]
        want = (self.config.layers, self.config.dim)
        if encoded.ndim != 4 or (encoded.shape[1], encoded.shape[3]) != want:
            raise InputError(
                modality,
                f"tokens of shape {tuple(encoded.shape)} do not fit "
                f"(images, {want[0]} layers, tokens, {want[1]} features)",
            )
        return encoded.detach()  # the encoders are frozen: no gradient may reach them

    def _initialise(self) -> None:
        nn.init.trunc_normal_(self.extract.queries, std=0.01)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)


def cosine_distance(a: Tensor, b: Tensor) -> Tensor:
    """1 - cosine of the angle between vectors along the last axis, in 0..2."""
    return 1 - functional.cosine_similarity(a, b, dim=-1)


def reconstruction_loss(config: CprnConfig, tokens: Tensor, decoded: Tensor) -> Tensor:
    """L_r of one modality: scalar, from (B, L, N, D) each (equation 5).

    "paper" compares the means over the layers; "layers" adds the mean distance of every layer,
    without which nothing would supervise the single layer that a map may be read from.
    """
    loss = cosine_distance(tokens.mean(1), decoded.mean(1)).mean()
    return loss if config.loss == "paper" else loss + cosine_distance(tokens, decoded).mean()


def prototype_assignment(context: Tensor, prototypes: Tensor) -> Tensor:
    """The share q (M,) of tokens (B, N, D) that each of the prototypes (B, M, D) answers for."""
    cosines = functional.normalize(context, dim=-1) @ functional.normalize(prototypes, dim=-1).mT
    return (cosines / ASSIGNMENT_TEMPERATURE).softmax(-1).mean((0, 1))


def entropy_loss(assignment: Tensor) -> Tensor:
    """L_p of an assignment (M,): its negative entropy, least where q is uniform (equation 6)."""
    return (assignment * (assignment + ENTROPY_FLOOR).log()).sum()


def total_loss(
    config: CprnConfig,
    tokens: Mapping[str, Tensor],
    out: Reconstruction,
    over_all: Callable[[Tensor], Tensor] = lambda assignment: assignment,
) -> dict[str, Tensor]:
    """Scalars "total" = L_r + lambda_p L_p, "reconstruction" and "entropy".

    L_r is the mean over the reconstructed modalities. Where a batch is spread over processes,
    ``over_all`` takes the assignment of one part to that of the whole batch.
    """
    parts = [reconstruction_loss(config, tokens[m].detach(), d) for m, d in out.decoded.items()]
    reconstruction = torch.stack(parts).mean()
    entropy = entropy_loss(over_all(prototype_assignment(out.context, out.prototypes)))
    total = reconstruction + config.entropy_weight * entropy
    return {"total": total, "reconstruction": reconstruction, "entropy": entropy}


def token_distances(
    config: CprnConfig, tokens: Mapping[str, Tensor], out: Reconstruction
) -> Tensor:
    """Anomaly of every token, (B, N) in 0..2: cosine distances over layers and modalities."""
    return modality_distances(config, tokens, out).mean(1)


def modality_distances(
    config: CprnConfig, tokens: Mapping[str, Tensor], out: Reconstruction
) -> Tensor:
    """Anomaly of every token in each decoded modality, (B, M, N) in 0..2."""
    parts = [cosine_distance(tokens[m], decoded) for m, decoded in out.decoded.items()]
    distances = torch.stack(parts, 1)  # (B, M, L, N)
    return distances[:, :, -1] if config.map_from == "last" else distances.mean(2)


def mean_distance(tokens: Mapping[str, Tensor], out: Reconstruction) -> Tensor:
    """L_r of equation (5) for each image, (B,): the paper's image score."""
    parts = [
        cosine_distance(tokens[m].mean(1), decoded.mean(1)).mean(-1)
        for m, decoded in out.decoded.items()
    ]
    return torch.stack(parts).mean(0)
