"""``mvps detect predict``: OK or NG for images that nobody has labelled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mvps.cli.detect_score import (
    Batch,
    Device,
    Json,
    Maps,
    MapTop,
    Overlays,
    Overwrite,
    RunFolder,
    scored,
)
from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.detect.score_folder import SampleRow

_HELP = """Judge images without labels with the trained run in RUN: files, folders, or what mvps
normals wrote, with a colour image beside each normal map where the run reads both.

Pairs are found by their names (a_rgb.png and a_normals.png, rgb/a.png and normals/a.png) or by
--pattern. Folders name sample and view, as S1/top; a sample is NG where the highest score of its
views passes the threshold of samples.

[bold]Examples[/bold]

  mvps detect predict run-rgb photo.png

  mvps detect predict run normals --overlays ng

  mvps detect predict run shots --pattern "{sample}_{view}_{modality}.png" --json --fail-on-ng

Exit codes: 0 judged, whatever the verdict, 1 the folder cannot be written, 2 your input, 3 NG with
--fail-on-ng, 130 interrupted (run it again).
"""
_NG_FOUND = 3


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("predict", help=_HELP, short_help="OK or NG for new images.")(predict)


def predict(
    folder: RunFolder,
    images: Annotated[
        list[Path], typer.Argument(help="Files or folders.", parser=named_path, metavar="IMAGES")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the scores. [RUN/predictions/IMAGES]", parser=named_path),
    ] = None,
    category: Annotated[str, typer.Option(help="Of all images.")] = "",
    pattern: Annotated[str, typer.Option(help="Of files below a folder.")] = "",
    threshold: Annotated[str, typer.Option(help="stored or a number.")] = "stored",
    maps: Maps = "f16",
    map_top: MapTop = None,
    overlays: Overlays = "ng",
    batch: Batch = 8,
    device: Device = "auto",
    overwrite: Overwrite = False,
    fail_on_ng: Annotated[
        bool, typer.Option("--fail-on-ng", help="End with 3 where a sample is NG.")
    ] = False,
    json: Json = False,
) -> None:
    """Find, score, print."""
    from mvps.cli.detect_score import show
    from mvps.datasets.unlabelled import Naming, read_unlabelled
    from mvps.detect.run_folder import read_run
    from mvps.detect.score_folder import NG
    from mvps.detect.score_run import ScoreSettings
    from mvps.detect.verdict import parse_rule

    rule = parse_rule(threshold)
    pictures = "none" if maps == "none" and overlays == "ng" else overlays
    settings = ScoreSettings(maps, pictures, rule, batch, device, labelled=False, map_top=map_top)
    run = read_run(folder)
    known = tuple(run.data["categories"])
    naming = Naming(known, category, pattern, run.settings.modalities)
    records = read_unlabelled(images, naming)
    place = out or folder / "predictions" / images[0].resolve().stem
    facts = {"images": [str(path.resolve()) for path in images]}
    result = scored(run, records, place, settings, None, overwrite=overwrite, data=facts)
    if not json:
        _print_samples(result.samples)
    show(result, json=json)
    if fail_on_ng and any(sample.verdict == NG for sample in result.samples):
        raise typer.Exit(_NG_FOUND)


def _print_samples(samples: tuple[SampleRow, ...]) -> None:
    from mvps import console

    for sample in samples:
        line = f"{sample.verdict}  {sample.score:.4g}  {sample.category}/{sample.sample}"
        console.stdout().print(line, soft_wrap=True, highlight=False)
