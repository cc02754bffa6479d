from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import pytest
from tiny_run import SIDE, store_at, tiny_run, tiny_settings, write_noise

from mvps.datasets import Record
from mvps.detect.detector import Detector, Scores
from mvps.detect.features import FeatureSource
from mvps.detect.preprocess import Preprocess
from mvps.detect.run_folder import Run
from mvps.detect.score_folder import (
    FACTS,
    SCORES,
    SampleRow,
    ScoreRow,
    read_scores,
    row_of,
    samples_of,
)
from mvps.detect.score_run import JOURNAL, ScoreSettings, of_split, score_run
from mvps.detect.scoring import score_source, top_mean
from mvps.detect.verdict import Rule, parse_rule
from mvps.errors import InputError, MvpsError

Given = tuple[Run, tuple[Record, ...], Path]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Given]:
    folder = tmp_path_factory.mktemp("scored")
    with store_at(folder / "cache"):
        run, dataset = tiny_run(folder)
        yield run, of_split(dataset.records, "test"), folder


class MapAlone:
    """A detector whose image scores are not its own."""

    def __init__(self, detector: Any) -> None:
        self._detector = detector

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)

    def score(self, batch: Any) -> Scores:
        return Scores(self._detector.score(batch).tokens)


CPU = ScoreSettings(device="cpu", map_top=64.0)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_defective_images_score_higher_and_their_maps_are_hot_on_the_defect(
    trained: Given, tmp_path: Path
) -> None:
    run, records, _ = trained
    scores = score_run(run, records, tmp_path / "out", CPU)
    by_label = {label: [r.score for r in scores.rows if r.label == label] for label in (0, 1)}
    assert len(by_label[0]) == 4 and len(by_label[1]) == 3
    assert min(by_label[1]) > max(by_label[0])
    for row in scores.rows:
        values = row.read_map()
        assert values.shape == (SIDE, SIDE)
        if row.label:
            assert values[16:32, 16:32].mean() > 1.2 * values[48:, 48:].mean()
    assert read_scores(tmp_path / "out").rows == scores.rows
    assert read_scores(tmp_path / "out").samples == scores.samples


def test_scoring_that_was_killed_goes_on_to_the_same_bytes(trained: Given, tmp_path: Path) -> None:
    run, records, _ = trained
    settings = replace(CPU, batch=2, overlays="all")
    score_run(run, records, tmp_path / "whole", settings)
    cut = tmp_path / "cut"

    class Killed(BaseException):
        pass

    done = []

    def kill_after_three(count: int) -> None:
        done.append(count)
        if sum(done) == 3:
            raise Killed

    with pytest.raises(Killed):
        score_run(run, records, cut, settings, progress=kill_after_three)
    assert not (cut / FACTS).exists()
    with (cut / JOURNAL).open("a") as file:
        file.write('["part/te')  # a line that was cut off
    done = [-100]
    score_run(run, records, cut, settings, progress=kill_after_three)
    assert contents(cut) == contents(tmp_path / "whole")


def test_a_killed_process_leaves_a_folder_that_goes_on_to_the_same_bytes(
    trained: Given, tmp_path: Path
) -> None:
    run, _, folder = trained
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from mvps.datasets import read_dataset\n"
        "from mvps.detect.run_folder import read_run\n"
        "from mvps.detect.score_run import ScoreSettings, of_split, score_run\n"
        "root, out = map(Path, sys.argv[1:])\n"
        "records = of_split(read_dataset(root / 'data').records, 'test')\n"
        "left = [4]\n"
        "def kill(count):\n"
        "    left[0] -= count\n"
        "    if left[0] == 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "settings = ScoreSettings(device='cpu', batch=3)\n"
        "score_run(read_run(root / 'run'), records, out, settings, progress=kill)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, folder, tmp_path / "cut"], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len((tmp_path / "cut" / JOURNAL).read_text().splitlines()) == 5
    settings = ScoreSettings(device="cpu", batch=3)
    records = trained[1]
    for name in ("cut", "whole"):
        score_run(run, records, tmp_path / name, settings)
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")


def test_another_threshold_judges_anew_without_scoring(trained: Given, tmp_path: Path) -> None:
    run, records, _ = trained
    score_run(run, records, tmp_path, CPU)
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "maps").rglob("*.npy")}
    all_ng = score_run(run, records, tmp_path, replace(CPU, rule=Rule("value", -1.0)))
    assert all(row.verdict == "NG" for row in all_ng.rows)
    assert all(sample.verdict == "NG" for sample in all_ng.samples)
    best = score_run(run, records, tmp_path, replace(CPU, rule=Rule("f1"), overlays="ng"))
    assert [row.verdict == "NG" for row in best.rows] == [bool(r.label) for r in records]
    assert sum(1 for _ in (tmp_path / "overlays").rglob("*.png")) == 3
    assert stamps == {p: p.stat().st_mtime_ns for p in (tmp_path / "maps").rglob("*.npy")}


def test_maps_of_16_bits_are_those_of_half_floats(trained: Given, tmp_path: Path) -> None:
    run, records, _ = trained
    half = score_run(run, records, tmp_path / "a", CPU)
    png = score_run(run, records, tmp_path / "b", replace(CPU, maps="png16"))
    top = max(float(row.read_map().max()) for row in half.rows)
    assert top < CPU.map_top  # nothing was clipped
    for one, other in zip(half.rows, read_scores(tmp_path / "b").rows, strict=True):
        assert other.map.endswith(".png") and one.score == other.score
        # Half a step of 64/65535, and of a half float below 16: 2**-8.
        np.testing.assert_allclose(other.read_map(), one.read_map(), atol=64 / 65535 + 2**-7)
    assert png.facts["maps"]["scale"] == 64 / 65535


