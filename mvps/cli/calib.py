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
    from mvps.cli import calib_board, calib_check, calib_convert, calib_show, calib_undistort

    calib_show.register(calib_app)
    calib_check.register(calib_app)
    calib_convert.register(calib_app)
    calib_undistort.register(calib_app)
    calib_board.register(calib_app)
    app.add_typer(calib_app)
