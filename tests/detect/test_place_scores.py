"""Scores that stand against those of sound parts at the same place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_run import store_at, tiny_run, tiny_settings, write_tree
from tiny_vit import LAYERS, SIZE, tiny_encoder, write_records
from torch import Tensor

from mvps.datasets import NORMALS, RGB, Record
from mvps.detect.anomaly_map import anomaly_maps, image_scores
from mvps.detect.cprn import CprnConfig
from mvps.detect.cprn_detector import CprnDetector
from mvps.detect.detector import Budget
from mvps.detect.export import export_run
from mvps.detect.features import FeatureSource, Item
from mvps.detect.place_scores import PRIOR, PlaceScores, place_scores, view_of
from mvps.detect.preprocess import Preprocess
from mvps.detect.recipe import Recipe
from mvps.detect.run_folder import PLACES, read_run
from mvps.detect.run_train import train_run
from mvps.detect.score_run import ScoreSettings, of_split, score_run
from mvps.detect.scoring import place_moments, score_source
from mvps.errors import InputError
from mvps.images import Window

CPU, PNG = ScoreSettings(device="cpu"), ScoreSettings(device="cpu", maps="png16")


def item(view: str, category: str = "part", window: Window | None = None) -> Item:
    return Item(Record(category, "s", view, "train", 0, "good", Path("a.png"), None), window)


def scores(seed: int, count: int, modalities: int = 2, tokens: int = 9) -> Tensor:
    return torch.from_numpy(
        np.random.default_rng(seed).random((count, modalities, tokens)).astype(np.float32)
    )


def test_moments_are_those_of_each_place_with_its_variance_drawn_to_the_mean_of_the_view() -> None:
    top, front = scores(0, 11), scores(1, 5)
    known = [(item("top"), one) for one in top] + [(item("front"), one) for one in front]
    order = np.random.default_rng(2).permutation(len(known))
    moments = place_scores([known[i] for i in order]).moments
    for view, given in (("part/top", top), ("part/front", front)):
        values, n = given.double().numpy(), len(given)
        own = values.var(0, ddof=1)
        variance = ((n - 1) * own + PRIOR * own.mean(1, keepdims=True)) / (n - 1 + PRIOR)
        np.testing.assert_allclose(moments[view][0], values.mean(0), rtol=1e-6)
        np.testing.assert_allclose(moments[view][1], np.sqrt(variance), rtol=1e-5)


def test_a_score_is_the_largest_deviation_of_the_modalities_at_its_place_in_its_view() -> None:
    moments = {"part/a": scores(0, 2) + 0.1, "part/b": scores(1, 2) + 0.1}
    tokens = scores(2, 3)
    found = PlaceScores(moments).standing(tokens, [item("b"), item("a"), item("b")])
    for i, view in enumerate(("part/b", "part/a", "part/b")):
        mean, deviation = moments[view]
        for n in range(9):
            wanted = max((tokens[i, m, n] - mean[m, n]) / deviation[m, n] for m in range(2))
            assert found[i, n] == pytest.approx(float(wanted), rel=1e-5)


def test_tiles_and_categories_are_compared_apart() -> None:
    names = {
        view_of(item("top")),
        view_of(item("top", "other")),
        view_of(item("side")),
        view_of(item("top", window=Window(0, 0, 8, 8))),
        view_of(item("top", window=Window(8, 0, 8, 8))),
    }
    assert len(names) == 5


def test_tokens_that_are_all_alike_give_finite_scores() -> None:
    alike = torch.full((1, 9), 0.25)
    found = place_scores([(item("top"), alike)] * 4).standing(alike[None], [item("top")])
    assert found.isfinite().all() and float(found.abs().max()) == 0


def test_a_view_with_too_few_sound_images_is_one_line() -> None:
    with pytest.raises(InputError, match=r"part/top has 2 sound images"):
        place_scores([(item("top"), one[0]) for one in scores(0, 2)[:, None]])


def test_too_few_sound_images_are_refused_before_any_work(tmp_path: Path) -> None:
    with store_at(tmp_path / "cache"):
        dataset = write_tree(tmp_path / "data")
        settings = tiny_settings(by_place=True, shots=3, hold_out=0.4)
        with pytest.raises(InputError, match=r"part/ has 2 sound images"):
            train_run(dataset, settings, tmp_path / "run", cache=None, device="cpu")
        assert not (tmp_path / "run").exists()


def test_a_view_without_sound_images_is_one_line_that_names_those_known() -> None:
    known = place_scores([(item("top"), one) for one in scores(0, 3)])
    with pytest.raises(InputError, match=r"part/side.*part/top"):
        known.standing(scores(1, 1), [item("side")])


def test_maps_of_a_network_stand_against_its_learnt_images(
    tmp_path: Path, tiny_store: Path
) -> None:
    records = write_records(tmp_path / "images", 6)
    detector = CprnDetector(
        CprnConfig(dim=64, heads=4, layers=len(LAYERS)), Recipe(batch=2, warm_up=1, patience=0)
    )
    encoder, preprocess = tiny_encoder(), Preprocess(SIZE, SIZE)
    source = FeatureSource(records, (RGB, NORMALS), encoder, preprocess)
    detector.fit(source, None, seed=0, device="cpu", budget=Budget(2))
    places = place_moments(detector, source, batch=4)
    parts = torch.cat([detector.score(one).modalities for one in source.batches(2)])
    assert parts.shape == (6, 2, source.grid[0] ** 2)
    whole = torch.cat([detector.score(one).tokens for one in source.batches(2)])
    torch.testing.assert_close(parts.mean(1), whole)
    tokens = places.standing(parts, source.items)
    maps = anomaly_maps(tokens, source.grid, SIZE)
    for i, one in enumerate(score_source(detector, source, batch=4, places=places)):
        np.testing.assert_allclose(one.map, maps[i], rtol=1e-3, atol=1e-3)
        assert one.score == pytest.approx(float(image_scores(maps[i : i + 1])), abs=1e-3)


def test_a_run_by_place_scores_and_judges_in_deviations(tmp_path: Path) -> None:
    with store_at(tmp_path / "cache"):
        dataset, folder = write_tree(tmp_path / "data"), tmp_path / "run"
        settings = tiny_settings(by_place=True)
        train_run(dataset, settings, folder, cache=None, device="cpu")
        run = read_run(folder)
        result = score_run(run, of_split(dataset.records, "test"), tmp_path / "out", CPU)
        by_label = {label: [r.score for r in result.rows if r.label == label] for label in (0, 1)}
        assert min(by_label[1]) > run.threshold("part").value > 0
        assert min(by_label[1]) > max(by_label[0])
        sound = [row.read_map() for row in result.rows if row.label == 0]
        assert abs(np.mean(sound)) < 1 < result.rows[-1].read_map().mean()
        steps = score_run(run, of_split(dataset.records, "test"), tmp_path / "png", PNG)
        assert steps.rows[0].scale == 32 / 65535
        assert steps.rows[-1].read_map().max() > 2  # where cosine distances would be clipped

        before = (folder / "models/all" / PLACES).read_bytes()
        again = tmp_path / "again"
        train_run(dataset, settings, again, cache=None, device="cpu")
        assert (again / "models/all" / PLACES).read_bytes() == before


def test_moments_that_are_missing_or_foreign_are_refused(tmp_path: Path) -> None:
    with store_at(tmp_path / "cache"):
        dataset = write_tree(tmp_path / "data")
        settings = tiny_settings(by_place=True)
        run = train_run(dataset, settings, tmp_path / "run", cache=None, device="cpu")
        other = replace(settings, seed=1)
        train_run(dataset, other, tmp_path / "other", cache=None, device="cpu")
        path = run.folder / "models/all" / PLACES
        path.write_bytes((tmp_path / "other/models/all" / PLACES).read_bytes())
        with pytest.raises(InputError, match="is not of"):
            run.places("part")
        save_file({"part/": torch.zeros(2, 1, 4)}, path)
        with pytest.raises(InputError, match="not written by mvps"):
            run.places("part")
        path.unlink()
        with pytest.raises(InputError, match="no such file"):
            run.places("part")


def test_a_run_without_compares_nothing_and_one_with_is_not_exported(tmp_path: Path) -> None:
    with store_at(tmp_path / "cache"):
        run, dataset = tiny_run(tmp_path)
        assert run.places("part") is None
        pytest.importorskip("onnx", reason="the onnx extra is not installed")
        pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")
        settings = tiny_settings(detector="cprn", by_place=True, steps=1)
        made = train_run(dataset, settings, tmp_path / "placed", cache=None, device="cpu")
        with pytest.raises(InputError, match="without --by-place"):
            export_run(made, tmp_path / "model.onnx")
