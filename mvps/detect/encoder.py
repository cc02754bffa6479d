"""Frozen vision transformers from timm: images to the tokens of chosen blocks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.detect.torch_door import pick_device, require_torch
from mvps.detect.weights import (
    Tensors,
    create_vit,
    find_weights,
    load_tensors,
    rename_for,
    store,
    tensors_digest,
)
from mvps.errors import InputError

DEFAULT_ENCODER = "vit_base_patch14_reg4_dinov2.lvd142m"
DEFAULT_LAYERS = (2, 3, 4, 5, 6, 7, 8, 9)


@dataclass(frozen=True)
class EncoderFacts:
    """What tells one encoder from another.

    Attributes
    ----------
    name : imported weights or timm model
    model : timm model
    digest : of its weights
    layers : 0-based blocks whose outputs are the tokens
    dim, heads : features of a token, attention heads
    patch : side of a patch in px
    size : side of the image in px
    half : tokens were computed in half precision
    """

    name: str
    model: str
    digest: str
    layers: tuple[int, ...]
    dim: int
    heads: int
    patch: int
    size: int
    half: bool

    @property
    def grid(self) -> int:
        """Tokens along a side."""
        return self.size // self.patch

    @property
    def key(self) -> str:
        """What features are filed under."""
        layers = "-".join(str(layer) for layer in self.layers)
        return f"{self.digest}/{self.model}/{layers}/{self.size}/{'half' if self.half else 'full'}"


class Encoder:
    """A frozen ViT on one device; from :func:`load_encoder`."""

    def __init__(self, model: Any, facts: EncoderFacts, device: str) -> None:
        self.model = model
        self._torch = require_torch()
        self.facts = facts
        self.device = device

    def __call__(self, images: NDArray[np.float32]) -> Any:
        """Tokens of images.

        Parameters
        ----------
        images : (B, 3, S, S) float32, normalised by ImageNet's mean and deviation

        Returns
        -------
        torch tensor (B, L, N, D) on the encoder's device, float16 with half precision else
        float32; class and register tokens are left out, patches run row by row
        """
        batch = self._torch.from_numpy(images).to(self.device)
        with self._torch.inference_mode(), self._precision():
            return self.tokens_of(batch)

    def tokens_of(self, batch: Any) -> Any:
        """Tokens of a torch tensor (B, 3, S, S) on the encoder's device; as calling it."""
        layers = self.model.forward_intermediates(
            batch,
            indices=list(self.facts.layers),
            stop_early=True,  # no block after the last one wanted
            norm=False,
            output_fmt="NLC",
            intermediates_only=True,
        )
        return self._torch.stack(layers, 1)

    def _precision(self) -> AbstractContextManager[Any]:
        if not self.facts.half:
            return nullcontext()
        autocast: AbstractContextManager[Any] = self._torch.autocast(
            self.device.partition(":")[0], dtype=self._torch.float16
        )
        return autocast


def load_encoder(
    name: str = DEFAULT_ENCODER,
    *,
    size: int = 392,
    layers: Sequence[int] = DEFAULT_LAYERS,
    device: str = "auto",
) -> Encoder:
    """Encoder by name, in evaluation mode and without gradients.

    Parameters
    ----------
    name : imported weights (``mvps weights list``) or a timm ViT, whose weights timm fetches
    size : side of the images in px, a multiple of the patch
    layers : 0-based blocks to read, ascending
    device : auto, cpu, cuda or cuda:N; half precision on a GPU

    Raises
    ------
    InputError
        Unknown name, a size that the patch does not divide, a layer that is not there.
    DeviceError, MissingExtraError
        No such device; torch or timm is not installed.
    """
    place = pick_device(device)
    model_name, tensors, digest = _frozen_weights(name)
    patch = _patch(model_name)
    if size % patch:
        near = max(round(size / patch), 1) * patch
        raise InputError(
            "--size", f"{size} px is no multiple of the patch, {patch} px", f"try {near}"
        )
    model = create_vit(model_name, pretrained=False, img_size=size)
    model.load_state_dict(rename_for(model, tensors), strict=True)
    chosen = _checked_layers(layers, len(model.blocks))
    model.eval().requires_grad_(False).to(place)
    heads = int(model.blocks[0].attn.num_heads)
    half = place.startswith("cuda")
    facts = EncoderFacts(
        name, model_name, digest, chosen, int(model.embed_dim), heads, patch, size, half
    )
    return Encoder(model, facts, place)


def _frozen_weights(name: str) -> tuple[str, Tensors, str]:
    """Model, tensors at the model's own grid and their digest, of imported weights or of the hub.

    Both ways give the same features, since the position embedding is resampled here alone.
    """
    if (store() / f"{name}.safetensors").is_file():
        weights = find_weights(name)
        return weights.model, load_tensors(weights), weights.digest
    tensors = dict(create_vit(name, pretrained=True).state_dict())
    return name, tensors, tensors_digest(tensors)


def _patch(model_name: str) -> int:
    model = create_vit(model_name, pretrained=False, empty=True)
    return int(model.patch_embed.patch_size[0])


def _checked_layers(layers: Sequence[int], depth: int) -> tuple[int, ...]:
    chosen = tuple(sorted(set(layers)))
    if not chosen or chosen[0] < 0 or chosen[-1] >= depth:
        raise InputError(
            "--layers", f"{list(layers)} are not among the {depth} blocks", f"use 0 to {depth - 1}"
        )
    return chosen
