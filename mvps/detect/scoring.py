"""Scores and anomaly maps of records, one after another, decoded ahead and in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, groupby, islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mvps.datasets.record import Record
from mvps.detect.anomaly_map import SIGMA, TOP_SHARE, anomaly_maps, image_scores
from mvps.detect.detector import Detector, Scores
from mvps.detect.features import Features, FeatureSource, Item
from mvps.detect.place_scores import PlaceScores, place_scores
from mvps.detect.tiling import Blend
from mvps.errors import MvpsError

BATCH = 8

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Scored:
    """A record with its score.

    Attributes
    ----------
    record : what was scored
    score : of the image, higher where it is less normal
    map : (H, W) float32, finite; of the side of the encoder's image, or of the file where images
        are cut into tiles
    """

    record: Record
    score: float
    map: Map


def score_source(
    detector: Detector,
    source: FeatureSource,
    *,
    batch: int = BATCH,
    sigma: float = SIGMA,
    places: PlaceScores | None = None,
) -> Iterator[Scored]:
    """Score the records of a source in their order.

    The image score is the detector's own (of tiles: the highest), or the mean of the highest 1% of
    the map. Tiles of different records share no batch, and neither do records over a multiple of
    ``batch``, so that a run that goes on after an interruption gives the same bits.

    With ``places``, maps are in deviations of sound images at each place, in the modality where
    they are most, and image scores are read from them alone.

    Parameters
    ----------
    detector : fitted
    source : of what the detector reads
    batch : images or tiles at once
    sigma : of the smoothing, in px of the encoder's image
    places : what sound images score, by view and place

    Raises
    ------
    InputError, ImageError
        An image cannot be used, or is of a view that ``places`` does not know.
    MvpsError
        A map is not finite.
    """
    read = _Reader(detector, source, sigma, places)
    if source.preprocess.tile:
        yield from _score_tiles(read, batch)
        return
    for start, features in zip(count(0, batch), source.batches(batch)):
        items = source.items[start : start + batch]
        found = read(features, items)
        images = image_scores(found.maps) if found.images is None else found.images
        for item, values, score in zip(
            items, found.maps.cpu().numpy(), images.tolist(), strict=True
        ):
            yield _checked(Scored(item.record, score, values))


def place_moments(
    detector: Detector,
    source: FeatureSource,
    *,
    batch: int = BATCH,
    progress: Callable[[int], None] = lambda _: None,
) -> PlaceScores:
    """What the sound images of a source score at each place; see :func:`place_scores`."""

    def scored() -> Iterator[tuple[Item, Any]]:
        items = iter(source.items)
        for features in source.batches(batch):
            parts = _by_modality(detector.score(features))
            yield from zip(islice(items, len(parts)), parts, strict=True)
            progress(len(parts))

    return place_scores(scored())


class _Found(NamedTuple):
    """Torch tensors of a batch: maps (B, S, S) and, where the detector has its own, scores (B,)."""

    maps: Any
    images: Any | None


@dataclass(frozen=True)
class _Reader:
    """From features of a batch to its maps and scores."""

    detector: Detector
    source: FeatureSource
    sigma: float
    places: PlaceScores | None

    def __call__(self, features: Features, items: Sequence[Item]) -> _Found:
        found = self.detector.score(features)
        images = found.images if self.places is None else None
        tokens = found.tokens.detach().float()
        if self.places is not None:
            tokens = self.places.standing(_by_modality(found), items)
        size = self.source.preprocess.crop
        return _Found(anomaly_maps(tokens, self.source.grid, size, self.sigma), images)


def _by_modality(found: Scores) -> Any:
    """Token scores (B, M, N); of one modality where they are not told apart."""
    tokens = found.tokens[:, None] if found.modalities is None else found.modalities
    return tokens.detach().float()


def _score_tiles(read: _Reader, batch: int) -> Iterator[Scored]:
    source = read.source
    parts = _tile_parts(source, batch)
    coming = source.parts([part for of_record in parts for part in of_record], whole=True)
    for record, of_record in zip(source.records, parts, strict=True):
        whole = Blend(source.preprocess.tiling(record))
        own: list[float] = []
        for part in of_record:
            items = [source.items[i] for i in part]
            found = read(next(coming), items)
            own += [] if found.images is None else found.images.tolist()
            for item, values in zip(items, found.maps.cpu().numpy(), strict=True):
                _add(whole, item, values)
        blended = whole.finish()
        yield _checked(Scored(record, max(own) if own else top_mean(blended), blended))


def _add(whole: Blend, item: Item, values: Map) -> None:
    """Add the map of a tile, brought to the pixels of the file."""
    import cv2

    assert item.window is not None
    size = (item.window.width, item.window.height)
    whole.add(item.window, cv2.resize(values, size, interpolation=cv2.INTER_LINEAR))


def _tile_parts(source: FeatureSource, batch: int) -> list[list[list[int]]]:
    """Indices of the tiles, by record and batch."""

    def record_of(pair: tuple[int, Item]) -> str:
        return pair[1].record.name

    parts = []
    for _, pairs in groupby(enumerate(source.items), record_of):
        indices = [i for i, _ in pairs]
        parts.append([indices[at : at + batch] for at in range(0, len(indices), batch)])
    return parts


def top_mean(values: Map, share: float = TOP_SHARE) -> float:
    """Mean of the highest ``share`` of the pixels of a map, at least one of them."""
    flat = values.reshape(-1)
    count = max(round(share * flat.size), 1)
    return float(np.partition(flat, flat.size - count)[-count:].mean(dtype=np.float64))


def _checked(scored: Scored) -> Scored:
    if not (np.isfinite(scored.score) and np.isfinite(scored.map).all()):
        name = scored.record.name
        raise MvpsError(f"{name}: its anomaly map is not finite; check the run and the image")
    return scored
