from __future__ import annotations

import csv
import json
import os
import pickle
import shutil
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from mvps.cli import main

os.environ["MVPS_TORCH_THREADS"] = "1"
pytest.importorskip("torch", reason="the detect extra is not installed")
pytest.importorskip("safetensors", reason="the detect extra is not installed")

from tiny_run import store_at, tiny_run, write_noise

from mvps.detect.map_files import read_map, write_map
from mvps.errors import ImageError, InputError

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("commands")
    with store_at(folder / "cache"):
        tiny_run(folder)
        yield folder


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    def called(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mvps", "detect", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return called


def test_a_data_set_is_scored_into_the_run(place: Path, call: Call) -> None:
    code, out, _ = call("score", place / "run", place / "data", "--device", "cpu", "--json")
    stated = json.loads(out)
    assert code == 0 and stated["counts"]["views"] == 7
    folder = place / "run/scores/data"
    assert stated["folder"] == str(folder)
    with (folder / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows if row["label"] == "1"] == ["NG"] * 3
    assert read_map(folder / rows[0]["map"]).shape == (64, 64)
    code, out, _ = call("score", place / "run", place / "data", "--device", "cpu")
    assert code == 0 and "part" in out and out.rstrip().endswith("scores/data")


def test_images_without_labels_are_judged(place: Path, call: Call, tmp_path: Path) -> None:
    sound = write_noise(tmp_path / "images/a.png", 900)
    spoilt = write_noise(tmp_path / "images/b.png", 901, defect=True)
    words = ("predict", place / "run", sound, spoilt, "--out", tmp_path / "out", "--device", "cpu")
    code, out, _ = call(*words, "--json", "--threshold", "10")
    stated = json.loads(out)
    score = {s["sample"]: s["score"] for s in stated["samples"]}
    assert code == 0 and score["b"] > score["a"]
    middle = (score["a"] + score["b"]) / 2
    code, out, _ = call(*words, "--threshold", middle, "--fail-on-ng")
    assert code == 3
    assert [line[:2] for line in out.splitlines()[:2]] == ["OK", "NG"]
    assert (tmp_path / "out/overlays/part/b/view.png").is_file()
    assert not (tmp_path / "out/overlays/part/a/view.png").exists()
    assert "metrics" not in stated and {v["view"] for v in stated["views"]} == {""}


def huge_png(path: Path) -> Path:
    """A header of 60,000 x 60,000 pixels with nothing behind it."""
    body = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk)
    return path


def one_line(err: str) -> str:
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1 and "Traceback" not in err
    return errors[0]


def test_what_cannot_be_scored_is_refused_in_a_line(
    place: Path, call: Call, tmp_path: Path
) -> None:
    run, data, out = place / "run", place / "data", ("--out", tmp_path / "out", "--device", "cpu")
    image = write_noise(tmp_path / "a.png", 1)
    for words, told in (
        (("score", tmp_path, data), "run.json"),
        (("score", run, data, "--threshold", "best"), "--threshold"),
        (("score", run, data, "--maps", "exr"), "--maps"),
        (("score", run, data, "--maps", "none", "--overlays", "ng"), "--overlays"),
        (("score", run, data, "--split", "tests"), "--split"),
        (("score", run, data, "--category", "nut"), "nut"),
        (("predict", run, image, "--threshold", "f1"), "needs labels"),
        (("predict", run, tmp_path / "none.png"), "none.png"),
        (("predict", run, huge_png(tmp_path / "huge.png")), "huge.png"),
    ):
        code, _, err = call(*words, *out)
        assert code == 2 and told in one_line(err), words


def test_a_damaged_run_is_refused_in_a_line(place: Path, call: Call, tmp_path: Path) -> None:
    run = tmp_path / "run"
    for name, spoil in (
        ("run.json", b'{"version": 1}'),
        ("models/all/model.safetensors", pickle.dumps({"a": 1})),
    ):
        shutil.copytree(place / "run", run, dirs_exist_ok=True)
        (run / name).write_bytes(spoil)
        code, _, err = call("score", run, place / "data", "--device", "cpu", "--out", run / "s")
        assert code == 2 and Path(name).name in one_line(err)


def test_other_weights_of_the_encoder_are_refused(place: Path, call: Call, tmp_path: Path) -> None:
    shutil.copytree(place / "run", tmp_path / "run")
    path = tmp_path / "run/run.json"
    stated = json.loads(path.read_text())
    stated["encoder"]["digest"] = "sha256:" + "0" * 64
    path.write_text(json.dumps(stated))
    out = ("--device", "cpu", "--out", tmp_path / "out")
    code, _, err = call("score", tmp_path / "run", place / "data", *out)
    assert code == 2 and "weights are not those" in one_line(err)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_folder_that_cannot_be_written_ends_with_1(
    place: Path, call: Call, tmp_path: Path
) -> None:
    tmp_path.chmod(0o500)
    out = ("--device", "cpu", "--out", tmp_path / "out")
    code, _, err = call("score", place / "run", place / "data", *out)
    assert code == 1 and "cannot be written" in one_line(err)


def test_maps_of_other_programs_are_read(tmp_path: Path) -> None:
    values = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    write_map(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(read_map(tmp_path / "a.npy"), values.astype(np.float16))
    write_map(tmp_path / "a.png", values, "png16", scale=1 / 65535)
    np.testing.assert_allclose(read_map(tmp_path / "a.png", scale=1 / 65535), values, atol=1e-5)
    np.save(tmp_path / "d.npy", values.astype(np.float64))
    np.testing.assert_array_equal(read_map(tmp_path / "d.npy"), values)


def test_maps_that_are_none_are_refused(tmp_path: Path) -> None:
    for name, array in (
        ("nan", np.array([[0, np.nan]])),
        ("colour", np.zeros((3, 5, 3))),
        ("pages", np.zeros((2, 3, 5))),
        ("objects", np.array([[{}, {}]])),
    ):
        np.save(tmp_path / f"{name}.npy", array, allow_pickle=name == "objects")
        with pytest.raises(ImageError, match=name):
            read_map(tmp_path / f"{name}.npy")
    with pytest.raises(ImageError, match="huge"):
        read_map(huge_png(tmp_path / "huge.png"))
    with pytest.raises(InputError):
        read_map(tmp_path / "none.npy")


def test_clipped_maps_are_told(place: Path, call: Call, tmp_path: Path) -> None:
    words = ("score", place / "run", place / "data", "--device", "cpu", "--maps", "png16")
    code, _, err = call(*words, "--map-top", "1e-6", "--out", tmp_path / "low")
    assert code == 0 and "are clipped at --map-top" in err
    code, _, err = call(*words, "--map-top", "1e6", "--out", tmp_path / "high")
    assert code == 0 and "are clipped" not in err
    code, _, err = call(*words, "--map-top", "nan", "--out", tmp_path / "none")
    assert code == 2 and "--map-top: nan is no score above 0" in err
