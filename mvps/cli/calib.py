"""``mvps calib``: what the cameras of a rig are, and whether to trust them."""

from __future__ import annotations

import typer

calib_app = typer.Typer(
    name="calib", help="Read, check, convert and measure camera calibrations.", no_args_is_help=True
)


@calib_app.callback()
def _group() -> None:
    """Read, check, convert and measure camera calibrations."""


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    app.add_typer(calib_app)
