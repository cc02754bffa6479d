"""Frozen encoder weights on disk: imported once, checked tensor by tensor, known by their digest.

For machines without a hub. A file is one safetensors with the timm model it belongs to in its
header; nothing is ever unpickled but plain tensors.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mvps.detect.torch_door import require_timm, require_torch
from mvps.errors import InputError, MissingExtraError
from mvps.files import atomic_path, cache_folder, natural_key

MAX_BYTES = 8 << 30
DINOV2_WIDTHS = {384: "small", 768: "base", 1024: "large"}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
Tensors = dict[str, Any]  # torch tensors by name


@dataclass(frozen=True)
class Weights:
    """Weights in the store.

    Attributes
    ----------
    name : what the user calls them
    path : their safetensors file
    model : timm model that they fit, tensor by tensor
    digest : ``sha256:`` and the digest of all tensors, whatever the file they came in
    source : name of the file that was imported
    """

    name: str
    path: Path
    model: str
    digest: str
    source: str


def store() -> Path:
    """Folder of the imported weights."""
    return cache_folder("weights")


def import_weights(path: Path, name: str, model: str | None = None) -> Weights:
    """Bring a weights file into the store.

    Parameters
    ----------
    path : ``.safetensors`` or ``.pth`` with timm's or DINOv2's names, or the ONNX export of a
        Hugging Face ``Dinov2Model``
    name : to be used as ``--encoder NAME``; letters, digits, dot, dash, underscore
    model : timm model name; by default the DINOv2 model that fits the tensors' shapes

    Raises
    ------
    InputError
        Not such a file, a pickle of more than tensors, a tensor missing, left over, of another
        shape or not finite.
    """
    if not _NAME.fullmatch(name):
        raise InputError("--as", f"{name!r} is no plain name", "use letters, digits, . _ -")
    tensors = _read(path)
    model = model or _guess_model(path, tensors)
    tensors = _fitted(path, tensors, model)
    digest = tensors_digest(tensors)
    target = store() / f"{name}.safetensors"
    from safetensors.torch import save_file

    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        save_file(tensors, temporary, {"model": model, "digest": digest, "source": path.name})
    return Weights(name, target, model, digest, path.name)


def list_weights() -> tuple[Weights, ...]:
    """All weights in the store, by name; a file that is none is left out."""
    found = sorted(store().glob("*.safetensors"), key=lambda path: natural_key(path.name))
    listed = []
    for path in found:
        with contextlib.suppress(InputError):
            listed.append(find_weights(path.stem))
    return tuple(listed)


def find_weights(name: str) -> Weights:
    """Weights of a name.

    Raises
    ------
    InputError
        There are none in the store, or the file there was not written by an import.
    """
    path = store() / f"{name}.safetensors"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise InputError(name, "no weights of this name", "see: mvps weights list")
    header = _header(path)
    if not {"model", "digest", "source"} <= header.keys():
        raise InputError(path, "was not written by mvps weights import", "import it again")
    return Weights(name, path, header["model"], header["digest"], header["source"])


def verify_weights(name: str) -> Weights:
    """Read all tensors again and compare them with the digest of the import.

    Raises
    ------
    InputError
        As :func:`find_weights`, or the tensors changed or do not fit their model.
    """
    weights = find_weights(name)
    tensors = load_tensors(weights)
    _fitted(weights.path, tensors, weights.model)
    if tensors_digest(tensors) != weights.digest:
        raise InputError(weights.path, "differs from what was imported", "import it again")
    return weights


def load_tensors(weights: Weights) -> Tensors:
    """Tensors of weights in the store, on the CPU."""
    return _read_safetensors(weights.path)


def tensors_digest(tensors: Mapping[str, Any]) -> str:
    """Digest of names, types, shapes and bytes of tensors, in the order of their names."""
    torch = require_torch()
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return f"sha256:{digest.hexdigest()}"


def _read(path: Path) -> Tensors:
    if not path.is_file():
        raise InputError(path, "no such file", "check the name")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(path, "larger than 8 GiB, so no weights of a ViT")
    match path.suffix.lower():
        case ".safetensors":
            return _read_safetensors(path)
        case ".pth" | ".pt" | ".bin":
            return _read_pickle(path)
        case ".onnx":
            from mvps.detect.dinov2_onnx import read_dinov2_onnx

            return read_dinov2_onnx(path)
    raise InputError(path, "is of no known kind", "give a .safetensors, .pth or .onnx file")


def _read_safetensors(path: Path) -> Tensors:
    require_torch()
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(path, f"is no safetensors file ({error})") from None


def _header(path: Path) -> dict[str, str]:
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise MissingExtraError("safetensors", "detect") from None
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise InputError(path, f"is no safetensors file ({error})") from None


def _read_pickle(path: Path) -> Tensors:
    """Tensors of a torch file; the loader refuses to build anything else."""
    torch = require_torch()
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            path, "holds more than tensors and may run code", "export plain tensors as safetensors"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, AttributeError):
        raise InputError(path, "cannot be read as a torch file") from None
    for wrapper in ("model", "state_dict", "teacher"):
        if isinstance(loaded, dict) and isinstance(loaded.get(wrapper), dict):
            loaded = loaded[wrapper]
    if not isinstance(loaded, dict):
        raise InputError(path, "holds no tensors by name")
    return {k: v for k, v in loaded.items() if isinstance(v, torch.Tensor)}


def _guess_model(path: Path, tensors: Tensors) -> str:
    patch, token = tensors.get("patch_embed.proj.weight"), tensors.get("cls_token")
    width = DINOV2_WIDTHS.get(token.shape[-1]) if token is not None else None
    if patch is None or width is None or patch.shape[-1] != 14:
        raise InputError(path, "fits no DINOv2 model by its shapes", "name it with --model")
    registers = "reg4_" if {"register_tokens", "reg_token"} & tensors.keys() else ""
    return f"vit_{width}_patch14_{registers}dinov2.lvd142m"


def _fitted(path: Path, tensors: Tensors, model_name: str) -> Tensors:
    """The tensors under timm's names, each checked against the model."""
    torch = require_torch()
    model = create_vit(model_name, pretrained=False, empty=True)
    try:
        tensors = rename_for(model, tensors)
    except (KeyError, RuntimeError, AttributeError, ValueError, TypeError) as error:
        raise InputError(path, f"does not fit {model_name} ({error})") from None
    want = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    tensors = {name: t for name, t in tensors.items() if not name.startswith(("head.", "fc_norm."))}
    for name in sorted(want.keys() ^ tensors.keys()):
        fault = "is missing" if name in want else f"is unknown to {model_name}"
        raise InputError(path, f"tensor {name} {fault}", "name the model with --model")
    for name, shape in want.items():
        if tuple(tensors[name].shape) != shape:
            raise InputError(
                path,
                f"tensor {name} has shape {tuple(tensors[name].shape)}, {model_name} wants {shape}",
            )
        if not torch.isfinite(tensors[name]).all():
            raise InputError(path, f"tensor {name} holds NaN or infinity")
    return {name: tensors[name].float().contiguous().clone() for name in want}


