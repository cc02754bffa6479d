"""``mvps synth``: the commands that render captures and data sets, each in a file of its own."""

from __future__ import annotations

import typer

from mvps.cli import synth_capture, synth_dataset, synth_parts, synth_plan

synth_app = typer.Typer(
    name="synth", help="Render captures and data sets with exact truth.", no_args_is_help=True
)


@synth_app.callback()
def _group() -> None:
    """Render captures and data sets with exact truth."""


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    synth_capture.register(synth_app)
    synth_dataset.register(synth_app)
    synth_plan.register(synth_app)
    synth_parts.register(synth_app)
    app.add_typer(synth_app)
