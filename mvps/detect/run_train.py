"""From a data set to the folder of a run: plan, features, fit, thresholds.

The same command after a kill goes on where it was and ends in the same bytes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvps.datasets import Dataset, Record
from mvps.detect.cache import FeatureCache
from mvps.detect.detector import Budget, Detector
from mvps.detect.encoder import Encoder, load_encoder
from mvps.detect.features import FeatureSource
from mvps.detect.run_folder import (
    ALL,
    LOGS,
    MODELS,
    RUN,
    ModelFacts,
    Run,
    identity,
    model_path,
    read_started,
    write_model,
    write_places,
    write_run,
)
from mvps.detect.run_logs import RunLogs, check_logs
from mvps.detect.run_plan import ModelPlan, Plan, data_facts, plan_run
from mvps.detect.run_settings import RunSettings, build_detector
from mvps.detect.torch_door import pick_device
from mvps.errors import InputError
from mvps.metrics import Threshold, quantile_threshold, sample_scores

if TYPE_CHECKING:
    from mvps.detect.place_scores import PlaceScores

CHECKPOINTS, LONGEST = 10, 100  # of a training, and steps between two; each is 4 times the model


@dataclass(frozen=True)
class Event:
    """What a training has just done.

    Attributes
    ----------
    stage : "plan", "encode" (inputs), "fit" (steps, or images of a detector without), "look"
        (figures on the held-out normals), "place" (images learnt from) or "score" (held-out ones)
    model : name of the model; "" before the first
    done, total : of the stage
    plan : with the stage "plan"
    figures : with the stage "look"
    """

    stage: str
    model: str = ""
    done: int = 0
    total: int = 0
    plan: Plan | None = None
    figures: Mapping[str, float] = field(default_factory=dict)


Watch = Callable[[Event], None]


@dataclass(frozen=True)
class _Work:
    """What every model of a run is made with."""

    encoder: Encoder
    cache: FeatureCache | None
    device: str
    watch: Watch
    tensorboard: bool | None
    mlflow: bool

    def source(self, settings: RunSettings, records: tuple[Record, ...]) -> FeatureSource:
        """Features of records."""
        return FeatureSource(
            records, settings.modalities, self.encoder, settings.preprocess, self.cache
        )


def train_run(
    dataset: Dataset,
    settings: RunSettings,
    folder: Path,
    *,
    cache: FeatureCache | None,
    device: str = "auto",
    overwrite: bool = False,
    watch: Watch = lambda _: None,
    tensorboard: bool | None = False,
    mlflow: bool = False,
) -> Run:
    """Train a detector, or one a category, into a folder.

    Under torchrun every process calls this; the first of them alone writes.

    Parameters
    ----------
    dataset : its sound training images are used
    folder : of the run; one that a training of the same settings and data left is gone on with
    cache : of features; None encodes every time
    device : auto, cpu, cuda or cuda:N
    overwrite : begin anew whatever run the folder holds
    watch : told what is being done
    tensorboard : write event files under ``logs``; None where TensorBoard is installed
    mlflow : log to MLflow too

    Raises
    ------
    InputError
        The data cannot train this detector, or the folder holds another run or other files.
    DeviceError, MissingExtraError, DiskFullError
        No such device; something is not installed; the disk cannot take the models.
    """
    check_logs(tensorboard, mlflow)
    encoder, settings, place = _prepared(settings, device)
    plan = plan_run(dataset, settings, encoder, folder, cache)
    data = data_facts(dataset, settings, plan.models)
    run = _begun(Run(folder, settings, encoder.facts, data), place, overwrite)
    watch(Event("plan", plan=plan))
    work = _Work(encoder, cache, place, watch, tensorboard, mlflow)
    _warm(work, plan, settings)
    for model in plan.models:
        if model.name not in run.models:
            facts = _fit_model(run, model, work)
            run = replace(run, models={**run.models, model.name: facts})
            if _is_first():
                write_run(run)
    _drop_checkpoints(run)
    return run


def plan_training(
    dataset: Dataset,
    settings: RunSettings,
    folder: Path,
    *,
    cache: FeatureCache | None,
    device: str = "auto",
) -> Plan:
    """What :func:`train_run` would do; writes nothing."""
    encoder, settings, _ = _prepared(settings, device)
    return plan_run(dataset, settings, encoder, folder, cache)


def _prepared(settings: RunSettings, device: str) -> tuple[Encoder, RunSettings, str]:
    """Encoder, settings with the precision that is used, and the device of this process."""
    from mvps.detect.workers import join, native_precision

    place = pick_device(device)
    if place.startswith("cuda") and "LOCAL_RANK" in os.environ:
        place = f"cuda:{os.environ['LOCAL_RANK']}"
    if settings.precision == "auto":
        settings = replace(settings, precision=native_precision(place))
    join(place, settings.precision)
    encoder = load_encoder(
        settings.encoder, size=settings.crop, layers=settings.layers, device=place
    )
    return encoder, settings, place


def _is_first() -> bool:
    return os.environ.get("RANK", "0") == "0"


def _begun(run: Run, device: str, overwrite: bool) -> Run:
    """The run as its folder holds it, or a new one."""
    from mvps.detect.workers import join

    workers = join(device, run.settings.precision)
    if workers.rank:
        workers.wait()  # until the first process has begun it
        return _resumed(run)
    run = _begun_by_first(run, overwrite)
    workers.wait()
    return run


def _begun_by_first(run: Run, overwrite: bool) -> Run:
    folder = run.folder
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "is not a folder", "name another one for the run")
    if not (folder / RUN).is_file():
        if folder.is_dir() and any(folder.iterdir()):
            raise InputError(folder, "holds files, and no run", "name a new folder")
    elif not overwrite:
        return _resumed(run)
    else:
        shutil.rmtree(folder / MODELS, ignore_errors=True)
        shutil.rmtree(folder / LOGS, ignore_errors=True)
    write_run(run)
    return run


def _resumed(run: Run) -> Run:
    stored = read_started(run.folder)
    wanted, held = identity(run), identity(stored)
    for part in ("settings", "encoder", "data"):
        if wanted[part] != held[part]:
            names = sorted(n for n, value in wanted[part].items() if held[part].get(n) != value)
            raise InputError(
                run.folder,
                f"holds a run of other {part} ({', '.join(names)})",
                "name another folder, or --overwrite",
            )
    return replace(run, models=stored.models)


def _warm(work: _Work, plan: Plan, settings: RunSettings) -> None:
    """Bring all features to the cache, the models' images shared by the processes."""
    from mvps.detect.workers import join

    if work.cache is None:
        return
    workers = join(work.device, settings.precision)
    done = 0

    def count(inputs: int) -> None:
        nonlocal done
        done += inputs
        work.watch(Event("encode", done=done, total=plan.inputs))

    for model in plan.models:
        for records in (model.learn, model.held):
            work.source(settings, records[workers.rank :: workers.count]).warm(count)
    workers.wait()