def rename_for(model: Any, tensors: Tensors) -> Tensors:
    """Tensors under timm's names, the position embedding resampled to the grid of the model.

    The resampling is that of DINOv2's authors: bicubic, low-passed for models with registers only.
    """
    require_timm()
    from timm.models.vision_transformer import checkpoint_filter_fn

    low_pass = getattr(model, "reg_token", None) is not None
    renamed: Tensors = checkpoint_filter_fn(dict(tensors), model, antialias=low_pass)
    return renamed


def create_vit(name: str, *, pretrained: bool, empty: bool = False, **options: Any) -> Any:
    """A timm ViT without its head.

    Parameters
    ----------
    name : of a timm model
    pretrained : fetch the weights from timm's hub, or from its cache
    empty : shapes alone, no memory
    options : further ones of ``timm.create_model``

    Raises
    ------
    InputError
        timm knows no such model, it is no ViT, or its weights cannot be fetched.
    """
    timm, torch = require_timm(), require_torch()
    if not timm.is_model(name.partition(".")[0]):
        close = timm.list_models(f"*{name.partition('.')[0][:14]}*dinov2*")[:3]
        hint = f"did you mean {', '.join(close)}?" if close else "see: mvps weights list"
        raise InputError(name, "neither imported weights nor a timm model", hint)
    place = torch.device("meta") if empty else contextlib.nullcontext()
    try:
        with place:
            model = timm.create_model(name, pretrained=pretrained, num_classes=0, **options)
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        if not pretrained:
            raise InputError(name, f"timm cannot build it ({error})") from None
        raise InputError(
            name,
            f"its weights cannot be fetched ({type(error).__name__})",
            "without a hub: mvps weights import FILE --as NAME",
        ) from None
    from timm.models.vision_transformer import VisionTransformer

    if not isinstance(model, VisionTransformer):
        raise InputError(name, "is no vision transformer", "use a timm ViT")
    return model
