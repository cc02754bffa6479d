"""Named tensors and one text on disk, as safetensors: nothing in such a file can run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mvps.detect.torch_door import require_torch
from mvps.errors import InputError, MissingExtraError
from mvps.files import atomic_path

HEADER = "mvps"  # one entry alone: the order of several is not the same from write to write


def write_tensors(path: Path, tensors: Mapping[str, Any], text: str) -> None:
    """Write tensors and a text atomically; the same ones give the same bytes."""
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode  # as any file has it; safetensors would hide it from others
        save_file(plain, temporary, {HEADER: text})
        temporary.chmod(mode)


def read_tensors(path: Path, remedy: str) -> tuple[dict[str, Any], str]:
    """Tensors of a file on the CPU, and its text.

    Parameters
    ----------
    path : written by :func:`write_tensors`
    remedy : what to do where it cannot be used

    Raises
    ------
    InputError
        The file is missing, damaged, of another kind (a pickle for one) or of another program.
    """
    require_torch()
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise MissingExtraError("safetensors", "detect") from None
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(HEADER)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise InputError(path, "no such file", remedy) from None
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(path, f"is no whole safetensors file ({error})", remedy) from None
    if text is None:
        raise InputError(path, "was not written by mvps", remedy)
    return tensors, text
