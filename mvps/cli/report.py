"""``mvps report``: a page to look through, made from what a run left behind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.report import ReportSummary

_HELP = """Write OUT/report.html, one page that opens in any browser without a network.

OUT is what mvps normals wrote, also while it is still running. The page shows pictures, figures,
warnings and times of every stack, and what failed; it replaces the page of an earlier time.

[bold]Example[/bold]

  mvps report out
"""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("report", help=_HELP, short_help="A page about a run.")(report)


def report(
    out: Annotated[
        Path,
        typer.Argument(
            help="What mvps normals wrote.", show_default=False, parser=named_path, metavar="OUT"
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Write the page and print where it is."""
    from mvps import console

    summary = write(out)
    if json:
        counts = {key: getattr(summary, key) for key in ("done", "failed", "incomplete")}
        console.print_json({"report": str(summary.path), **counts})
        return
    console.say(
        f"{summary.done:,} done, {summary.failed:,} failed, {summary.incomplete:,} incomplete"
    )
    console.stdout().print(str(summary.path), markup=False, soft_wrap=True)


def write(out: Path) -> ReportSummary:
    """Write the page, which names the options that differ from those of a plain run."""
    from mvps.pipeline.options import RunOptions
    from mvps.report import write_report

    return write_report(out, defaults=RunOptions().as_dict())


def after_run(out: Path) -> None:
    """Write the page of a run that has just ended; a page that fails does not fail the run."""
    from mvps import console
    from mvps.errors import MvpsError

    try:
        console.say(f"report: {write(out).path}")
    except MvpsError as error:
        console.warn(str(error))
