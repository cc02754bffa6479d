"""``mvps lights``: what the images say about the lights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.pipeline.lightcheck import LightReport

_HELP = """Ask the images whether the lights are in the right order, with the right signs.

The first stack under each set of lights is looked at: would another order, or flipped or exchanged
axes, explain its images better; and does any image lie beside the others. What no photograph can
tell: half a turn of all lights, which exchanges hills and hollows.

[bold]Examples[/bold]

  mvps lights check raw

  mvps lights check raw --lights lights/top.lp --all

Exit codes: 0 right or nothing to be said, 1 wrong lights or a shift, 2 your input.
"""

lights_app = typer.Typer(name="lights", help="Check the lights.", no_args_is_help=True)


@lights_app.callback()
def _group() -> None:
    """Check the lights."""


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    lights_app.command("check", help=_HELP, short_help="Are these the right lights?")(check)
    app.add_typer(lights_app)


def check(
    raw: Annotated[
        Path,
        typer.Argument(help="Folder with the captures.", show_default=False, parser=named_path),
    ],
    lights: Annotated[Path | None, typer.Option(help="Light file for every stack.")] = None,
    lights_convention: Annotated[
        str | None, typer.Option(help="Signs of the light file: opengl, directx or opencv.")
    ] = None,
    response: Annotated[
        str | None, typer.Option(help="Curve to undo: linear, srgb, gamma=2.2 or a file.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every stack, not only one a set of lights.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Plan, check and print one table; exit code 1 where something is wrong."""
    from mvps import console
    from mvps.capture import Fault, Overrides
    from mvps.pipeline.lightcheck import reports
    from mvps.pipeline.options import RunOptions
    from mvps.pipeline.plan import make_plan

    overrides = Overrides(lights=lights, convention=lights_convention, response=response)
    # Nothing is written: the folder for the maps only completes the plan.
    plan = make_plan(raw, raw / ".no-maps", overrides, RunOptions())
    unread: list[Fault] = []
    found = [report for _, report in reports(plan, every=every, passed_over=unread)]
    failures = (*plan.failures, *unread)
    for fault in failures:
        console.error(fault.message)
    if json:
        lines = [{"stack": fault.stack, "error": fault.message} for fault in failures]
        console.print_json({"stacks": [r.as_dict() for r in found], "failures": lines})
    elif found:
        console.stdout().print(_table(found))
    for report in found:
        if report.verdict.answer == "inconclusive":
            console.say(f"{report.title}: {report.verdict.words}")
        for finding in report.findings:
            console.warn(finding.message)
    if not found:
        raise typer.Exit(2)
    raise typer.Exit(1 if failures or any(report.findings for report in found) else 0)


def _table(found: list[LightReport]) -> Any:
    from rich.table import Table

    table = Table(title="Are these the right lights?", title_justify="left")
    for name in ("stack", "lights"):
        table.add_column(name, justify="left" if name == "stack" else "right")
    for name in ("residual", "curl", "largest shift"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    for report in found:
        given, verdict = report.verdict.given, report.verdict
        figures = (f"{given.residual:.3f}", f"{given.curl:.2f}") if given else ("-", "-")
        certain = [shift.length for shift in report.shifts if shift.certain]
        shift = f"{max(certain):.2f} px" if certain else "-"
        count = str(len(report.names))
        table.add_row(report.title, count, *figures, shift, verdict.answer)
    return table
