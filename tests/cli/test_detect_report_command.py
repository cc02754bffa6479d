"""From a trained run to its page: tables of the true figures, and faults told in one line."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mvps.cli import main

os.environ["MVPS_TORCH_THREADS"] = "1"
pytest.importorskip("torch", reason="the detect extra is not installed")
pytest.importorskip("safetensors", reason="the detect extra is not installed")

from tiny_run import store_at, tiny_run

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("report")
    with store_at(folder / "cache"):
        tiny_run(folder)
        yield folder


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def called(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mvps", "detect", *map(str, words)])
        code = 0
        try:
            code = main() or 0
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return called


@pytest.fixture
def scored(place: Path, call: Call) -> Path:
    """The run's folder, with scores of the test images."""
    assert call("score", place / "run", place / "data", "--device", "cpu")[0] == 0
    return place / "run"


def test_without_scores_it_says_how_to_get_them(place: Path, call: Call) -> None:
    shutil.rmtree(place / "run" / "scores", ignore_errors=True)

    code, out, error = call("report", place / "run")

    assert (code, out) == (2, "")
    assert "mvps detect score" in error
    assert error.count("\n") == 1


def test_the_page_lies_where_the_last_line_says(scored: Path, call: Call) -> None:
    code, out, _ = call("report", scored)

    assert code == 0
    page = Path(out.splitlines()[-1])
    assert page == scored / "report" / "index.html"
    text = page.read_text(encoding="utf-8")
    assert "By kind of defect" in text
    assert "patchcore" in text


def test_tables_hold_the_figures_of_the_scores(scored: Path, call: Call) -> None:
    assert call("report", scored)[0] == 0

    with (scored / "report" / "tables" / "categories.csv").open() as file:
        rows = list(csv.DictReader(file))
    stated = json.loads((scored / "scores" / "data" / "scores.json").read_text())["metrics"]
    # A white square on grey noise: every defective image scores above every sound one.
    assert [row["category"] for row in rows] == ["part", "mean"]
    assert float(rows[0]["I-AUROC"]) == 1.0
    aupro = stated["categories"]["part"]["all"]["pixels"]["aupro"]["value"]
    assert float(rows[0]["AUPRO"]) == pytest.approx(aupro, abs=1e-12)


def test_json_is_one_document(scored: Path, call: Call) -> None:
    code, out, _ = call("report", scored, "--json")

    told = json.loads(out)
    assert code == 0
    assert told["faults"] == []
    # One kind of defect; of seven test images the surest, the weakest and the highest sound one,
    # and the middle one of the three defective.
    assert told["sheets"] == 5


def test_a_data_set_that_was_moved_is_named(scored: Path, call: Call) -> None:
    data, moved = scored.parent / "data", scored.parent / "moved"
    data.rename(moved)
    try:
        lost = call("report", scored)
        found = call("report", scored, "--data", moved)
    finally:
        moved.rename(data)

    assert lost[0] == 2
    assert "--data" in lost[2]
    assert found[0] == 0
