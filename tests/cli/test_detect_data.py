from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import dataset_trees
import numpy as np
import pytest
from running import mvps, only_error

from mvps.cli import main
from mvps.cli.detect_cache import size_of
from mvps.errors import InputError

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: exit code, stdout, stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mvps", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    dataset_trees.realiad_mvn(tmp_path / "set")
    return tmp_path / "set"


def test_a_sound_data_set_is_shown_in_tables(run: Run, tree: Path) -> None:
    code, out, err = run("detect", "data", tree)
    assert code == 0 and "error" not in err
    assert "Real-IAD-MVN, or mvps synth dataset; categories: 1, images: 12" in out
    (row,) = [line for line in out.splitlines() if "jst_eh" in line and "│" in line]
    cells = row.replace("│", " ").split()
    assert cells == ["jst_eh", "6", "2", "6", "2", "4", "12", "4"]
    assert "6.25%" in out
    assert max(map(len, out.splitlines()[1:])) <= 80


def test_json_is_one_document_and_the_picture_is_there(run: Run, tree: Path) -> None:
    picture = tree.parent / "a.png"
    code, out, err = run("detect", "data", tree, "--json", "--plot", picture)
    assert code == 0 and str(picture) in err.replace("\n", "")
    stated = json.loads(out)
    assert stated["layout"] == "realiad-mvn"
    assert stated["categories"][0]["splits"]["test"] == {"sound": 2, "defective": 4}
    assert picture.stat().st_size > 10_000


def test_a_missing_file_ends_with_one_line_and_code_1(run: Run, tree: Path) -> None:
    next(tree.glob("jst_eh/OK/S0001/*RGB*")).unlink()
    code, _, err = run("detect", "data", tree)
    (line,) = [line for line in err.splitlines() if line.startswith("error:")]
    assert code == 1 and "colour files are missing: jst_eh/OK/S0001/" in line


def test_a_symlink_out_of_the_folder_ends_with_one_line_and_code_2(run: Run, tree: Path) -> None:
    (tree / "jst_eh" / "more").symlink_to("/etc")
    code, out, err = run("detect", "data", tree)
    assert code == 2 and out == ""
    assert err.count("\n") == 1 and "is a symlink out of the data folder" in err


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--layout", "mvtec"), "--layout: 'mvtec' is unknown"),
        (("--category", "nut"), "holds nothing of nut"),
        (("--plot", "a.txt"), "not a picture's name"),
        (("--pattern", "{smaple}"), "did you mean 'sample'"),
        (("--layout", "pattern"), "--pattern: is missing"),
        (("--images", "nowhere"), "--images: no folder 'nowhere'"),
    ],
)
def test_wrong_words_are_refused(run: Run, tree: Path, words: tuple[str, ...], fault: str) -> None:
    code, _, err = run("detect", "data", tree, *words)
    assert code == 2 and fault in err


def test_a_pattern_describes_a_tree_of_ones_own(run: Run, tmp_path: Path) -> None:
    paint = dataset_trees.Painter(tmp_path)
    for folder in ("train/good", "test/good", "test/dent"):
        paint.colour(f"{folder}/{folder.replace('/', '')}.png")
    code, out, _ = run(
        "detect", "data", tmp_path, "--pattern", "{split}/{defect}/{sample}.png", "--json"
    )
    assert code == 0
    assert json.loads(out)["categories"][0]["defects"] == {"dent": 1}


def test_neither_torch_nor_an_image_codec_is_loaded_for_help_and_no_torch_for_data(
    tree: Path,
) -> None:
    script = (
        "import sys; from mvps.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "sys.stderr.write('LOADED' + ','.join(m for m in ('torch', 'timm', 'cv2', 'matplotlib')"
        " if m in sys.modules))"
    )

    def loaded(*words: str) -> set[str]:
        result = subprocess.run(
            [sys.executable, "-c", script, *words], capture_output=True, text=True, check=True
        )
        return set(filter(None, result.stderr.rpartition("LOADED")[2].split(",")))

    assert loaded("detect", "data", "--help") == set()
    assert not loaded("detect", "data", str(tree)) & {"torch", "timm", "matplotlib"}


def test_the_command_refuses_a_hostile_list_in_a_process_of_its_own(tree: Path) -> None:
    path = tree / "jst_eh.json"
    path.write_text(path.read_text().replace("OK/S0001", "../../S0001"))
    result = mvps("detect", "data", tree)
    assert result.returncode == 2
    assert "leads out of the data folder" in only_error(result)


def fill(folder: Path) -> None:
    for number in range(3):
        place = folder / "ab"
        place.mkdir(parents=True, exist_ok=True)
        path = place / f"ab{number}.npy"
        np.save(path, np.zeros((1, 100, 10), np.float16))
        os.utime(path, (number, number))


def test_the_cache_is_shown_pruned_from_the_oldest_and_cleared(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MVPS_CACHE", str(tmp_path))
    assert json.loads(run("detect", "cache", "show", "--json")[1])["files"] == 0
    folder = tmp_path / "features"
    fill(folder)
    size = 128 + 2000  # a header of NumPy's, and 1000 half floats
    shown = json.loads(run("detect", "cache", "show", "--json")[1])
    assert shown == {"folder": str(folder), "files": 3, "bytes": 3 * size}
    code, out, _ = run("detect", "cache", "prune", "--keep", "4.5kB")
    assert code == 0 and "dropped 1 files" in out and "left 2 files" in out
    assert not (folder / "ab/ab0.npy").exists()
    dropped = json.loads(run("detect", "cache", "clear", "--json")[1])
    assert dropped["dropped"]["files"] == 2 and dropped["left"] == {"files": 0, "bytes": 0}


def test_a_cache_elsewhere_must_be_there(run: Run, tmp_path: Path) -> None:
    code, _, err = run("detect", "cache", "clear", "--folder", tmp_path / "none")
    assert code == 2 and "no such folder" in err


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("20GB", 20e9), ("1.5 GiB", 1.5 * 2**30), ("3k", 3000), ("7MB", 7e6), ("2TB", 2e12)],
)
def test_sizes_are_read_as_they_are_written(text: str, size: float) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1e9", "20XB", "1.2.3GB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--keep"):
        size_of(text)
