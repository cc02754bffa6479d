"""What a training would do and need, known and refused before any work."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mvps.datasets import RGB, Dataset, Record, hold_out, select_shots
from mvps.detect.cache import FeatureCache
from mvps.detect.encoder import Encoder
from mvps.detect.features import FeatureSource, Item
from mvps.detect.run_folder import ALL, digest_of
from mvps.detect.run_settings import RunSettings, build_detector
from mvps.errors import DiskFullError, InputError

COPIES = 5  # of the weights at once: model, best, two slots of the optimiser, one being written


@dataclass(frozen=True)
class ModelPlan:
    """One model of a run.

    Attributes
    ----------
    name : :data:`~mvps.detect.run_folder.ALL` or the category
    learn, held : images to learn from and held out
    steps : optimiser steps at most; 0 where nothing is descended
    """

    name: str
    learn: tuple[Record, ...]
    held: tuple[Record, ...]
    steps: int


@dataclass(frozen=True)
class Plan:
    """What a training would do.

    Attributes
    ----------
    models : in the order in which they are fitted
    inputs : images and normal maps to encode
    cached : of those, how many the cache holds
    feature_bytes : of all their features
    room : bytes that the cache may still take; 0 without one
    past_budget : inputs that have to be encoded again each epoch
    disk_bytes : that the run's folder takes at most
    """

    models: tuple[ModelPlan, ...]
    inputs: int
    cached: int
    feature_bytes: int
    room: int
    past_budget: int
    disk_bytes: int

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it, with counts for records."""
        models = [
            {"name": m.name, "learn": len(m.learn), "held_out": len(m.held), "steps": m.steps}
            for m in self.models
        ]
        return asdict(self) | {"models": models}


def split_training(
    dataset: Dataset, settings: RunSettings
) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    """Sound training images to learn from, and held-out ones.

    The held-out ones of a training on few shots are among those shots: it sees no other image.

    Raises
    ------
    InputError
        An unknown category, no sound image for training, or one without a modality it needs.
    """
    wanted = set(settings.categories or dataset.categories)
    for name in wanted - set(dataset.categories):
        known = ", ".join(dataset.categories)
        raise InputError("--category", f"{name!r} is not in {dataset.root}", f"it has {known}")
    records: Sequence[Record] = [
        r for r in dataset.records if r.split == "train" and not r.label and r.category in wanted
    ]
    for name in sorted(wanted - {r.category for r in records}):
        raise InputError(dataset.root, f"{name} has no sound image for training")
    for modality in settings.modalities:
        lacking = [r.name for r in records if (r.rgb if modality == RGB else r.normals) is None]
        if lacking:
            what = "colour image" if modality == RGB else "normal map"
            other = "nv" if modality == RGB else "rgb"
            raise InputError(
                dataset.root,
                f"{len(lacking)} of {len(records)} training images have no {what}, as {lacking[0]}",
                f"train on the other modality: --fusion {other}",
            )
    if settings.shots:
        records = select_shots(records, settings.shots, settings.seed)
    return hold_out(records, settings.hold_out, settings.seed)


def plan_models(dataset: Dataset, settings: RunSettings) -> tuple[ModelPlan, ...]:
    """Models of a run and what each learns from; see :func:`split_training`."""
    learn, held = split_training(dataset, settings)
    if settings.by_place:
        from mvps.detect.place_scores import check_counts, view_of

        check_counts(Counter(view_of(Item(record)) for record in learn))
    names = tuple(dict.fromkeys(r.category for r in learn)) if settings.per_category else (ALL,)
    models = []
    for name in names:
        own = tuple(r for r in learn if name in {ALL, r.category})
        away = tuple(r for r in held if name in {ALL, r.category})
        models.append(ModelPlan(name, own, away, settings.steps_for(len(own))))
    return tuple(models)


def plan_run(
    dataset: Dataset,
    settings: RunSettings,
    encoder: Encoder,
    folder: Path,
    cache: FeatureCache | None,
) -> Plan:
    """What a run would do and need.

    Raises
    ------
    InputError
        As :func:`split_training`, or an option of the detector has a value that is none.
    DiskFullError
        The disk cannot take the models and checkpoints.
    """
    models = plan_models(dataset, settings)
    records = [r for model in models for r in (*model.learn, *model.held)]
    source = FeatureSource(records, settings.modalities, encoder, settings.preprocess, cache)
    inputs, needed = len(source) * len(source.modalities), source.bytes_needed
    cached, room = (inputs - source.missing(), cache.room()) if cache else (0, 0)
    one = max(needed // max(inputs, 1), 1)
    disk = _disk_bytes(settings, encoder, len(models))
    _refuse_full_disk(folder, disk)
    past = max(inputs - cached - room // one, 0) if cache else inputs
    return Plan(models, inputs, cached, needed, room, past, disk)


def data_facts(
    dataset: Dataset, settings: RunSettings, models: Sequence[ModelPlan]
) -> Mapping[str, Any]:
    """What ``run.json`` says of the data, with a digest of which images are used."""
    learn = [r for model in models for r in model.learn]
    held = [r for model in models for r in model.held]
    counts = {
        category: {
            "learn": sum(r.category == category for r in learn),
            "held_out": sum(r.category == category for r in held),
        }
        for category in dict.fromkeys(r.category for r in learn)
    }
    used = [[r.name for r in learn], [r.name for r in held]]
    return {
        "root": str(dataset.root.resolve()),
        "layout": dataset.layout,
        "categories": counts,
        "digest": digest_of(used),
    }


def _disk_bytes(settings: RunSettings, encoder: Encoder, models: int) -> int:
    """Bytes of all models, and of the checkpoints of the one in training."""
    tensors = build_detector(settings, encoder.facts).tensors().values()
    weights = int(sum(t.numel() * t.element_size() for t in tensors))
    if settings.detector == "patchcore":
        width = encoder.facts.dim * len(settings.modalities)
        weights = int(settings.options.get("most", 10_000)) * width * 4
    return weights * (models + COPIES)


def _refuse_full_disk(folder: Path, needed: int) -> None:
    place = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise DiskFullError(
            f"{folder}: models and checkpoints take up to {needed / 1e6:,.0f} MB, and the disk has "
            f"{free / 1e6:,.0f} MB; free some, or train fewer categories at once"
        )