def _fit_model(run: Run, model: ModelPlan, work: _Work) -> ModelFacts:
    settings, folder = run.settings, model_path(run.folder, model.name).parent
    detector = build_detector(settings, run.encoder_facts)
    learn = work.source(settings, model.learn)
    held = work.source(settings, model.held) if model.held else None
    total, done = model.steps or len(learn), 0
    logs = RunLogs(run.folder / LOGS / model.name, model.name, work.tensorboard, work.mlflow)

    def progress(count: int) -> None:
        nonlocal done
        done += count
        work.watch(Event("fit", model.name, done, total))

    def log(figures: Mapping[str, float]) -> None:
        if _is_first():
            logs(figures)
        work.watch(Event("look", model.name, done, total, figures=figures))

    between = min(max(model.steps // CHECKPOINTS, 1), LONGEST)
    try:
        figures = detector.fit(
            learn,
            held,
            seed=settings.seed,
            device=work.device,
            budget=Budget(model.steps, folder, between, progress, log),
        )
    finally:
        logs.close()
    digest = write_model(run, model.name, detector) if _is_first() else ""
    places = _places(run, detector, learn, model, work) if settings.by_place else None
    thresholds = _thresholds(detector, held, places, model, work) if held is not None else {}
    return ModelFacts(figures, thresholds, digest)


def _places(
    run: Run, detector: Detector, learn: FeatureSource, model: ModelPlan, work: _Work
) -> PlaceScores:
    """What the images learnt from score, kept beside the model."""
    from mvps.detect.scoring import place_moments

    done = 0

    def progress(items: int) -> None:
        nonlocal done
        done += items
        work.watch(Event("place", model.name, done, len(learn)))

    places = place_moments(detector, learn, progress=progress)
    if _is_first():
        write_places(run, model.name, places)
    return places


def _thresholds(
    detector: Detector,
    held: FeatureSource,
    places: PlaceScores | None,
    model: ModelPlan,
    work: _Work,
) -> dict[str, dict[str, Threshold]]:
    """Quantiles of the held-out images, of each category and of all."""
    from mvps.detect.scoring import score_source

    scored: list[tuple[Record, float]] = []
    for one in score_source(detector, held, places=places):
        scored.append((one.record, one.score))
        work.watch(Event("score", model.name, len(scored), len(model.held)))
    names = [ALL, *dict.fromkeys(record.category for record, _ in scored)]
    return {name: _units([s for s in scored if name in {ALL, s[0].category}]) for name in names}


def _units(scored: list[tuple[Record, float]]) -> dict[str, Threshold]:
    scores: Any = [score for _, score in scored]
    samples = [f"{record.category}/{record.sample}" for record, _ in scored]
    _, whole, _ = sample_scores(scores, [0] * len(scored), samples)
    return {"view": quantile_threshold(scores), "sample": quantile_threshold(whole)}


def _drop_checkpoints(run: Run) -> None:
    """What only a training that is not finished needs."""
    from mvps.detect.training import CHECKPOINT

    if _is_first():
        for name in run.model_names:
            (model_path(run.folder, name).parent / CHECKPOINT).unlink(missing_ok=True)
