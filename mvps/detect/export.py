"""A trained CPRN as ONNX: from images to anomaly map and score, or from tokens to their scores.

The file gets its name only after onnxruntime has computed the same as torch.
"""

from __future__ import annotations

import importlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mvps.detect.anomaly_map import anomaly_maps, image_scores
from mvps.detect.cprn import Cprn, CprnConfig, mean_distance, token_distances
from mvps.detect.cprn_detector import CprnDetector
from mvps.detect.encoder import Encoder
from mvps.detect.evaluation_json import to_plain
from mvps.detect.preprocess import DEVIATION, MEAN
from mvps.detect.run_folder import ALL, Run
from mvps.errors import InputError, MissingExtraError, MvpsError
from mvps.files import atomic_path, make_place

OPSET = 18
TOLERANCE = 1e-4  # between torch and onnxruntime, of every output
CHECKED_BATCHES = (1, 3)
METADATA = "mvps"  # key under which the file holds what else a reader needs, as JSON


@dataclass(frozen=True)
class Exported:
    """An ONNX file that was checked.

    Attributes
    ----------
    path : of the file
    inputs, outputs : shapes by name; "batch" is any number
    difference : largest one between torch and onnxruntime over all outputs, on random input
    """

    path: Path
    inputs: Mapping[str, list[int | str]]
    outputs: Mapping[str, list[int | str]]
    difference: float


