"""Weights out of the ONNX export of a Hugging Face ``Dinov2Model``, under timm's names.

Biases, norms, LayerScale and embeddings keep their names in such a file; the matrices of linear
layers lose theirs and are found by the node that multiplies with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.detect.torch_door import require_torch
from mvps.errors import InputError, MissingExtraError

_ATTENTION = "attention.attention."
_PLAIN = {
    "norm1.weight": "norm1.weight",
    "norm1.bias": "norm1.bias",
    "norm2.weight": "norm2.weight",
    "norm2.bias": "norm2.bias",
    "attention.output.dense.bias": "attn.proj.bias",
    "mlp.fc1.bias": "mlp.fc1.bias",
    "mlp.fc2.bias": "mlp.fc2.bias",
    "layer_scale1.lambda1": "ls1.gamma",
    "layer_scale2.lambda1": "ls2.gamma",
}
_PRODUCTS = {
    "attention.output.dense": "attn.proj.weight",
    "mlp.fc1": "mlp.fc1.weight",
    "mlp.fc2": "mlp.fc2.weight",
}
_EMBEDDINGS = {
    "embeddings.cls_token": "cls_token",
    "embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
    "layernorm.weight": "norm.weight",
    "layernorm.bias": "norm.bias",
}


def read_dinov2_onnx(path: Path) -> dict[str, Any]:
    """Tensors of the backbone by timm's names.

    Raises
    ------
    MissingExtraError
        The package onnx is not installed.
    InputError
        Not an ONNX file, weights in other files, or not a DINOv2 backbone.
    """
    torch = require_torch()
    graph = _graph(path)
    named = {tensor.name: tensor for tensor in graph.initializer}
    stem = _stem(path, named)
    arrays: dict[str, NDArray[Any]] = {}
    try:
        for theirs, ours in _EMBEDDINGS.items():
            arrays[ours] = _array(path, named[stem + theirs])
        arrays["pos_embed"] = _positions(path, named, arrays["cls_token"])
        products = _products(graph, named)
        for layer in range(_depth(named, stem)):
            arrays |= _block(path, named, products, f"{stem}encoder.layer.{layer}.", layer)
    except KeyError as error:
        raise InputError(path, f"is no DINOv2 export: {error.args[0]} is missing") from None
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}


def _graph(path: Path) -> Any:
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise MissingExtraError("onnx", "onnx") from None
    try:
        return onnx.load(str(path), load_external_data=False).graph
    except (DecodeError, OSError, ValueError):
        raise InputError(path, "is no ONNX file") from None


def _stem(path: Path, named: dict[str, Any]) -> str:
    for name in named:
        if name.endswith("embeddings.cls_token"):
            return name.removesuffix("embeddings.cls_token")
    raise InputError(path, "is no DINOv2 export: embeddings.cls_token is missing")


def _depth(named: dict[str, Any], stem: str) -> int:
    layers = {name.split(".")[2 + stem.count(".")] for name in named if ".layer." in name}
    return len(layers)


def _array(path: Path, tensor: Any) -> NDArray[Any]:
    import onnx

    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise InputError(path, "keeps its weights in other files", "export it into one file")
    return np.asarray(onnx.numpy_helper.to_array(tensor))


def _positions(path: Path, named: dict[str, Any], token: NDArray[Any]) -> NDArray[Any]:
    """The position embedding, of class token and patches, from the constants of a Concat."""
    width = token.shape[-1]
    first = patches = None
    for name, tensor in named.items():
        shape = tuple(tensor.dims)
        if len(shape) != 3 or shape[0] != 1 or shape[2] != width:
            continue
        if shape[1] == 1 and "cls_token" not in name:
            first = _array(path, tensor)
        elif shape[1] > 1:
            patches = _array(path, tensor)
    if first is None or patches is None:
        raise KeyError("position embedding")
    return np.concatenate([first, patches], 1)


def _products(graph: Any, named: dict[str, Any]) -> dict[str, Any]:
    """Initializers of linear layers by the name of the node that multiplies with them."""
    found = {}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in named:
            name = node.name.strip("/").replace("/", ".").removesuffix(".MatMul")
            found[name] = named[node.input[1]]
    return found


def _block(
    path: Path, named: dict[str, Any], products: dict[str, Any], theirs: str, layer: int
) -> dict[str, NDArray[Any]]:
    ours = f"blocks.{layer}."
    arrays = {ours + to: _array(path, named[theirs + name]) for name, to in _PLAIN.items()}
    for name, to in _PRODUCTS.items():
        arrays[ours + to] = _array(path, products[theirs + name]).T
    parts = [theirs + _ATTENTION + part for part in ("query", "key", "value")]
    weights = [_array(path, products[part]).T for part in parts]
    biases = [_array(path, named[f"{part}.bias"]) for part in parts]
    arrays[f"{ours}attn.qkv.weight"] = np.concatenate(weights)
    arrays[f"{ours}attn.qkv.bias"] = np.concatenate(biases)
    return arrays
