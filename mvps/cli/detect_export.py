"""``mvps detect export``: a trained detector as an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvps.cli.normals import named_path

_HELP = """Write the CPRN of a run as an ONNX file that needs neither torch nor timm: images of the
encoder's size in, anomaly map and score out, for any number of images at once.

The file is run by onnxruntime on random input before it gets its name, and must give what torch
gives, to 1e-4. Under the key "mvps" its metadata hold the preprocessing, the thresholds and the
digest of the encoder, as JSON.

[bold]Examples[/bold]

  mvps detect export run detector.onnx

  mvps detect export run detector.onnx --category jst_eh

  mvps detect export run network.onnx --network-only

Exit codes: 0 written, 1 onnxruntime and torch differ, 2 your input.
"""


def register(app: typer.Typer) -> None:
    """Add the command to the group."""
    app.command("export", help=_HELP, short_help="A detector as ONNX.")(export)


def export(
    run: Annotated[
        Path,
        typer.Argument(
            help="What mvps detect train wrote.",
            show_default=False,
            parser=named_path,
            metavar="RUN",
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            help="File to write.", show_default=False, parser=named_path, metavar="OUT.onnx"
        ),
    ],
    category: Annotated[
        str | None, typer.Option(help="Of a run with a model for each category: this one's.")
    ] = None,
    network_only: Annotated[
        bool, typer.Option("--network-only", help="Tokens to token scores, without the encoder.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Export, and print what the file takes and gives."""
    from mvps import console
    from mvps.detect.run_folder import ALL, read_run

    known = read_run(run)
    from mvps.detect.export import export_run

    made = export_run(known, out, category=category or ALL, network_only=network_only)
    if json:
        console.print_json(
            {
                "onnx": str(made.path),
                "inputs": dict(made.inputs),
                "outputs": dict(made.outputs),
                "difference": made.difference,
            }
        )
        return
    for name, shape in (*made.inputs.items(), *made.outputs.items()):
        console.say(f"{name}: {' x '.join(map(str, shape))}")
    console.say(f"onnxruntime and torch differ by {made.difference:.1e} at most")
    console.stdout().print(str(made.path), markup=False, soft_wrap=True)
