"""``mvps doctor``: what this installation has, and what it lacks and why."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable
from importlib import metadata, util
from pathlib import Path
from typing import Annotated

import typer

from mvps.errors import MvpsError

_HELP = """Print versions, compiled core, CUDA devices, codecs and free disk.

[bold]Example[/bold]

  mvps doctor --json
"""
_PACKAGES = ("numpy", "opencv-python-headless", "tifffile", "imagecodecs", "isal", "typer", "rich")
_OPTIONAL = {
    "OpenEXR": "exr",
    "scipy": "mat",
    "cupy": "cuda13 (or cuda12)",
    "torch": "detect",
}
_CODECS = ("png", "jpeg8", "lzw", "deflate", "zstd", "jpegxl", "packints")


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("doctor", help=_HELP, short_help="What this installation has and lacks.")(doctor)


def doctor(
    folder: Annotated[Path, typer.Argument(help="Folder whose free disk is of interest.")] = Path(),
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Gather the facts and print them."""
    from mvps import console

    facts = {
        "versions": _versions(),
        "machine": _machine(),
        "compiled core": _core(),
        "CUDA": _cuda(),
        "codecs": _codecs(),
        "optional packages": _optional(),
        "data files": {name: _found(name) for name in ("kernels", "calib")},
        "free disk": _disk(folder),
    }
    if json:
        console.print_json(facts)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for _ in range(3):
        table.add_column(overflow="fold")
    for topic, entries in facts.items():
        for number, (name, value) in enumerate(entries.items()):
            head = Text(topic if number == 0 else "", style="bold")
            table.add_row(head, Text(name), Text(value))
    console.stdout().print(table)


def _versions() -> dict[str, str]:
    import mvps

    found = {"mvps": mvps.__version__, "python": platform.python_version()}
    return found | {package: _version(package) for package in _PACKAGES}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _machine() -> dict[str, str]:
    from mvps.machine import cores

    found = {"system": f"{platform.system()} {platform.machine()}", "cores": str(cores())}
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        found["memory"] = f"{memory / 2**30:.1f} GiB"
    return found


def _core() -> dict[str, str]:
    from mvps import native

    if native.library() is None:
        return {"state": f"off: {native.reason()}; NumPy does the work, slower"}
    return {"state": "on", "instruction set": str(native.instruction_set())}


def _cuda() -> dict[str, str]:
    from mvps.stereo import cuda

    usable, reason = cuda.available()
    if not usable:
        return {"state": f"off: {reason}"}
    return {
        f"cuda:{device.index}": f"{device.name}, compute capability {device.compute_capability}, "
        f"{device.memory / 2**30:.0f} GiB, driver for CUDA {device.driver}, CuPy's {device.runtime}"
        for device in cuda.device_info()
    }


def _codecs() -> dict[str, str]:
    import cv2
    import imagecodecs

    def state(name: str) -> str:
        codec = getattr(imagecodecs, name.upper(), None)
        return "yes" if codec is not None and codec.available else "no"

    return {name: state(name) for name in _CODECS} | {"OpenCV": cv2.__version__}


def _optional() -> dict[str, str]:
    return {
        package: "installed"
        if util.find_spec(package)
        else f"not installed; pip install 'mvps[{extra.split(maxsplit=1)[0]}]'"
        for package, extra in _OPTIONAL.items()
    }


def _found(name: str) -> str:
    from mvps.native import resource_dir

    return _or_reason(lambda: str(resource_dir(name)))


def _disk(folder: Path) -> dict[str, str]:
    place = folder.resolve()
    while not place.exists():
        place = place.parent
    usage = shutil.disk_usage(place)
    return {str(place): f"{usage.free / 1e9:.1f} GB of {usage.total / 1e9:.1f} GB"}


def _or_reason(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except MvpsError as error:
        return str(error)
