"""Tokens of records, from the cache or from the encoder, in batches that any detector can read.

A source shows a detector neither labels nor masks, and can be read again in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.datasets.record import RGB, Record
from mvps.detect.cache import FeatureCache, feature_key
from mvps.detect.encoder import Encoder
from mvps.detect.preprocess import Preprocess, load_planes
from mvps.detect.torch_door import require_torch
from mvps.errors import InputError
from mvps.machine import cores

ENCODE_BATCH = 8  # images at once: more gains nothing on a CPU


@dataclass(frozen=True)
class Features:
    """Tokens of a batch.

    Attributes
    ----------
    tokens : float32 torch tensors (B, L, N, D) by modality
    grid : rows and columns of the N tokens
    names : of the records
    """

    tokens: Mapping[str, Any]
    grid: tuple[int, int]
    names: tuple[str, ...]

    def to(self, device: str) -> Features:
        """The same batch on a device."""
        moved = {m: t.to(device, non_blocking=True) for m, t in self.tokens.items()}
        return Features(moved, self.grid, self.names)


@dataclass
class Traffic:
    """Where the features of a source came from: images read from the cache, and encoded."""

    cached: int = 0
    encoded: int = 0
    kept: int = 0


@dataclass(frozen=True)
class FeatureSource:
    """Features of records.

    Parameters
    ----------
    records : in the order of their indices
    modalities : of every record
    encoder : frozen; its image size is that of ``preprocess``
    preprocess : from files to images
    cache : None encodes every time
    """

    records: Sequence[Record]
    modalities: tuple[str, ...]
    encoder: Encoder
    preprocess: Preprocess
    cache: FeatureCache | None = None
    traffic: Traffic = field(default_factory=Traffic)
    _keys: dict[Path, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.preprocess.crop != self.encoder.facts.size:
            raise InputError(
                "--size",
                f"images of {self.preprocess.crop} px for an encoder of "
                f"{self.encoder.facts.size} px",
            )

    def __len__(self) -> int:
        return len(self.records)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the tokens."""
        return self.encoder.facts.grid, self.encoder.facts.grid

    @property
    def bytes_needed(self) -> int:
        """Size of all features on disk."""
        facts = self.encoder.facts
        one = len(facts.layers) * facts.grid**2 * facts.dim * 2
        return one * len(self.records) * len(self.modalities)

    def batch(self, indices: Sequence[int]) -> Features:
        """Features of some records.

        Raises
        ------
        InputError, ImageError
            A record lacks a modality, or its image cannot be used.
        """
        torch = require_torch()
        chosen = [self.records[i] for i in indices]
        wanted = [(record, m) for m in self.modalities for record in chosen]
        stacked = np.stack(self._tokens(wanted)).astype(np.float32)
        parts = np.split(stacked, len(self.modalities))
        tokens = {m: torch.from_numpy(p) for m, p in zip(self.modalities, parts, strict=True)}
        return Features(tokens, self.grid, tuple(record.name for record in chosen))

    def batches(self, size: int, order: Sequence[int] | None = None) -> Iterator[Features]:
        """Features of all records, ``size`` at a time, in an order of indices."""
        order = range(len(self.records)) if order is None else order
        for start in range(0, len(order), size):
            yield self.batch(order[start : start + size])

    def warm(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Encode whatever the cache lacks, as far as it has room; reports images done."""
        if self.cache is None:
            return
        wanted = [(record, m) for record in self.records for m in self.modalities]
        lacking = [one for one in wanted if not self.cache.holds(self._key(*one))]
        progress(len(wanted) - len(lacking))
        one_size = self.bytes_needed // max(len(wanted), 1)
        for start in range(0, len(lacking), ENCODE_BATCH):
            part = lacking[start : start + ENCODE_BATCH]
            if self.cache.room() >= one_size:
                self._tokens(part)
            progress(len(part))

    def _tokens(self, wanted: Sequence[tuple[Record, str]]) -> list[NDArray[np.float16]]:
        found = [self._lookup(record, modality) for record, modality in wanted]
        missing = [i for i, tokens in enumerate(found) if tokens is None]
        self.traffic.cached += len(wanted) - len(missing)
        for start in range(0, len(missing), ENCODE_BATCH):
            part = missing[start : start + ENCODE_BATCH]
            for i, tokens in zip(part, self._encode([wanted[i] for i in part]), strict=True):
                found[i] = tokens
                self._keep(*wanted[i], tokens)
        return [tokens for tokens in found if tokens is not None]

    def _encode(self, wanted: Sequence[tuple[Record, str]]) -> NDArray[np.float16]:
        with ThreadPoolExecutor(cores()) as pool:  # decoding lets go of the interpreter
            planes = list(
                pool.map(lambda one: load_planes(one[0], one[1], self.preprocess), wanted)
            )
        self.traffic.encoded += len(wanted)
        tokens = self.encoder(np.stack(planes))
        half: NDArray[np.float16] = tokens.half().cpu().numpy()
        return half

    def _lookup(self, record: Record, modality: str) -> NDArray[np.float16] | None:
        return self.cache.get(self._key(record, modality)) if self.cache else None

    def _keep(self, record: Record, modality: str, tokens: NDArray[np.float16]) -> None:
        if self.cache and self.cache.put(self._key(record, modality), tokens):
            self.traffic.kept += 1

    def _key(self, record: Record, modality: str) -> str:
        path = record.rgb if modality == RGB else record.normals
        if path is None:
            raise InputError(record.name, f"has no {modality}")
        if path not in self._keys:  # once a run: an image is digested whole
            parts = (modality, self.preprocess.key, self.encoder.facts.key, str(record.convention))
            self._keys[path] = feature_key(path, *parts)
        return self._keys[path]
