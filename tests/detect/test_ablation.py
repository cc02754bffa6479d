"""An ablation trains every row with every seed once, and its tables follow from the runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tiny_run import store_at, tiny_settings, write_tree

from mvps.detect.ablation import ROWS, Ablation, ablate, row_settings
from mvps.detect.cache import FeatureCache, default_folder
from mvps.detect.recipe import Recipe
from mvps.errors import InputError

CHOSEN = tuple(row for row in ROWS if row.key in {"rgb", "patchcore-rgb"})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("ablation")
    with store_at(folder / "cache"):
        yield _ablate(folder, []), folder


def _ablate(folder: Path, begun: list[tuple[str, int]]) -> Ablation:
    dataset = write_tree(folder / "data")
    settings = tiny_settings(detector="cprn", steps=2, recipe=Recipe(batch=4), precision="32")
    return ablate(
        dataset,
        settings,
        folder / "out",
        seeds=(0, 1),
        rows=CHOSEN,
        cache=FeatureCache(default_folder(), 10**9),
        device="cpu",
        begin=lambda row, seed: begun.append((row.key, seed)),
    )


def test_the_table_states_mean_and_spread_of_the_seeds(made: tuple[Ablation, Path]) -> None:
    ablation, folder = made
    values = [t.evaluation.mean()["AUPRO"] for t in ablation.trials if t.row.key == "rgb"]
    with (folder / "out/ablation.csv").open() as file:
        rows = list(csv.DictReader(file))
    (found,) = [
        r for r in rows if (r["row"], r["part"], r["metric"]) == ("RGB only", "all", "AUPRO")
    ]
    assert float(found["mean"]) == pytest.approx(np.mean(values), abs=1e-6)
    assert float(found["deviation"]) == pytest.approx(abs(values[0] - values[1]) / 2**0.5, abs=1e-6)


def test_a_white_spot_is_found_by_the_floor(made: tuple[Ablation, Path]) -> None:
    assert made[0].spread("patchcore-rgb", "spot", "I-AUROC").mean == 1.0


def test_every_format_of_the_table_is_written(made: tuple[Ablation, Path]) -> None:
    names = {path.suffix for path in (made[1] / "out").glob("ablation.*")}
    assert names == {".csv", ".json", ".md", ".tex"}


def test_the_papers_table_follows_ours_in_a_block_of_its_own(made: tuple[Ablation, Path]) -> None:
    folder = made[1] / "out"
    ours, mark, theirs = (folder / "ablation.md").read_text().partition("**Table 4 of the paper")
    assert mark and theirs.startswith(", as published (other data: not comparable)**")
    assert "0.9759" in theirs and "0.6952†" in theirs
    assert "0.9759" not in ours and "0.9759" not in (folder / "ablation.csv").read_text()
    assert "as published" in (folder / "ablation.tex").read_text()
    stated = json.loads((folder / "ablation.json").read_text())
    assert len(stated["trials"]) == 4
    assert stated["as published"]["rows"][-1]["AUPRO"] == "0.8558"
    with (folder / "ablation_published_4.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 5


def test_a_second_call_trains_nothing(made: tuple[Ablation, Path]) -> None:
    ablation, folder = made
    begun: list[tuple[str, int]] = []
    again = _ablate(folder, begun)
    assert begun == []
    assert again.spread("rgb", "all", "AUPRO") == ablation.spread("rgb", "all", "AUPRO")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1}'])
def test_damaged_figures_are_made_again(made: tuple[Ablation, Path], text: str) -> None:
    ablation, folder = made
    path = folder / "out/runs/patchcore-rgb-seed0/evaluation.json"
    kept = json.loads(path.read_text())
    path.write_text(text)
    again = _ablate(folder, [])
    assert again.spread("patchcore-rgb", "all", "AUPRO") == ablation.spread(
        "patchcore-rgb", "all", "AUPRO"
    )
    assert json.loads(path.read_text())["key"] == kept["key"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    dataset = write_tree(tmp_path / "data")
    with pytest.raises(InputError, match=r"file/runs: cannot be made.*can be written"):
        ablate(dataset, tiny_settings(), tmp_path / "file", seeds=(0,), rows=CHOSEN)


def test_rows_change_only_what_they_say() -> None:
    common = tiny_settings(detector="cprn", fusion="ucp", options={"prototypes": 4})
    by_key = {row.key: row_settings(common, row, 7) for row in ROWS}
    assert by_key["no-lp"].options == {"prototypes": 4, "entropy_weight": 0.0}
    assert by_key["patchcore-nv"].options == {}
    assert {s.seed for s in by_key.values()} == {7}
