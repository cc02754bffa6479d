"""``mvps weights``: encoders' weights without a hub, brought in once and checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mvps.cli.normals import named_path

if TYPE_CHECKING:
    from mvps.detect.weights import Weights

_IMPORT = """Bring FILE into the store of weights, where --encoder NAME finds it.

FILE is a .safetensors or .pth with the names of timm or DINOv2, or an ONNX export of a Hugging Face
Dinov2Model. Every tensor is checked against the model; a file that would run code is refused.

[bold]Examples[/bold]

  mvps weights import dinov2_vitb14_reg4_pretrain.pth --as dinov2-b

  mvps weights import vit.safetensors --as mine --model vit_small_patch16_224

Exit codes: 0 imported, 2 your input.
"""
_LIST = """List the weights in the store.

[bold]Example[/bold]

  mvps weights list

Exit codes: 0 listed.
"""
_VERIFY = """Read weights again and compare them with what was imported; without NAME, all of them.

[bold]Example[/bold]

  mvps weights verify dinov2-b

Exit codes: 0 unchanged, 1 some of them changed, 2 your input, or the one named changed.
"""

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

weights_app = typer.Typer(
    name="weights", help="Import, list and verify encoders' weights.", no_args_is_help=True
)


@weights_app.callback()
def _group() -> None:
    """Import, list and verify encoders' weights."""


def register(app: typer.Typer) -> None:
    """Add the command group to the application."""
    weights_app.command("import", help=_IMPORT, short_help="Bring a file in.")(import_)
    weights_app.command("list", help=_LIST, short_help="What there is.")(list_)
    weights_app.command("verify", help=_VERIFY, short_help="Whether it is unchanged.")(verify)
    app.add_typer(weights_app)


def import_(
    file: Annotated[
        Path, typer.Argument(help="Weights file.", show_default=False, parser=named_path)
    ],
    name: Annotated[str, typer.Option("--as", help="Name to use later.", show_default=False)],
    model: Annotated[
        str | None, typer.Option(help="timm model; by default the DINOv2 model that fits.")
    ] = None,
    json: Json = False,
) -> None:
    """Import and say what it is now."""
    from mvps import console
    from mvps.detect.weights import import_weights

    weights = import_weights(file, name, model)
    if json:
        console.print_json(_as_dict(weights))
        return
    console.stdout().print(f"{weights.name}: {weights.model}, {weights.digest}", soft_wrap=True)
    console.say(f"kept in {weights.path}; use it as --encoder {weights.name}")


def list_(json: Json = False) -> None:
    """Print the store."""
    from mvps import console
    from mvps.detect.weights import list_weights, store

    found = list_weights()
    if json:
        console.print_json([_as_dict(weights) for weights in found])
    elif found:
        console.stdout().print(_table(found))
    else:
        console.say(f"no weights in {store()}; bring some in: mvps weights import FILE --as NAME")


def verify(
    name: Annotated[
        str | None, typer.Argument(help="Name of the weights.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Verify one, or all."""
    from mvps import console
    from mvps.detect.weights import list_weights, verify_weights
    from mvps.errors import InputError

    if name is not None:
        verify_weights(name)
        results = {name: ""}
    else:
        results = {}
        for weights in list_weights():
            try:
                verify_weights(weights.name)
                results[weights.name] = ""
            except InputError as error:
                results[weights.name] = str(error)
    if json:
        rows = [{"name": n, "unchanged": not fault, "fault": fault} for n, fault in results.items()]
        console.print_json(rows)
    for one, fault in results.items():
        if fault:
            console.error(fault)
        elif not json:
            console.stdout().print(f"{one}: unchanged", soft_wrap=True)
    raise typer.Exit(int(any(results.values())))


def _as_dict(weights: Weights) -> dict[str, Any]:
    return {
        "name": weights.name,
        "model": weights.model,
        "digest": weights.digest,
        "source": weights.source,
        "path": str(weights.path),
    }


def _table(found: tuple[Weights, ...]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title="Weights", title_justify="left")
    for name in ("name", "model", "MB", "digest", "from"):
        table.add_column(name, overflow="fold", justify="right" if name == "MB" else "left")
    for weights in found:
        size = f"{weights.path.stat().st_size / 1e6:,.0f}"
        digest = weights.digest.removeprefix("sha256:")[:12]
        table.add_row(Text(weights.name), Text(weights.model), size, digest, Text(weights.source))
    return table
