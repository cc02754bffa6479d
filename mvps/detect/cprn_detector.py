"""CPRN behind the protocol that every detector keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch

from mvps.detect.cprn import (
    Cprn,
    CprnConfig,
    Reconstruction,
    mean_distance,
    modality_distances,
    total_loss,
)
from mvps.detect.detector import Budget, Scores
from mvps.detect.features import Features, FeatureSource
from mvps.detect.recipe import Recipe
from mvps.detect.training import Forward, train
from mvps.detect.workers import Alone, Workers, join
from mvps.errors import InputError


class CprnDetector:
    """CPRN with its training recipe.

    Parameters
    ----------
    network : what the network is
    recipe : how it is trained
    image_score : "map" (the anomaly map's top pixels) or "paper" (L_r of the image)
    precision : of training, see :func:`mvps.detect.workers.join`; scores are always of float32
    compile : train through ``torch.compile``
    """

    name = "cprn"

    def __init__(
        self,
        network: CprnConfig,
        recipe: Recipe | None = None,
        image_score: str = "map",
        precision: str = "32",
        compile: bool = False,
    ) -> None:
        if image_score not in {"map", "paper"}:
            raise InputError("image_score", f"{image_score!r} is unknown", "use map, paper")
        self.network = network
        self.recipe = recipe or Recipe()
        self.image_score = image_score
        self.precision = precision
        self.compile = compile
        with torch.device("meta"):  # fit or load gives the weights: none are drawn in vain
            self._model = Cprn(network)
        self._device = "cpu"
        self._workers: Workers = Alone("cpu", "32")

    @property
    def config(self) -> Mapping[str, Any]:
        """Everything but the weights, as JSON holds it."""
        return {
            "network": asdict(self.network),
            "recipe": asdict(self.recipe),
            "image_score": self.image_score,
            "precision": self.precision,
            "compile": self.compile,
        }

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities whose tokens the fusion reads."""
        return self.network.inputs

    def fit(
        self,
        source: FeatureSource,
        held_out: FeatureSource | None,
        *,
        seed: int,
        device: str,
        budget: Budget,
    ) -> Mapping[str, Any]:
        """Train from the initial weights of a seed; see :func:`mvps.detect.training.train`."""
        torch.manual_seed(seed)
        self._model = Cprn(self.network).to(device)
        self._device = device
        self._workers = join(device, self.precision)
        state = train(
            self._model,
            self._losses,
            source,
            held_out,
            recipe=self.recipe,
            budget=budget,
            seed=seed,
            workers=self._workers,
            compile=self.compile,
        )
        return {
            "steps": state.step,
            "best_step": state.best_step if held_out else state.step,
            "stopped_early": state.stopped_early,
            "losses": state.losses,
        }

    def score(self, batch: Features) -> Scores:
        """Cosine distances of the tokens; the image score too where the paper's is wanted."""
        self._model.eval()
        tokens = batch.to(self._device).tokens
        with torch.inference_mode():
            out = self._model(tokens)
            images = mean_distance(tokens, out) if self.image_score == "paper" else None
            parts = modality_distances(self.network, tokens, out)
            return Scores(parts.mean(1), images, parts)

    def tensors(self) -> Mapping[str, Any]:
        """Weights of the network."""
        return self._model.state_dict()

    def load(self, tensors: Mapping[str, Any], device: str) -> None:
        """Take over the weights of a fitted network."""
        self._model.load_state_dict(dict(tensors), strict=True, assign=True)
        self._model.to(device)
        self._device = device

    def _losses(self, forward: Forward, batch: Features) -> dict[str, torch.Tensor]:
        """Losses in float32, whatever the network ran in: distances near zero cancel otherwise."""
        with self._workers.autocast():
            out = forward(batch.tokens)
        decoded = {m: tokens.float() for m, tokens in out.decoded.items()}
        whole = Reconstruction(decoded, out.prototypes.float(), out.context.float())
        if not self._model.training:  # held-out images are not shared evenly
            return total_loss(self.network, batch.tokens, whole)
        return total_loss(self.network, batch.tokens, whole, self._workers.mean_assignment)
