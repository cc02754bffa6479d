"""``mvps detect cache``: features on disk, how many there are, and how to be rid of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mvps.cli.normals import named_path
from mvps.errors import InputError

if TYPE_CHECKING:
    from mvps.detect.cache import CacheUse

_SHOW = """Show folder, number and size of the features that training keeps.

[bold]Example[/bold]

  mvps detect cache show

Exit codes: 0 shown, 2 your input.
"""
_PRUNE = """Drop the features that were not used for longest until the rest takes at most --keep.

[bold]Example[/bold]

  mvps detect cache prune --keep 20GB

Exit codes: 0 done, 2 your input.
"""
_CLEAR = """Drop all features; they are made again where they are needed.

[bold]Example[/bold]

  mvps detect cache clear

Exit codes: 0 done, 2 your input.
"""
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*(|[kMGT]i?)B?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}

Folder = Annotated[
    Path | None,
    typer.Option(
        help="Of the cache. [$MVPS_CACHE/features or ~/.cache/mvps/features]", parser=named_path
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

cache_app = typer.Typer(name="cache", help="The cache of features.", no_args_is_help=True)


@cache_app.callback()
def _group() -> None:
    """The cache of features."""


def register(app: typer.Typer) -> None:
    """Add the commands to the group."""
    cache_app.command("show", help=_SHOW, short_help="How large it is.")(show)
    cache_app.command("prune", help=_PRUNE, short_help="Drop what was not used.")(prune)
    cache_app.command("clear", help=_CLEAR, short_help="Drop all of it.")(clear)
    app.add_typer(cache_app)


def show(folder: Folder = None, json: Json = False) -> None:
    """Print what the cache holds."""
    from mvps import console
    from mvps.detect.cache import usage

    use = usage(_place(folder))
    if json:
        console.print_json({"folder": str(use.folder), "files": use.files, "bytes": use.size})
        return
    console.stdout().print(f"{use.folder}: {_words(use)}", soft_wrap=True)


def prune(
    keep: Annotated[str, typer.Option(help="What may remain, as 20GB.", show_default=False)],
    folder: Folder = None,
    json: Json = False,
) -> None:
    """Drop down to a size."""
    _drop(_place(folder), size_of(keep), json)


def clear(folder: Folder = None, json: Json = False) -> None:
    """Drop everything."""
    _drop(_place(folder), 0, json)


def size_of(text: str) -> int:
    """Bytes of a size as ``20GB``, ``1.5 GiB`` or ``1000``.

    Raises
    ------
    InputError
        It is none.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InputError("--keep", f"{text!r} is no size", "e.g. 20GB")
    unit = found[2].lower()
    base = 1024 if unit.endswith("i") else 1000
    return int(float(found[1]) * base ** _POWERS[unit.removesuffix("i")])


def _drop(folder: Path, keep: int, json: bool) -> None:
    from mvps import console
    from mvps.detect.cache import prune, usage

    dropped = prune(folder, keep)
    left = usage(folder)
    if json:
        console.print_json(
            {
                "folder": str(folder),
                "dropped": {"files": dropped.files, "bytes": dropped.size},
                "left": {"files": left.files, "bytes": left.size},
            }
        )
        return
    console.stdout().print(f"dropped {_words(dropped)}; left {_words(left)}", soft_wrap=True)


def _place(folder: Path | None) -> Path:
    from mvps.detect.cache import default_folder

    if folder is not None and not folder.is_dir():
        raise InputError(folder, "no such folder", "name the folder of a cache")
    return folder or default_folder()


def _words(use: CacheUse) -> str:
    return f"{use.files:,} files, {use.size / 1e6:,.1f} MB"
