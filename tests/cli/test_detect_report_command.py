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


def test_points_of_the_curves_lie_beside_the_page(scored: Path, call: Call) -> None:
    assert call("report", scored, "--curve-points", "20")[0] == 0

    page = (scored / "report" / "index.html").read_text(encoding="utf-8")
    assert 'href="./curves/00_part.csv"' in page
    with (scored / "report" / "curves" / "00_part.csv").open() as file:
        rows = list(csv.DictReader(file))
    counts = {row["curve"]: 0 for row in rows}
    for row in rows:
        counts[row["curve"]] += 1
    assert set(counts) == {"ROC of parts", "ROC of pixels", "PRO"}
    assert max(counts.values()) <= 20


def test_categories_of_the_paper_stand_beside_what_was_published(scored: Path, call: Call) -> None:
    assert "as published" not in _page(call, scored)

    facts = scored / "scores" / "data" / "scores.json"
    kept = facts.read_text()
    told = json.loads(kept)
    figures = told["metrics"]["categories"]
    figures["power_jack"] = figures["part"]
    facts.write_text(json.dumps(told))
    try:
        page = _page(call, scored)
    finally:
        facts.write_text(kept)

    assert "Beside table 3 of the paper, as published" in page
    assert "for reference, no targets" in page
    assert "AST AUPRO prints 0.521, its rows give 0.4905" in page
    with (scored / "report" / "tables" / "published_2.csv").open() as file:
        rows = list(csv.reader(file))
    # The tiny set has one view, which counts as the one from above; its own category is not there.
    assert [row[0] for row in rows[1:]] == [
        "power_jack",
        "mean of these rows",
        "mean of 20, as printed",
    ]
    assert float(rows[1][1]) == 1.0
    assert rows[1][-3:] == ["0.992", "0.937", "0.662"]


def _page(call: Call, run: Path) -> str:
    assert call("report", run)[0] == 0
    return (run / "report" / "index.html").read_text(encoding="utf-8")


PATTERN = "{category}/{split}/{defect}/{sample}.png"
MASKS = "mask={category}/ground_truth/{defect}/{sample}_mask.png"


def test_data_read_by_a_pattern_is_scored_reported_and_evaluated(place: Path, call: Call) -> None:
    words = ("--pattern", PATTERN, "--pattern", MASKS)
    scores = place / "by-pattern"
    code, _, error = call(
        *("score", place / "run", place / "data", *words),
        *("--out", scores, "--device", "cpu"),
    )
    assert code == 0, error
    stated = json.loads((scores / "scores.json").read_text())
    assert stated["data"]["patterns"] == [PATTERN, MASKS]

    # The folder has a layout of its own too: without the patterns samples bear other names.
    shutil.copytree(place / "data", place / "copy")
    for more in ((), ("--data", place / "copy")):
        told = call("report", place / "run", "--scores", scores, "--out", place / "page", *more)
        assert told[0] == 0, told[2]

    code, out, error = call("evaluate", scores / "maps", place / "data", *words, "--json")
    assert code == 0, error
    aupro = stated["metrics"]["categories"]["part"]["all"]["pixels"]["aupro"]["value"]
    assert json.loads(out)["mean"]["all"]["AUPRO"] == pytest.approx(aupro, abs=1e-9)


def test_data_read_by_a_pattern_is_trained_on(place: Path, call: Call) -> None:
    code, out, error = call(
        *("train", place / "data", place / "other", "--pattern", PATTERN, "--plan", "--json"),
        *("--encoder", "tiny", "--layers", "1,2,4", "--size", "64", "--no-crop", "--fusion", "rgb"),
    )
    assert code == 0, error
    (model,) = json.loads(out)["models"]
    assert model["learn"] + model["held_out"] == 14


def test_what_scores_say_of_their_data_is_checked(scored: Path, call: Call) -> None:
    facts = scored / "scores" / "data" / "scores.json"
    kept = facts.read_text()
    told = json.loads(kept)
    try:
        broken = [
            told | {"data": told["data"] | change}
            for change in ({"patterns": [1]}, {"root": 5}, {"root": ""}, {"layout": "nonsense"})
        ]
        broken += [told | {"data": None}, told | {"thresholds": {"part": 5}}]
        for stated in broken:
            facts.write_text(json.dumps(stated))
            code, _, error = call("report", scored)
            assert code == 2, stated
            assert error.count("error:") == 1 and "Traceback" not in error
    finally:
        facts.write_text(kept)
