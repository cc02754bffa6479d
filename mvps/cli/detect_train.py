"""``mvps detect train``: from a data set to a trained run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvps.cli.dataset_options import (
    Category,
    Images,
    Labels,
    Layout,
    Lists,
    Pattern,
    read_options,
)
from mvps.cli.normals import named_path
from mvps.errors import InputError

if TYPE_CHECKING:
    from mvps.datasets import Dataset
    from mvps.detect.cache import FeatureCache
    from mvps.detect.run_folder import Run
    from mvps.detect.run_plan import Plan
    from mvps.detect.run_settings import RunSettings

_HELP = """Train a detector on the sound training images of the data set in DATA, into the folder
RUN: one for all categories, or one for each. Images pass the frozen encoder once; their features
are kept in a cache that further trainings share. Sound images that are held out choose the best
state, end the training early, and give the thresholds.

The same command goes on after an interruption and ends in the same model. Several processes under
torchrun share each batch.

[bold]Examples[/bold]

  mvps detect train set run

  mvps detect train set run --plan

  mvps detect train set run --encoder vit_small_patch14_dinov2.lvd142m --size 224 --steps 1000

  mvps detect train set run-rgb --fusion rgb --category jst_eh --shots 8

  torchrun --nproc-per-node 4 -m mvps detect train set run

