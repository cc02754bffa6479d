"""``mvps calib check``: whether a camera file is to be trusted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.calib.checks import CheckedFile
    from mvps.findings import Finding

_HELP = """Judge camera files by rules: errors make results wrong, warnings make them doubtful.

Every rule, with its threshold and the reason for it, is in docs/calibration.md.

[bold]Examples[/bold]

  mvps calib check calib/*.yml

  mvps calib check cam1.yml --image raw/part_01/top/L01.tif

  mvps calib check left.yml right.yml --cross-view --json

Exit codes: 0 no error (there may be warnings), 1 errors, 2 your input.
"""
_SIZE = re.compile(r"([1-9]\d{0,5})[xX]([1-9]\d{0,5})", re.ASCII)


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("check", help=_HELP, short_help="Is a camera file to be trusted?")(check)


def check(
    files: Annotated[
        list[Path],
        typer.Argument(help="Camera files.", show_default=False, parser=named_path),
    ],
    image: Annotated[
        Path | None, typer.Option(help="Image that the cameras are to be applied to.")
    ] = None,
    image_size: Annotated[str | None, typer.Option(help="Its size instead, as 5472x3648.")] = None,
    cross_view: Annotated[
        bool, typer.Option("--cross-view", help="Views are to be combined: ask for one frame.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Check each file, then the rig; exit code 1 where there is an error."""
    from mvps import console
    from mvps.calib.checks import check_file, check_rig
    from mvps.errors import InputError

    size = _size(image, image_size)
    checked: list[CheckedFile] = []
    failures: list[str] = []
    for path in files:
        try:
            checked.append(check_file(path, image_size=size))
        except InputError as error:
            failures.append(str(error))
    cameras = [camera for file in checked for camera in file.cameras]
    rig = check_rig(cameras) if len(cameras) > 1 or (cameras and cross_view) else ()
    findings = [*(finding for file in checked for finding in file.findings), *rig]
    if json:
        console.print_json(_document(checked, rig, failures))
    elif checked:
        console.stdout().print(_table(checked))
    for failure in failures:
        console.error(failure)
    for finding in findings:
        (console.error if finding.level == "error" else console.warn)(finding.message)
    wrong = any(finding.level == "error" for finding in findings)
    raise typer.Exit(2 if failures else int(wrong))


def _size(image: Path | None, text: str | None) -> tuple[int, int] | None:
    from mvps.errors import InputError

    if image is not None and text is not None:
        raise InputError("--image-size", "stands beside --image", "give one of the two")
    if image is not None:
        from mvps.images import ImageRef, probe

        info = probe(ImageRef(image))
        return info.width, info.height
    if text is None:
        return None
    size = _SIZE.fullmatch(text)
    if size is None:
        raise InputError("--image-size", f"{text!r} is no size", "e.g. 5472x3648")
    return int(size[1]), int(size[2])


def _document(
    checked: list[CheckedFile], rig: tuple[Finding, ...], failures: list[str]
) -> dict[str, Any]:
    return {
        "files": [
            {
                "file": str(file.path),
                "format": file.format,
                "cameras": len(file.cameras),
                "findings": [vars(finding) for finding in file.findings],
            }
            for file in checked
        ],
        "rig": [vars(finding) for finding in rig],
        "failures": failures,
    }


def _table(checked: list[CheckedFile]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Camera files", title_justify="left")
    for name in ("file", "format", "cameras", "errors", "warnings"):
        table.add_column(name, justify="left" if name in {"file", "format"} else "right")
    for file in checked:
        levels = [finding.level for finding in file.findings]
        counts = (len(file.cameras), levels.count("error"), levels.count("warning"))
        table.add_row(Text(str(file.path)), file.format, *map(str, counts))
    return table
