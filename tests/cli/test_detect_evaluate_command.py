"""``mvps detect evaluate``: maps of any program, found, refused or scored."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from mvps.cli import main

pytest.importorskip("torch", reason="the detect extra is not installed")

from dataset_trees import mvtec_ad, realiad

from mvps.datasets import Dataset, ReadOptions, read_dataset

Call = Callable[..., tuple[int, str, str]]
SIDE = 24


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    root = tmp_path / "set"
    mvtec_ad(root)
    return read_dataset(root)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def called(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mvps", "detect", "evaluate", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, " ".join(err.split())

    return called


def write_maps(data: Dataset, folder: Path, *, beside: bool = False) -> list[Path]:
    """Maps that rise where the mask is set, of another size than the pictures."""
    written = []
    for record in data.records:
        if record.split != "test":
            continue
        values = np.linspace(0, 0.01, SIDE * SIDE, dtype=np.float32).reshape(SIDE, SIDE)
        if record.mask is not None:
            mask = cv2.imread(str(record.mask), cv2.IMREAD_GRAYSCALE)
            values += cv2.resize(mask, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST_EXACT) / 255.0
        assert record.rgb is not None
        stem = record.rgb.relative_to(data.root).with_suffix("") if beside else Path(record.name)
        path = folder / stem.parent / (stem.name + ".npy")
        if not beside and not record.view:
            path = folder / record.category / record.sample / "view.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, values.astype(np.float32))
        written.append(path)
    return written


@pytest.mark.parametrize("beside", [False, True])
def test_maps_that_mark_the_defects_are_perfect(
    data: Dataset, tmp_path: Path, call: Call, beside: bool
) -> None:
    write_maps(data, tmp_path / "maps", beside=beside)
    code, out, err = call(tmp_path / "maps", data.root, "--json", "--out", tmp_path / "f.json")
    assert code == 0, err
    mean = json.loads(out)["mean"]["all"]
    assert mean["I-AUROC"] == 1
    assert mean["P-AUROC"] == pytest.approx(1, abs=1e-3)
    assert mean["AUPRO"] == pytest.approx(1, abs=1e-2)
    assert mean["categories"]["AUPRO"] == len(data.categories)
    assert json.loads((tmp_path / "f.json").read_text()) == json.loads(out)


def test_scores_of_images_go_before_the_maps(data: Dataset, tmp_path: Path, call: Call) -> None:
    write_maps(data, tmp_path / "maps")
    lines = ["category,sample,view,score"]
    lines += [f"{r.category},{r.sample},{r.view},{1 - r.label}" for r in data.records]
    (tmp_path / "s.csv").write_text("\n".join(lines))
    code, out, err = call(tmp_path / "maps", data.root, "--scores", tmp_path / "s.csv", "--json")
    assert code == 0, err
    assert json.loads(out)["mean"]["all"]["I-AUROC"] == 0


def test_maps_of_our_own_cover_what_the_encoder_saw(
    data: Dataset, tmp_path: Path, call: Call
) -> None:
    from mvps.detect.preprocess import Preprocess, mask_pixels

    preprocess = Preprocess(32, 24)
    for record in data.records:
        path = tmp_path / "scores" / "maps" / record.category / record.sample / "view.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(0).random((24, 24), np.float32) / 100
        np.save(path, noise + mask_pixels(record.mask, preprocess))
    settings = {"resize": 32, "crop": 24, "tile": 0, "overlap": 0}
    (tmp_path / "scores" / "scores.json").write_text(json.dumps({"settings": settings}))
    code, out, err = call(tmp_path / "scores" / "maps", data.root, "--json")
    assert code == 0, err
    assert json.loads(out)["mean"]["all"]["P-AUROC"] == pytest.approx(1, abs=1e-3)
    (tmp_path / "scores" / "scores.json").write_text("{")
    code, _, err = call(tmp_path / "scores" / "maps", data.root)
    assert code == 2
    assert "scores.json: is damaged" in err


def test_missing_maps_are_counted_and_named(data: Dataset, tmp_path: Path, call: Call) -> None:
    maps = write_maps(data, tmp_path / "maps")
    maps[0].unlink()
    code, _, err = call(tmp_path / "maps", data.root)
    assert code == 2
    assert "1 maps are missing: " in err


@pytest.mark.parametrize("fault", ["nan", "pickle"])
def test_maps_that_cannot_be_used_are_named(
    data: Dataset, tmp_path: Path, call: Call, fault: str
) -> None:
    path = write_maps(data, tmp_path / "maps")[1]
    if fault == "nan":
        np.save(path, np.full((4, 4), np.nan, np.float32))
    else:
        path.write_bytes(pickle.dumps({"a": 1}))
    code, _, err = call(tmp_path / "maps", data.root)
    assert code == 2
    assert path.name in err
    assert "Traceback" not in err


def test_a_folder_that_is_none_and_a_table_without_scores(
    data: Dataset, tmp_path: Path, call: Call
) -> None:
    code, _, err = call(tmp_path / "nowhere", data.root)
    assert code == 2
    assert "is no folder" in err
    write_maps(data, tmp_path / "maps")
    (tmp_path / "s.csv").write_text("name,value\na,1\n")
    code, _, err = call(tmp_path / "maps", data.root, "--scores", tmp_path / "s.csv")
    assert code == 2
    assert "lacks one of the columns" in err


def test_a_place_that_takes_no_file_is_named_before_any_map_is_read(
    data: Dataset, tmp_path: Path, call: Call
) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "file").write_text("")
    for out, fault in ((tmp_path, "is a folder"), (tmp_path / "file/x", "cannot be made")):
        code, _, err = call(tmp_path / "maps", data.root, "--out", out)
        assert code == 2
        assert fault in err and "missing" not in err


def test_lists_and_patterns_say_how_the_data_lies(
    data: Dataset, tmp_path: Path, call: Call
) -> None:
    write_maps(data, tmp_path / "maps", beside=True)
    pattern = "{category}/{split}/{defect}/{sample}.png"
    code, out, err = call(tmp_path / "maps", data.root, "--pattern", pattern, "--json")
    assert code == 0, err
    assert json.loads(out)["mean"]["all"]["I-AUROC"] == 1
    code, _, err = call(tmp_path / "maps", data.root, "--pattern", "{nonsense}.png")
    assert code == 2
    assert "--pattern" in err


def test_one_of_several_folders_of_lists_is_chosen(tmp_path: Path, call: Call) -> None:
    root = tmp_path / "lists"
    realiad(root)
    lists = next(path for path in root.iterdir() if "json" in path.name)
    shutil.copytree(lists, root / "realiad_jsons_sv")
    data = read_dataset(root, "realiad", ReadOptions(lists="realiad_jsons_sv"))
    write_maps(data, tmp_path / "maps")
    code, _, err = call(tmp_path / "maps", root, "--lists", "realiad_jsons_sv", "--json")
    assert code == 0, err
    code, _, err = call(tmp_path / "maps", root, "--lists", "realiad_jsons_none")
    assert code == 2
    assert "--lists" in err
