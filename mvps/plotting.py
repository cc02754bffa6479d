"""The one door to Matplotlib: pictures without a screen, in colours that every eye tells apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mvps.errors import InputError, MissingExtraError
from mvps.files import atomic_path

# Okabe and Ito's palette, told apart by colour-blind readers; black is left for text and frames.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
MAP = "viridis"  # perceptually even, readable in grey
SUFFIXES = (".png", ".svg", ".pdf")

_STYLE = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "svg.hashsalt": "mvps",
}


def new_figure(width: float, height: float) -> Any:
    """Empty Matplotlib figure of a size in inches, with constrained layout.

    Raises
    ------
    MissingExtraError
        Matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("Matplotlib", "plot") from None
    with mpl.rc_context(_STYLE):
        return Figure(figsize=(width, height), layout="constrained")


def check_plot_path(path: Path) -> None:
    """Refuse a name that no picture can bear, before anything is computed.

    Raises
    ------
    InputError
        The ending is none of .png, .svg and .pdf, or the folder is missing.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(path, "not a picture's name", "end it in " + ", ".join(SUFFIXES))
    if not path.absolute().parent.is_dir():
        raise InputError(path, "its folder does not exist", "make the folder first")


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure atomically, in the format of the file's ending.

    Raises
    ------
    InputError
        As :func:`check_plot_path`.
    """
    check_plot_path(path)
    import matplotlib as mpl

    kind = path.suffix.lower().removeprefix(".")
    with mpl.rc_context(_STYLE), atomic_path(path) as temporary:
        figure.savefig(temporary, format=kind)