class TokenScores(nn.Module):
    """CPRN alone: tokens (B, L, N, D) a modality to scores (B, N) and L_r (B,)."""

    def __init__(self, network: Cprn) -> None:
        super().__init__()
        self.network = network

    def forward(self, *tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of tokens and the paper's score of the image, of one tensor a modality."""
        config = self.network.config
        named = dict(zip(config.inputs, tokens, strict=True))
        out = self.network(named)
        return token_distances(config, named, out), mean_distance(named, out)


class ImageScores(nn.Module):
    """All of it: images (B, 3, S, S) a modality to maps (B, S, S) and scores (B,)."""

    def __init__(self, encoder: Encoder, network: Cprn, image_score: str) -> None:
        super().__init__()
        self.encoder = encoder
        self.vit = encoder.model  # registered, so that its weights are exported
        self.scores = TokenScores(network)
        self.image_score = image_score

    def forward(self, *images: Tensor) -> tuple[Tensor, Tensor]:
        """Maps and scores, of one tensor of normalised planes a modality."""
        facts = self.encoder.facts
        distances, own = self.scores(*(self.encoder.tokens_of(one) for one in images))
        maps = anomaly_maps(distances, (facts.grid, facts.grid), facts.size)
        return maps, own if self.image_score == "paper" else image_scores(maps)


def export_run(
    run: Run, path: Path, *, category: str = ALL, network_only: bool = False
) -> Exported:
    """Write the model of a run as ONNX, for any batch, and check it.

    Parameters
    ----------
    run : finished
    path : of the ONNX file
    category : whose model it is, in a run of a model for each category
    network_only : leave the encoder out: tokens to token scores

    Raises
    ------
    InputError
        The detector is none that ONNX can hold, there is no model of the category, or the file is
        none that can be written.
    MissingExtraError
        onnx or onnxruntime is not installed.
    MvpsError
        torch and onnxruntime differ by more than 1e-4; nothing is written.
    """
    onnx, runtime = _require("onnx"), _require("onnxruntime")
    detector = run.detector(category, "cpu")
    if not isinstance(detector, CprnDetector):
        what = f"holds a {detector.name}, whose memory of tokens is no network"
        raise InputError(run.folder, what, "export a run of --detector cprn")
    if run.settings.by_place:
        what = "compares scores with those of sound parts by view, which a network does not know"
        raise InputError(run.folder, what, "export a run without --by-place")
    make_place(path)
    network = Cprn(detector.network)
    network.load_state_dict(dict(detector.tensors()))
    module: nn.Module = TokenScores(network)
    if not network_only:
        module = ImageScores(run.encoder("cpu"), network, detector.image_score)
    module.eval().requires_grad_(False)
    shape = _input_shape(run, detector.network, network_only)
    names = list(detector.network.inputs)
    outputs = ["token_scores", "image_score"] if network_only else ["map", "score"]
    with atomic_path(path) as part:
        _write(module, part, names, outputs, shape)
        model = onnx.load(str(part))
        _describe(model, run, detector, category)
        onnx.save(model, str(part))
        difference, shapes = _check(runtime, module, part, names, shape)
    inputs: dict[str, list[int | str]] = {name: ["batch", *shape] for name in names}
    return Exported(path, inputs, dict(zip(outputs, shapes, strict=True)), difference)


def _require(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtraError(name, "onnx") from None


def _input_shape(run: Run, network: CprnConfig, network_only: bool) -> tuple[int, ...]:
    """Shape of an input without its batch."""
    facts = run.encoder_facts
    if network_only:
        return network.layers, facts.grid**2, network.dim
    return 3, facts.size, facts.size


def _inputs(count: int, shape: tuple[int, ...], batch: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(batch)
    return tuple(torch.randn(batch, *shape, generator=generator) for _ in range(count))


def _write(
    module: nn.Module,
    path: Path,
    names: Sequence[str],
    outputs: Sequence[str],
    shape: tuple[int, ...],
) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracer, on shapes that are constant by intention
        torch.onnx.export(
            module,
            _inputs(len(names), shape, 2),
            str(path),
            input_names=list(names),
            output_names=list(outputs),
            dynamic_axes={name: {0: "batch"} for name in (*names, *outputs)},
            opset_version=OPSET,
            dynamo=False,  # the other exporter needs onnxscript
        )


def _describe(model: Any, run: Run, detector: CprnDetector, category: str) -> None:
    """Put into the file what a program needs that has nothing but the file."""
    settings = run.settings
    thresholds = run.models[run.model_name(category)].thresholds
    stated = {
        "run": run.digest,
        "encoder": asdict(run.encoder_facts),
        "detector": {detector.name: detector.config},
        "preprocessing": {
            "resize": settings.resize,
            "crop": settings.crop,
            "tile": settings.tile,
            "overlap": settings.overlap,
            "mean": [round(float(v), 6) for v in MEAN],
            "deviation": [round(float(v), 6) for v in DEVIATION],
            "normals": "unit vectors (x right, y up, z to the camera) as (n + 1) / 2",
        },
        "thresholds": {
            name: {unit: one.value for unit, one in units.items()}
            for name, units in thresholds.items()
        },
    }
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA, json.dumps(to_plain(stated))


def _check(
    runtime: Any, module: nn.Module, path: Path, names: Sequence[str], shape: tuple[int, ...]
) -> tuple[float, list[list[int | str]]]:
    """Largest difference to torch, and the shapes of the outputs without their batch."""
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    largest, shapes = 0.0, []
    for batch in CHECKED_BATCHES:
        inputs = _inputs(len(names), shape, batch)
        given = {name: one.numpy() for name, one in zip(names, inputs, strict=True)}
        with torch.no_grad():
            wanted = module(*inputs)
        found = [torch.from_numpy(one) for one in session.run(None, given)]
        if [one.shape for one in found] != [one.shape for one in wanted]:
            raise MvpsError(f"{path}: onnxruntime gives other shapes than torch; not written")
        shapes = [["batch", *one.shape[1:]] for one in found]
        for one, other in zip(found, wanted, strict=True):
            largest = max(largest, float((one - other).abs().nan_to_num(torch.inf).max()))
    if largest > TOLERANCE:
        raise MvpsError(
            f"{path}: onnxruntime and torch differ by {largest:.1e}, more than {TOLERANCE:.0e}; "
            "not written"
        )
    return largest, shapes
