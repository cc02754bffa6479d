"""Tokens of records, from the cache or from the encoder, in batches that any detector can read.

A source shows a detector neither labels nor masks, and can be read again in any order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mvps.datasets.record import RGB, Record
from mvps.detect.cache import FeatureCache, content_digest, feature_key
from mvps.detect.encoder import Encoder
from mvps.detect.preprocess import Planes, Preprocess, load_pixels, planes_of
from mvps.detect.torch_door import require_torch
from mvps.errors import InputError
from mvps.images import Window
from mvps.machine import cores

ENCODE_BATCH = 8  # images at once: more gains nothing on a CPU


class Item(NamedTuple):
    """What passes the encoder as one image: a record, or one tile of it.

    Attributes
    ----------
    record : whose image it is
    window : the tile in px of the file; None for the whole image
    """

    record: Record
    window: Window | None = None


class Wanted(NamedTuple):
    """One modality of an item."""

    item: Item
    modality: str


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
    """Features of records, or of their tiles where images are cut; indices run over either.

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
    items: tuple[Item, ...] = field(init=False, repr=False)
    _digests: dict[Path, str] = field(default_factory=dict)
    _pixels: dict[Path, NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.preprocess.crop != self.encoder.facts.size:
            raise InputError(
                "--size",
                f"images of {self.preprocess.crop} px for an encoder of "
                f"{self.encoder.facts.size} px",
            )
        object.__setattr__(self, "items", tuple(self._cut()))

    def __len__(self) -> int:
        return len(self.items)

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the tokens."""
        return self.encoder.facts.grid, self.encoder.facts.grid

    @property
    def bytes_needed(self) -> int:
        """Size of all features on disk."""
        facts = self.encoder.facts
        one = len(facts.layers) * facts.grid**2 * facts.dim * 2
        return one * len(self.items) * len(self.modalities)

    def batch(self, indices: Sequence[int]) -> Features:
        """Features of some items.

        Raises
        ------
        InputError, ImageError
            A record lacks a modality, or its image cannot be used.
        """
        return self._finish(self._prepare(indices))

    def batches(self, size: int, order: Sequence[int] | None = None) -> Iterator[Features]:
        """Features of all items, ``size`` at a time, in an order of indices."""
        chosen = range(len(self.items)) if order is None else order
        parts = [chosen[start : start + size] for start in range(0, len(chosen), size)]
        return self.parts(parts, whole=order is None)

    def parts(self, parts: Sequence[Sequence[int]], *, whole: bool = False) -> Iterator[Features]:
        """Features of given batches of indices; the next one is decoded while one is encoded.

        With ``whole``, images that pass the encoder together are encoded all where the cache lacks
        some: the last bits of tokens depend on their company, which must be the same after an
        interruption.
        """
        with ThreadPoolExecutor(1) as ahead:
            coming = deque(ahead.submit(self._prepare, one, whole=whole) for one in parts[:1])
            for i in range(len(parts)):
                ready = coming.popleft().result()
                for one in parts[i + 1 : i + 2]:
                    coming.append(ahead.submit(self._prepare, one, whole=whole))
                yield self._finish(ready)

    def missing(self) -> int:
        """Inputs, one an item and modality, that the cache lacks; digests every image."""
        return sum(not self._holds(one) for one in self._wanted())

    def warm(self, progress: Callable[[int], None] = lambda _: None) -> None:
        """Encode whatever the cache lacks, as far as it has room; reports images done.

        The last bits of tokens depend on their company in the encoder, so that inputs always pass
        it in the same groups: a cache that was interrupted ends in the same tokens.
        """
        if self.cache is None:
            return
        wanted = self._wanted()
        one_size = self.bytes_needed // max(len(wanted), 1)
        for start in range(0, len(wanted), ENCODE_BATCH):
            part = wanted[start : start + ENCODE_BATCH]
            if not all(map(self._holds, part)) and self.cache.room() >= one_size:
                self._encode(part, self._decode(part))
            progress(len(part))

    def _wanted(self) -> list[Wanted]:
        return [Wanted(item, m) for item in self.items for m in self.modalities]

    def _holds(self, one: Wanted) -> bool:
        return self.cache is not None and self.cache.holds(self._key(one))

    def _cut(self) -> Iterator[Item]:
        for record in self.records:
            if self.preprocess.tile:
                yield from (Item(record, w) for w in self.preprocess.tiling(record).windows)
            else:
                yield Item(record)

    def _prepare(self, indices: Sequence[int], *, whole: bool = False) -> list[_Group]:
        """Tokens that the cache has, and pixels for those that it lacks."""
        chosen = [self.items[i] for i in indices]
        wanted = [Wanted(item, m) for m in self.modalities for item in chosen]
        groups = []
        for start in range(0, len(wanted), ENCODE_BATCH):
            part = wanted[start : start + ENCODE_BATCH]
            found = [self._lookup(one) for one in part]
            missing = [i for i, tokens in enumerate(found) if tokens is None]
            if missing and whole:
                missing = list(range(len(part)))
            planes = self._decode([part[i] for i in missing])
            groups.append(_Group(part, found, missing, planes))
        return groups

    def _finish(self, groups: Sequence[_Group]) -> Features:
        torch = require_torch()
        tokens = [one for group in groups for one in self._tokens(group)]
        if len({one.device for one in tokens}) > 1:
            tokens = [one.cpu() for one in tokens]
        count = len(tokens) // len(self.modalities)
        named = {
            m: torch.stack(tokens[i * count : (i + 1) * count]).float()
            for i, m in enumerate(self.modalities)
        }
        wanted = [one for group in groups for one in group.wanted]
        return Features(named, self.grid, tuple(one.item.record.name for one in wanted[:count]))

    def _tokens(self, group: _Group) -> list[Any]:
        torch = require_torch()
        found = [None if one is None else torch.from_numpy(one) for one in group.found]
        self.traffic.cached += len(found) - len(group.missing)
        if group.missing:
            part = [group.wanted[i] for i in group.missing]
            for i, tokens in zip(group.missing, self._encode(part, group.planes), strict=True):
                found[i] = tokens
        return found

    def _encode(self, wanted: Sequence[Wanted], planes: Sequence[Planes]) -> Any:
        """Tokens (B, L, N, D) float16 on the encoder's device, kept in the cache if it has room."""
        self.traffic.encoded += len(wanted)
        tokens = self.encoder(np.stack(planes)).half()
        if self.cache:
            for one, kept in zip(wanted, tokens.cpu().numpy(), strict=True):
                self.traffic.kept += self.cache.put(self._key(one), kept)
        return tokens

    def _decode(self, wanted: Sequence[Wanted]) -> list[Planes]:
        """Planes of images; the tiles of one file are cut from one decoding of it."""
        files: dict[Path, list[int]] = {}
        for i, one in enumerate(wanted):
            files.setdefault(self._path(one), []).append(i)
        planes: list[Planes] = [np.empty(0, np.float32)] * len(wanted)

        def load(path: Path) -> None:
            first = wanted[files[path][0]]
            pixels = self._pixels.get(path)
            if pixels is None:
                pixels = load_pixels(first.item.record, first.modality)
            for i in files[path]:
                window = self._checked(wanted[i].item.window, pixels, path)
                planes[i] = planes_of(pixels, wanted[i].modality, self.preprocess, window)
            if first.item.window is not None:
                self._pixels[path] = pixels

        with ThreadPoolExecutor(cores()) as pool:  # decoding lets go of the interpreter
            list(pool.map(load, files))
        for path in [path for path in self._pixels if path not in files]:
            self._pixels.pop(path, None)  # the next tiles are of other files
        return planes

    def _checked(self, window: Window | None, pixels: NDArray[Any], path: Path) -> Window | None:
        height, width = pixels.shape[:2]
        if window and (window.x + window.width > width or window.y + window.height > height):
            what = f"{width} x {height} px, smaller than the record's other image"
            raise InputError(path, what, "tiles need both of one size")
        return window

    def _lookup(self, one: Wanted) -> NDArray[np.float16] | None:
        return self.cache.get(self._key(one)) if self.cache else None

    def _path(self, one: Wanted) -> Path:
        record = one.item.record
        path = record.rgb if one.modality == RGB else record.normals
        if path is None:
            raise InputError(record.name, f"has no {one.modality}")
        return path

    def _key(self, one: Wanted) -> str:
        path, window = self._path(one), one.item.window
        if path not in self._digests:  # once a run: an image is digested whole
            self._digests[path] = content_digest(path)
        convention = str(one.item.record.convention)
        parts = (one.modality, self.preprocess.key, self.encoder.facts.key, convention)
        place = (window.text,) if window else ()
        return feature_key(self._digests[path], *parts, *place)


class _Group(NamedTuple):
    """Images that pass the encoder together; ``planes`` are those of the missing ones."""

    wanted: list[Wanted]
    found: list[NDArray[np.float16] | None]
    missing: list[int]
    planes: list[Planes]
