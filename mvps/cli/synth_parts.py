"""``mvps synth parts``: what the other commands can render without a mesh of one's own."""

from __future__ import annotations

from typing import Annotated

import typer

_HELP = """List the parts of the catalogue and the procedural shapes.

[bold]Examples[/bold]

  mvps synth parts

  mvps synth parts --json

Exit codes: 0.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("parts", help=_HELP, short_help="Parts that can be rendered.")(parts)


def parts(
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Print name, size and materials of every part."""
    from rich.table import Table
    from rich.text import Text

    from mvps import console
    from mvps.synth.subjects import list_subjects

    found = list_subjects()
    if json:
        console.print_json([subject.as_dict() for subject in found])
        return
    table = Table(title="Parts and shapes", title_justify="left")
    for name in ("name", "kind", "size in mm", "faces", "pins", "materials"):
        table.add_column(name, justify="right" if name in {"faces", "pins"} else "left")
    for subject in found:
        table.add_row(
            Text(subject.name),
            subject.kind,
            " x ".join(f"{side:.1f}" for side in subject.size_mm),
            f"{len(subject.part.mesh.faces):,}",
            str(len(subject.part.pins) or ""),
            Text(", ".join(subject.part.mesh.materials)),
        )
    console.stdout().print(table)
