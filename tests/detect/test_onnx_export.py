"""A run as ONNX gives what torch gives, for any batch, or there is no file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from running import mvps
from tiny_run import store_at, tiny_run, tiny_settings, write_tree
from tiny_vit import write_records

from mvps.datasets import Dataset
from mvps.detect import export
from mvps.detect.anomaly_map import anomaly_maps, image_scores
from mvps.detect.features import FeatureSource
from mvps.detect.preprocess import load_planes
from mvps.detect.recipe import Recipe
from mvps.detect.run_folder import Run
from mvps.detect.run_train import train_run
from mvps.errors import InputError, MissingExtraError, MvpsError

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
runtime = pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")


@pytest.fixture(scope="module")
def cprn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    with store_at(folder / "cache"):
        dataset = write_tree(folder / "data")
        settings = tiny_settings(
            detector="cprn", steps=2, recipe=Recipe(batch=4), precision="32", seed=3
        )
        yield train_run(dataset, settings, folder / "run", cache=None, device="cpu"), dataset


def _session(path: Path):
    return runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_the_whole_graph_gives_map_and_score_of_the_run(cprn: tuple[Run, Dataset], tmp_path):
    run, dataset = cprn
    made = export.export_run(run, tmp_path / "out.onnx")
    assert made.difference <= export.TOLERANCE
    records = dataset.records[:3]
    images = np.stack([load_planes(r, "rgb", run.preprocess) for r in records])
    maps, scores = _session(made.path).run(None, {"rgb": images})
    source = FeatureSource(records, ("rgb",), run.encoder("cpu"), run.preprocess)
    distances = run.detector("part", "cpu").score(source.batch(range(3))).tokens
    wanted = anomaly_maps(distances, source.grid, 64)
    # features pass the source in half precision, the graph in single
    np.testing.assert_allclose(maps, wanted, atol=2e-3)
    np.testing.assert_allclose(scores, image_scores(wanted), atol=2e-3)


def test_the_file_states_encoder_preprocessing_and_thresholds(cprn, tmp_path):
    run, _ = cprn
    made = export.export_run(run, tmp_path / "out.onnx")
    properties = {p.key: p.value for p in onnx.load(str(made.path)).metadata_props}
    stated = json.loads(properties[export.METADATA])
    assert stated["encoder"]["digest"] == run.encoder_facts.digest
    assert stated["preprocessing"]["crop"] == 64
    assert stated["thresholds"]["part"]["view"] == run.threshold("part").value


def test_the_network_alone_takes_tokens(cprn, tmp_path):
    run, _ = cprn
    made = export.export_run(run, tmp_path / "net.onnx", network_only=True)
    assert made.inputs == {"rgb": ["batch", 3, 16, 64]}
    tokens = torch.randn(5, 3, 16, 64)
    scores, image = _session(made.path).run(None, {"rgb": tokens.numpy()})
    assert scores.shape == (5, 16)
    assert image.shape == (5,)


def test_a_graph_that_differs_from_torch_gets_no_name(cprn, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "TOLERANCE", -1.0)
    with pytest.raises(MvpsError, match="differ by"):
        export.export_run(cprn[0], tmp_path / "out.onnx")
    assert not list(tmp_path.iterdir())


def test_both_modalities_are_inputs_of_their_own(tmp_path, tiny_store):
    records = write_records(tmp_path / "images", 6)
    dataset = Dataset(tmp_path, "mvps", tuple(records))
    settings = tiny_settings(
        detector="cprn", fusion="ucp", steps=1, recipe=Recipe(batch=2), precision="32"
    )
    run = train_run(dataset, settings, tmp_path / "run", cache=None, device="cpu")
    made = export.export_run(run, tmp_path / "out.onnx")
    assert list(made.inputs) == ["rgb", "normals"]
    assert made.outputs == {"map": ["batch", 64, 64], "score": ["batch"]}


def test_a_missing_onnxruntime_is_one_clear_line(cprn, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"mvps\[onnx\]"):
        export.export_run(cprn[0], tmp_path / "out.onnx")


def test_a_patchcore_is_refused(tmp_path):
    with store_at(tmp_path / "cache"):
        run, _ = tiny_run(tmp_path)
        with pytest.raises(InputError, match="no network"):
            export.export_run(run, tmp_path / "out.onnx")


def test_the_command_prints_the_file_as_json(cprn, tmp_path):
    run, _ = cprn
    out = tmp_path / "out.onnx"
    result = mvps("detect", "export", run.folder, out, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["onnx"] == str(out)
