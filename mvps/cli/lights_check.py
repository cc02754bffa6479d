"""``mvps lights check``: the lights by their geometry, and by what the images say about them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.findings import Finding
    from mvps.pipeline.lightcheck import LightReport
    from mvps.pipeline.plan import Plan

_HELP = """Check lights: how they are laid out, and whether the images agree with them.

RAW is a folder of captures or a light file. Of both the geometry is checked: lights in one plane,
too close, behind the object, gaps around, opposites that are missing, strengths, near positions.
Of captures the images are asked as well: would another order, or flipped or exchanged axes, explain
them better; and does any image lie beside the others. The first stack under each set of lights is
looked at. What no photograph can tell: half a turn of all lights, which exchanges hills and
hollows.

[bold]Examples[/bold]

  mvps lights check lights/top.lp

  mvps lights check raw

  mvps lights check lights/top.lp --images raw --all

Exit codes: 0 right, or warnings on the geometry only, 1 lights that cannot be used, a wrong order
or a shift, 2 your input.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("check", help=_HELP, short_help="Are these the right lights?")(check)


def check(
    raw: Annotated[
        Path,
        typer.Argument(
            help="Folder with the captures, or a light file.", show_default=False, parser=named_path
        ),
    ],
    images: Annotated[
        Path | None, typer.Option(help="Captures to ask about the light file RAW.")
    ] = None,
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
    """Check the geometry of a file, or plan, check and print one table for captures."""
    from mvps.errors import InputError

    if images is not None:
        if lights is not None or raw.is_dir():
            raise InputError("--images", "goes with a light file", "name the file, not a folder")
        raw, lights = images, raw
    if raw.is_dir():
        code = _check_captures(raw, lights, lights_convention, response, every=every, json=json)
    elif lights is not None:
        raise InputError(raw, "no such folder", "give the folder that holds the captures")
    else:
        code = _check_file(raw, lights_convention, json=json)
    raise typer.Exit(code)


def _check_file(file: Path, convention: str | None, *, json: bool) -> int:
    from mvps import console
    from mvps.lights import read_lights
    from mvps.lights.checks import check_lights

    rig = read_lights(file, convention=convention)
    findings = check_lights(rig)
    if json:
        notes = list(rig.notes)
        found = [asdict(finding) for finding in findings]
        console.print_json({"file": str(file), "notes": notes, "geometry": found})
    for note in rig.notes:
        console.warn(note)
    _say(findings)
    if not findings and not json:
        console.stdout().print(f"{file}: {len(rig)} lights, nothing to remark", soft_wrap=True)
    return int(any(finding.level == "error" for finding in findings))


def _check_captures(
    raw: Path,
    lights: Path | None,
    convention: str | None,
    response: str | None,
    *,
    every: bool,
    json: bool,
) -> int:
    from mvps import console
    from mvps.capture import Fault, Overrides
    from mvps.pipeline.lightcheck import reports
    from mvps.pipeline.options import RunOptions
    from mvps.pipeline.plan import make_plan

    overrides = Overrides(lights=lights, convention=convention, response=response)
    # Nothing is written: the folder for the maps only completes the plan.
    plan = make_plan(raw, raw / ".no-maps", overrides, RunOptions())
    geometry = _geometry(plan)
    unread: list[Fault] = []
    found = [report for _, report in reports(plan, every=every, passed_over=unread)]
    failures = (*plan.failures, *unread)
    for fault in failures:
        console.error(fault.message)
    if json:
        lines = [{"stack": fault.stack, "error": fault.message} for fault in failures]
        stacks = [report.as_dict() for report in found]
        figures = [asdict(finding) for finding in geometry]
        console.print_json({"stacks": stacks, "failures": lines, "geometry": figures})
    elif found:
        console.stdout().print(_table(found))
    _say(tuple(f for f in geometry if f.message not in {fault.message for fault in failures}))
    for report in found:
        if report.verdict.answer == "inconclusive":
            console.say(f"{report.title}: {report.verdict.words}")
        _say(report.findings)
    if not found:
        return 2
    wrong = any(finding.level == "error" for finding in geometry)
    return int(bool(failures) or wrong or any(report.findings for report in found))


def _geometry(plan: Plan) -> tuple[Finding, ...]:
    """Findings on the geometry of every set of lights, each set once."""
    from mvps.lights.checks import check_lights

    found: dict[Finding, None] = {}
    for planned in plan.stacks:
        lights = planned.stack.lights
        found |= dict.fromkeys(check_lights(lights, where=lights.source or planned.stack.title))
    return tuple(found)


def _say(findings: tuple[Finding, ...]) -> None:
    from mvps import console

    for finding in findings:
        (console.error if finding.level == "error" else console.warn)(finding.message)


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
