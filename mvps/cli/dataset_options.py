"""Options of the commands that read a data set: which one of several, and how it lies on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mvps.datasets import ReadOptions

_PANEL = "Data"

Layout = Annotated[
    str | None,
    typer.Option(
        help="realiad, realiad-d3, realiad-mvn, eyecandies, mvtec-3d, mvtec-ad, mvps-run.",
        rich_help_panel=_PANEL,
    ),
]
Category = Annotated[
    list[str] | None, typer.Option(help="Of this one alone.", rich_help_panel=_PANEL)
]
Pattern = Annotated[
    list[str] | None,
    typer.Option(help="Of files, also as rgb=, normals=, mask=.", rich_help_panel=_PANEL),
]
Lists = Annotated[
    str, typer.Option(help="Folder of JSON lists, of several.", rich_help_panel=_PANEL)
]
Images = Annotated[
    str, typer.Option(help="Folder of images, of several sizes.", rich_help_panel=_PANEL)
]
Labels = Annotated[
    Path | None,
    typer.Option(
        help="Table of labels for what mvps normals wrote. [DATA/labels.csv]",
        parser=named_path,
        rich_help_panel=_PANEL,
    ),
]


def read_options(
    category: Sequence[str] | None,
    pattern: Sequence[str] | None,
    lists: str,
    images: str,
    labels: Path | None,
) -> ReadOptions:
    """What a user tells the reader of a data set."""
    from mvps.datasets import ReadOptions

    return ReadOptions(
        categories=tuple(category or ()),
        patterns=tuple(pattern or ()),
        lists=lists,
        images=images,
        labels=labels,
    )
