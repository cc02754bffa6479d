"""``mvps detect``: the commands from data sets to scored detectors, each in a file of its own."""

from __future__ import annotations

import typer

from mvps.cli import detect_cache, detect_data

detect_app = typer.Typer(
    name="detect", help="Data sets and features for detectors.", no_args_is_help=True
)


@detect_app.callback()
def _group() -> None:
    """Data sets and features for detectors."""


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    detect_data.register(detect_app)
    detect_cache.register(detect_app)
    app.add_typer(detect_app)
