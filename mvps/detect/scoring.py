"""Scores and anomaly maps of records, one after another, decoded ahead and in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mvps.datasets.record import Record
from mvps.detect.anomaly_map import SIGMA, TOP_SHARE, anomaly_maps, image_scores
from mvps.detect.detector import Detector
from mvps.detect.features import Features, FeatureSource, Item
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
    detector: Detector, source: FeatureSource, *, batch: int = BATCH, sigma: float = SIGMA
) -> Iterator[Scored]:
    """Score the records of a source in their order.

    The image score is the detector's own (of tiles: the highest), or the mean of the highest 1% of
    the map. Tiles of different records share no batch, and neither do records over a multiple of
    ``batch``, so that a run that goes on after an interruption gives the same bits.

    Parameters
    ----------
    detector : fitted
    source : of what the detector reads
    batch : images or tiles at once
    sigma : of the smoothing, in px of the encoder's image

    Raises
    ------
    InputError, ImageError
        An image cannot be used.
    MvpsError
        A map is not finite.
    """
    if source.preprocess.tile:
        yield from _score_tiles(detector, source, batch, sigma)
        return
    records = iter(source.records)
    for features in source.batches(batch):
        found = _scores(detector, features, source, sigma)
        images = image_scores(found.maps) if found.images is None else found.images
        for values, score in zip(found.maps.cpu().numpy(), images.tolist(), strict=True):
            yield _checked(Scored(next(records), score, values))


class _Found(NamedTuple):
    """Torch tensors of a batch: maps (B, S, S) and, where the detector has its own, scores (B,)."""

    maps: Any
    images: Any | None


def _scores(detector: Detector, features: Features, source: FeatureSource, sigma: float) -> _Found:
    found = detector.score(features)
    tokens = found.tokens.detach().float()
    return _Found(anomaly_maps(tokens, source.grid, source.preprocess.crop, sigma), found.images)


def _score_tiles(
    detector: Detector, source: FeatureSource, batch: int, sigma: float
) -> Iterator[Scored]:
    parts = _tile_parts(source, batch)
    coming = source.parts([part for of_record in parts for part in of_record], whole=True)
    for record, of_record in zip(source.records, parts, strict=True):
        whole = Blend(source.preprocess.tiling(record))
        own: list[float] = []
        for part in of_record:
            found = _scores(detector, next(coming), source, sigma)
            own += [] if found.images is None else found.images.tolist()
            for index, values in zip(part, found.maps.cpu().numpy(), strict=True):
                _add(whole, source.items[index], values)
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
