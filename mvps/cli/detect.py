"""``mvps detect``: the commands from data sets to scored detectors, each in a file of its own."""

from __future__ import annotations

import typer

from mvps.cli import (
    detect_ablate,
    detect_cache,
    detect_data,
    detect_evaluate,
    detect_export,
    detect_predict,
    detect_report,
    detect_score,
    detect_train,
)

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
    detect_train.register(detect_app)
    detect_score.register(detect_app)
    detect_predict.register(detect_app)
    detect_export.register(detect_app)
    detect_evaluate.register(detect_app)
    detect_report.register(detect_app)
    detect_ablate.register(detect_app)
    app.add_typer(detect_app)
