"""``mvps lights``: the commands for lights, each in a file of its own."""

from __future__ import annotations

import typer

from mvps.cli import lights_check, lights_convert, lights_flat, lights_show, lights_sphere

lights_app = typer.Typer(
    name="lights", help="Read, check, convert and measure lights.", no_args_is_help=True
)


@lights_app.callback()
def _group() -> None:
    """Read, check, convert and measure lights."""


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    lights_show.register(lights_app)
    lights_check.register(lights_app)
    lights_convert.register(lights_app)
    lights_flat.register(lights_app)
    lights_sphere.register(lights_app)
    app.add_typer(lights_app)
