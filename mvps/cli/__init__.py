"""The command line: parses words, prints, and holds no logic. One file a command group."""

from __future__ import annotations

import os
import re
import signal
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import mvps
from mvps.errors import MvpsError

_INTERRUPTED = "interrupted; run the same command again"

app = typer.Typer(
    name="mvps",
    help="Raw multi-light photographs to calibrated surface normals.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mvps {mvps.__version__}")
        raise typer.Exit


@app.callback(
    epilog="Start with: mvps normals RAW OUT --dry-run. Every command has --help with examples."
)
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks. May stand anywhere on the line.")
    ] = False,
) -> None:
    """Raw multi-light photographs to calibrated surface normals."""


def main() -> None:
    """Entry point: a fault ends in one line and an exit code, never in a traceback."""
    _mend_streams()
    # Stacks already run side by side; a BLAS with threads of its own would only get in the way.
    for library in ("OPENBLAS", "MKL", "OMP"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    with suppress(ValueError):  # only the main thread may
        signal.signal(signal.SIGTERM, _interrupt)
    debug = "--debug" in sys.argv
    sys.argv[1:] = [word for word in sys.argv[1:] if word != "--debug"]
    try:
        _command()(prog_name="mvps", obj={"debug": debug})
    except MvpsError as error:
        if debug:
            raise
        _fail(str(error), error.exit_code)
    except KeyboardInterrupt:
        _fail(_INTERRUPTED, 130)
    except SystemExit as end:
        # Typer turns an interrupt into this code without a word.
        if isinstance(getattr(end.__context__, "__cause__", None), KeyboardInterrupt):
            _fail(_INTERRUPTED, 130)
        raise
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        if debug:
            raise
        _fail(_words(error), 1)
    except Exception as error:
        if debug:
            raise
        _fail(f"internal error ({error!r}); run again with --debug and report it", 1)


def _interrupt(number: int, frame: object) -> None:
    """A polite end from outside is an interrupt like any other."""
    raise KeyboardInterrupt


def _fail(message: str, code: int) -> NoReturn:
    from mvps import console

    console.error(message)
    if "--json" in sys.argv:
        with suppress(OSError):  # it may be stdout itself that takes no more
            console.print_json({"error": message})
    sys.exit(code)


def _words(error: OSError) -> str:
    """The file by the name that it was to bear, not that of its temporary."""
    from mvps.files import final_name

    name = error.filename
    where = final_name(Path(name)) if isinstance(name, str) else name or "standard output"
    return f"{where}: {error.strerror or error}"


def _mend_streams() -> None:
    """File names need not be text, and a stream may be closed: neither may stop a run."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


@cache
def _command() -> Any:
    """The whole command tree.

    Help of the commands is laid out by Rich, in panels; that of the root is plain, because Rich's
    help would double the time in which ``mvps --help`` answers. Built once, since every command
    registers itself anew with the application.
    """
    from mvps.cli import (
        calib,
        detect,
        doctor,
        evaluate,
        flatten,
        lights,
        normals,
        report,
        surface,
        synth,
        weights,
    )

    normals.register(app)
    flatten.register(app)
    evaluate.register(app)
    report.register(app)
    surface.register(app)
    calib.register(app)
    lights.register(app)
    synth.register(app)
    detect.register(app)
    weights.register(app)
    doctor.register(app)
    root: Any = typer.main.get_command(app)
    below = list(root.commands.values())
    for command in below:
        command.rich_markup_mode = "rich"
        # Lines of a paragraph flow with the terminal; Rich would keep where the source breaks them.
        command.help = re.sub(r"(?<=\S)\n(?=\S)", " ", command.help or "")
        below.extend(getattr(command, "commands", {}).values())
    return root
