"""A real ViT-S/14: our features against an independent run of its own file."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mvps.detect.encoder import load_encoder
from mvps.detect.weights import import_weights, verify_weights
from mvps.errors import InputError

SCRIPT = Path(__file__).parents[2] / "examples" / "fetch_encoder.py"


def fetcher() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fetch_encoder", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
    try:
        return Path(fetcher().download_onnx(tmp_path_factory.mktemp("onnx")))
    except InputError as error:
        pytest.skip(str(error))


def test_imported_onnx_gives_the_features_of_the_file_itself(
    onnx_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest difference measured was 1.5e-5 on values of up to 8.4."""
    import onnx
    import onnxruntime
    import torch

    monkeypatch.setenv("MVPS_CACHE", str(tmp_path))
    import_weights(onnx_file, "real")
    assert verify_weights("real").model == "vit_small_patch14_dinov2.lvd142m"
    encoder = load_encoder("real", size=224, layers=range(12), device="cpu")
    assert (encoder.facts.dim, encoder.facts.heads, encoder.facts.grid) == (384, 6, 16)

    final = "/backbone/layernorm/Add_1_output_0"
    model = onnx.load(str(onnx_file))
    model.graph.output.append(onnx.helper.make_tensor_value_info(final, 1, None))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    images = np.random.default_rng(0).normal(size=(2, 3, 224, 224)).astype(np.float32)
    want = session.run([final], {"input_image": images})[0][:, 1:]
    with torch.inference_mode():
        got = encoder.model.norm(encoder(images)[:, -1]).numpy()
    np.testing.assert_allclose(got, want, atol=1e-4)
