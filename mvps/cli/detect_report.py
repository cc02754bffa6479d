"""``mvps detect report``: a page about a trained detector and what it scored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvps.cli.normals import named_path

_HELP = """Write RUN/report/index.html, one page about a detector that opens without a network.

The page shows tables for each category, kind of defect and view, ROC and PRO curves, scores with
their threshold, and contact sheets: colour, normals, mask and anomaly map of the surest and the
weakest detections, of false alarms and of every kind of defect. Beside it lie the tables as CSV,
Markdown and LaTeX, the points of the curves as CSV, and the contact sheets as PNG.

Categories of the Real-IAD-MVN paper also stand beside its tables 2 and 3, as published.

[bold]Examples[/bold]

  mvps detect report run

  mvps detect report run --scores run/scores/set --out page

Exit codes: 0 written, 1 files of some images cannot be read, 2 your input.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("report", help=_HELP, short_help="A page about a detector.")(report)


def report(
    run: Annotated[
        Path,
        typer.Argument(
            help="What mvps detect train wrote.",
            show_default=False,
            parser=named_path,
            metavar="RUN",
        ),
    ],
    scores: Annotated[
        Path | None,
        typer.Option(help="Folder of scores. [the newest of RUN/scores]", parser=named_path),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The scored data set, if it has been moved.", parser=named_path),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write. [RUN/report]", parser=named_path)
    ] = None,
    curve_points: Annotated[
        int, typer.Option(help="Points of each curve in curves/; 0 for all.", min=0)
    ] = 1000,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Write the page and print where it is."""
    from mvps import console
    from mvps.cli.synth_progress import TaskProgress
    from mvps.detect.run_folder import read_run
    from mvps.report.detect_collect import find_scores, read_study
    from mvps.report.detect_figures import figure_tables
    from mvps.report.detect_write import write_detect_report

    known = read_run(run)
    scored = find_scores(known, scores)
    study = read_study(known, scored, data)
    folder = out or run / "report"
    with TaskProgress(len(study.categories()), "categories") as progress:
        written = write_detect_report(
            study,
            figure_tables(scored.facts),
            folder,
            curve_points=curve_points,
            progress=progress.advance,
        )
    for warning in (*written.warnings, *written.faults):
        console.warn(warning)
    if json:
        counts = {"tables": written.tables, "sheets": written.sheets, "faults": written.faults}
        console.print_json({"report": str(written.path), **counts})
    else:
        console.say(f"{written.tables} tables, {written.sheets} contact sheets")
        console.stdout().print(str(written.path), markup=False, soft_wrap=True)
    raise typer.Exit(int(bool(written.faults)))