def test_the_threshold_of_the_run_decides(trained: Given, tmp_path: Path) -> None:
    run, records, _ = trained
    scores = score_run(run, records, tmp_path, CPU)
    kinds: dict[str, Sequence[ScoreRow | SampleRow]]
    kinds = {"view": scores.rows, "sample": scores.samples}
    for unit, items in kinds.items():
        value = run.threshold("part", unit).value
        assert scores.facts["thresholds"]["part"][unit]["value"] == value
        assert [i.verdict for i in items] == ["NG" if i.score > value else "OK" for i in items]


def test_scores_of_another_run_are_kept_apart(trained: Given, tmp_path: Path) -> None:
    run, records, _ = trained
    score_run(run, records[:2], tmp_path, CPU)
    with pytest.raises(InputError, match="another run, data or settings"):
        score_run(run, records[:3], tmp_path, CPU)
    assert len(score_run(run, records[:3], tmp_path, CPU, overwrite=True).rows) == 3
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("")
    with pytest.raises(InputError, match="not empty and holds no scores"):
        score_run(run, records, tmp_path / "mine", CPU)


def test_a_sample_has_the_highest_score_of_its_views_and_their_worst_label() -> None:
    views = [Record("c", "s", str(i), "test", i == 1, "ab"[i], Path("a"), None) for i in (0, 1)]
    rows = [row_of(view, score) for view, score in zip(views, (0.7, 0.2), strict=True)]
    (sample,) = samples_of(rows)
    assert (sample.score, sample.label, sample.defect) == (0.7, 1, "b")


def test_masks_and_labels_do_not_reach_the_detector(trained: Given) -> None:
    run, records, _ = trained
    blind = [replace(r, label=0, defect="good", mask=None) for r in records]
    maps = []
    for some in (records, blind):
        detector, encoder = run.detector("part", "cpu"), run.encoder("cpu")
        source = FeatureSource(some, detector.modalities, encoder, run.preprocess)
        maps.append([scored.map for scored in score_source(detector, source)])
    np.testing.assert_array_equal(maps[0], maps[1])


def test_tiles_find_a_small_defect_in_its_place_on_the_whole_image(
    trained: Given, tmp_path: Path
) -> None:
    run, _, _ = trained
    path = write_noise(tmp_path / "large.png", 0, side=150)
    image = cv2.imread(str(path))
    assert image is not None
    image[100:120, 30:50] = 255
    cv2.imwrite(str(path), image)
    record = Record("part", "large", "", "test", 0, "good", path, None)
    detector, encoder = run.detector("part", "cpu"), run.encoder("cpu")
    tiled = Preprocess(SIDE, SIDE, tile=SIDE, overlap=16)
    source = FeatureSource([record], detector.modalities, encoder, tiled)
    assert len(source) == 9  # ceil((150 - 64) / 48) + 1 = 3 along either axis
    few, many = (
        next(score_source(cast(Detector, MapAlone(detector)), source, batch=n)) for n in (2, 8)
    )
    assert few.map.shape == (150, 150)
    np.testing.assert_allclose(few.map, many.map, rtol=1e-4, atol=1e-4)
    assert few.score == pytest.approx(top_mean(few.map))
    y, x = np.unravel_index(few.map.argmax(), few.map.shape)
    assert 92 <= y < 128 and 22 <= x < 58  # the defect, and half a patch around


def test_a_map_that_is_not_finite_is_refused(trained: Given) -> None:
    run, records, _ = trained
    detector = run.detector("part", "cpu")
    tensors = {name: t * np.nan for name, t in detector.tensors().items() if t.is_floating_point()}
    detector.load({**detector.tensors(), **tensors}, "cpu")
    source = FeatureSource(records, detector.modalities, run.encoder("cpu"), run.preprocess)
    with pytest.raises(MvpsError, match=r"part/.*not finite"):
        list(score_source(detector, source))


@pytest.mark.parametrize("text", ["", "nan", "inf", "quantile", "quantile:2", "value:1", "f1:0.5"])
def test_a_rule_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--threshold"):
        parse_rule(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("maps/part", "/etc/part"),
        ("maps/part", "../maps/part"),
        (",OK,", ",PERHAPS,"),
        ("category,", "kind,"),
        (",test,", ","),
    ],
)
def test_a_damaged_table_is_refused(trained: Given, tmp_path: Path, old: str, new: str) -> None:
    run, records, _ = trained
    score_run(run, records, tmp_path, replace(CPU, rule=Rule("value", 1e9)))
    path = tmp_path / SCORES
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=r"scores\.csv"):
        read_scores(tmp_path)


def test_a_folder_of_a_newer_version_is_refused(trained: Given, tmp_path: Path) -> None:
    run, records, _ = trained
    score_run(run, records, tmp_path, CPU)
    stated = json.loads((tmp_path / FACTS).read_text()) | {"version": 2}
    (tmp_path / FACTS).write_text(json.dumps(stated))
    with pytest.raises(InputError, match="update mvps"):
        read_scores(tmp_path)


def test_settings_of_tiles_go_with_the_key_of_features() -> None:
    keys = {tiny_settings(tile=t, overlap=o).preprocess.key for t, o in ((0, 0), (64, 0))}
    assert len(keys) == 2
    with pytest.raises(InputError, match="--overlap"):
        Preprocess(64, 64, overlap=8)