Exit codes: 0 trained, 1 the disk is full, 2 your input, 130 interrupted (run it again).
"""
_DATA, _WHAT, _HOW, _WHERE = "Data", "Detector", "Training", "Running"


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("train", help=_HELP, short_help="Train a detector.")(train)


def blocks_of(text: str) -> tuple[int, ...]:
    """Blocks of an encoder, parted by commas."""
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError:
        raise InputError("--layers", f"{text!r} is no list of blocks", "e.g. 2,3,4,5") from None


def _option(help: str, panel: str, name: str | None = None, **more: Any) -> Any:
    return typer.Option(*([name] if name else []), help=help, rich_help_panel=panel, **more)


def train(
    context: typer.Context,
    data: Annotated[
        Path, typer.Argument(help="Folder of the data set.", parser=named_path, metavar="DATA")
    ],
    folder: Annotated[
        Path, typer.Argument(help="Folder of the run.", parser=named_path, metavar="RUN")
    ],
    layout: Layout = None,
    category: Category = None,
    pattern: Pattern = None,
    lists: Lists = "",
    images: Images = "",
    labels: Labels = None,
    per_category: Annotated[
        bool, _option("A model for each category.", _DATA, "--per-category")
    ] = False,
    shots: Annotated[int, _option("Samples a category to use; 0: all.", _DATA)] = 0,
    hold_out: Annotated[float, _option("Share of sound samples held out.", _DATA)] = 0.1,
    detector: Annotated[str, _option("cprn or patchcore.", _WHAT)] = "cprn",
    by_place: Annotated[
        bool,
        _option(
            "Scores in deviations of sound parts at the same place, for parts that lie alike.",
            _WHAT,
            "--by-place",
        ),
    ] = False,
    preset: Annotated[str, _option("default, or paper: to its letter.", _WHAT)] = "default",
    encoder: Annotated[
        str | None, _option("Imported weights or a timm ViT; by default ViT-B/14, DINOv2.", _WHAT)
    ] = None,
    layers: Annotated[str | None, _option("Blocks to read; by default 2 to 9.", _WHAT)] = None,
    size: Annotated[int, _option("Side in px of the encoder's image.", _WHAT)] = 392,
    crop: Annotated[bool, _option("Keep the centre, or all.", _WHAT, "--crop/--no-crop")] = True,
    tile: Annotated[int, _option("Cut images into tiles of so many px.", _WHAT)] = 0,
    overlap: Annotated[int | None, _option("Of tiles, in px; a quarter by default.", _WHAT)] = None,
    fusion: Annotated[str | None, _option("ucp (default), concat, rgb or nv.", _WHAT)] = None,
    reconstruct: Annotated[str | None, _option("both (default) or rgb.", _WHAT)] = None,
    prototypes: Annotated[int | None, _option("M of the paper; 6 by default.", _WHAT)] = None,
    lambda_p: Annotated[
        float | None, _option("Weight of L_p; 0.01 by default.", _WHAT, "--lambda-p")
    ] = None,
    steps: Annotated[int, _option("At most.", _HOW)] = 5000,
    epochs: Annotated[int, _option("At most.", _HOW)] = 200,
    batch: Annotated[int, _option("Images a step.", _HOW)] = 16,
    rate: Annotated[float, _option("Learning rate.", _HOW)] = 1e-3,
    seed: Annotated[int, _option("Of all that is drawn.", _HOW)] = 0,
    precision: Annotated[str, _option("auto, 32, bf16 or 16.", _HOW)] = "auto",
    compile: Annotated[bool, _option("Through torch.compile.", _HOW, "--compile")] = False,
    device: Annotated[str, _option("auto, cpu, cuda or cuda:N.", _WHERE)] = "auto",
    cache: Annotated[bool, _option("Keep features.", _WHERE, "--cache/--no-cache")] = True,
    cache_budget: Annotated[str, _option("Of all kept features.", _WHERE)] = "50GiB",
    tensorboard: Annotated[
        bool | None,
        _option(
            "Log for it; by default where it is installed.",
            _WHERE,
            "--tensorboard/--no-tensorboard",
        ),
    ] = None,
    mlflow: Annotated[bool, _option("Log to MLflow too.", _WHERE, "--mlflow")] = False,
    overwrite: Annotated[bool, _option("Begin anew.", _WHERE, "--overwrite")] = False,
    plan: Annotated[bool, _option("Only say what would be done.", _WHERE, "--plan")] = False,
    json: Annotated[bool, _option("One JSON document on stdout.", _WHERE, "--json")] = False,
) -> None:
    """Read, plan, train, print."""
    from mvps.datasets import read_dataset
    from mvps.detect.run_train import plan_training

    words = context.params
    settings = _settings(words)
    kept = _cache(cache_budget) if cache else None
    options = read_options(category, pattern, lists, images, labels)
    found = read_dataset(data, layout, options)
    if plan:
        _show(plan_training(found, settings, folder, cache=kept, device=device), json)
        return
    run = _train(found, settings, folder, kept, words)
    if _is_first():
        _finish(run, json)


def _settings(words: Mapping[str, Any]) -> RunSettings:
    """Settings of a run from the words of the command, on top of its preset."""
    from mvps.detect.encoder import DEFAULT_ENCODER, DEFAULT_LAYERS
    from mvps.detect.recipe import Recipe
    from mvps.detect.run_settings import RunSettings, preset

    stated = dict(preset(words["preset"]))
    options = dict(stated.pop("options", {})) if words["detector"] == "cprn" else {}
    for option, name in (("prototypes", "prototypes"), ("lambda_p", "entropy_weight")):
        if words[option] is not None:
            options[name] = words[option]
    stated |= {n: words[n] for n in ("fusion", "reconstruct") if words[n] is not None}
    size, tile, overlap = words["size"], words["tile"], words["overlap"]
    whole = bool(tile) or not words["crop"]
    return RunSettings(
        encoder=words["encoder"] or DEFAULT_ENCODER,
        layers=blocks_of(words["layers"]) if words["layers"] else DEFAULT_LAYERS,
        resize=size if whole else round(size * 448 / 392),
        crop=size,
        overlap=(tile // 4 if overlap is None else overlap) if tile else 0,
        options=options,
        recipe=Recipe(batch=words["batch"], rate=words["rate"], last_rate=words["rate"] / 10),
        categories=tuple(words["category"] or ()),
        **{n: words[n] for n in _AS_GIVEN},
        **stated,
    )


_AS_GIVEN = (
    "detector",
    "tile",
    "steps",
    "epochs",
    "seed",
    "shots",
    "hold_out",
    "per_category",
    "by_place",
    "precision",
    "compile",
)


def _cache(budget: str) -> FeatureCache:
    from mvps.cli.detect_cache import size_of
    from mvps.detect.cache import FeatureCache, default_folder

    return FeatureCache(default_folder(), size_of(budget))


def _is_first() -> bool:
    """Of several processes under torchrun, the one that speaks."""
    return os.environ.get("RANK", "0") == "0"


def _train(
    found: Dataset,
    settings: RunSettings,
    folder: Path,
    cache: FeatureCache | None,
    words: Mapping[str, Any],
) -> Run:
    from mvps import console
    from mvps.cli.train_progress import TrainProgress
    from mvps.detect.run_train import Event, train_run

    with TrainProgress() as bar:

        def watch(event: Event) -> None:
            if event.plan is not None and _is_first():
                for line in _lines(event.plan):
                    console.say(line)
            elif _is_first():
                bar.show(event)

        return train_run(
            found,
            settings,
            folder,
            cache=cache,
            device=words["device"],
            overwrite=words["overwrite"],
            watch=watch,
            tensorboard=words["tensorboard"],
            mlflow=words["mlflow"],
        )


def _show(plan: Plan, json: bool) -> None:
    from mvps import console

    if json:
        console.print_json(plan.to_json())
        return
    for line in _lines(plan):
        console.stdout().print(line, soft_wrap=True, highlight=False)


def _lines(plan: Plan) -> list[str]:
    """What a training would do, in words."""
    learn = sum(len(model.learn) for model in plan.models)
    held = sum(len(model.held) for model in plan.models)
    steps = sum(model.steps for model in plan.models)
    noun = "model" if len(plan.models) == 1 else "models"
    lines = [
        f"{len(plan.models)} {noun}, {learn:,} images to learn from, {held:,} held out"
        + (f", at most {steps:,} steps" if steps else ""),
        f"features: {plan.feature_bytes / 1e9:,.2f} GB for {plan.inputs:,} inputs, "
        f"{plan.cached:,} of them in the cache; room for {plan.room / 1e9:,.1f} GB",
    ]
    if plan.past_budget:
        lines.append(f"{plan.past_budget:,} inputs find no room: encoded again each epoch")
    lines.append(f"models and checkpoints take up to {plan.disk_bytes / 1e6:,.0f} MB")
    return lines


def _finish(run: Run, json: bool) -> None:
    from mvps import console
    from mvps.detect.run_folder import RUN

    stated = {
        name: {
            "figures": {k: v for k, v in model.figures.items() if k != "losses"},
            "thresholds": {
                category: {unit: one.value for unit, one in units.items()}
                for category, units in model.thresholds.items()
            },
        }
        for name, model in run.models.items()
    }
    if json:
        console.print_json({"run": str(run.folder), "digest": run.digest, "models": stated})
        return
    for name, model in stated.items():
        figures = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in model["figures"].items())
        console.stdout().print(f"{name}: {figures}", soft_wrap=True, highlight=False)
    console.stdout().print(str(run.folder / RUN), soft_wrap=True, highlight=False)
