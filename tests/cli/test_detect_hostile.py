"""Hostile data sets, checkpoints and models: refused in one line by the commands that read them."""

from __future__ import annotations

import os
import pickle
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import dataset_trees
import pytest

pytest.importorskip("torch", reason="the detect extra is not installed")
pytest.importorskip("safetensors", reason="the detect extra is not installed")

from tiny_vit import tiny_store

from mvps.cli import main
from mvps.detect.run_folder import model_path, read_run
from mvps.errors import InputError

__all__ = ["tiny_store"]

os.environ["MVPS_TORCH_THREADS"] = "1"
WORDS = (
    *("--encoder", "tiny", "--layers", "1,2,4", "--size", "64", "--no-crop"),
    *("--steps", "2", "--batch", "2", "--precision", "32", "--no-tensorboard"),
)
Refused = Callable[[], str]


class Trap:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.place),)


@pytest.fixture
def tree(tiny_store: Path) -> Path:
    dataset_trees.realiad_mvn(tiny_store / "set")
    return tiny_store / "set"


@pytest.fixture
def call(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], tuple[int, str]]:
    """Train on the tree: exit code and stderr."""

    def train() -> tuple[int, str]:
        words = ["detect", "train", str(tree), str(tree.parent / "run"), *WORDS]
        monkeypatch.setattr(sys, "argv", ["mvps", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr().err

    return train


@pytest.fixture
def refused(call: Callable[[], tuple[int, str]]) -> Refused:
    """The one line that training on the tree ends with."""

    def line() -> str:
        code, err = call()
        (found,) = [line for line in err.splitlines() if line.startswith("error:")]
        assert code == 2 and "Traceback" not in err
        return found

    return line


def test_a_symlink_out_of_the_data_folder(tree: Path, refused: Refused) -> None:
    (tree / "jst_eh" / "more").symlink_to("/etc")
    assert "is a symlink out of the data folder" in refused()
    assert not (tree.parent / "run").exists()


@pytest.mark.parametrize("path", ["../../S0001", "/etc/S0001"])
def test_a_list_that_leads_out_of_the_data_folder(tree: Path, refused: Refused, path: str) -> None:
    lists = tree / "jst_eh.json"
    lists.write_text(lists.read_text().replace("OK/S0001", path))
    assert "jst_eh.json" in refused()
    assert not (tree.parent / "run").exists()


def test_a_header_of_60000_by_60000_pixels(tree: Path, refused: Refused) -> None:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    path = next((tree / "jst_eh/OK/S0001").glob("*RGB*"))
    path.write_bytes(head + struct.pack(">I", zlib.crc32(chunk)) + b"\x00" * 64)
    line = refused()
    assert path.name in line and "60000x60000, above the limit" in line


def test_a_pickle_in_place_of_a_checkpoint_does_not_run(tree: Path, refused: Refused) -> None:
    trap = tree.parent / "sprung"
    place = tree.parent / "run/models/all/checkpoint.safetensors"
    place.parent.mkdir(parents=True)
    place.write_bytes(pickle.dumps(Trap(trap)))
    assert "holds files, and no run" in refused()
    place.unlink()
    for folder in (place.parent, place.parent.parent, tree.parent / "run"):
        folder.rmdir()
    started_without_end(tree, refused)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(pickle.dumps(Trap(trap)))
    line = refused()
    assert "checkpoint.safetensors: is no whole safetensors file" in line
    assert "remove it to start anew" in line and not trap.exists()


def started_without_end(tree: Path, refused: Refused) -> None:
    """A run that could not be finished: one of its images is damaged."""
    path = next((tree / "jst_eh/OK/S0001").glob("*RGB*"))
    kept = path.read_bytes()
    path.write_bytes(kept[: len(kept) // 2])
    assert path.name in refused()
    path.write_bytes(kept)


def test_a_pickle_in_place_of_a_model_does_not_run(
    tree: Path, call: Callable[[], tuple[int, str]]
) -> None:
    assert call()[0] == 0
    trap = tree.parent / "sprung"
    run = read_run(tree.parent / "run")
    path = model_path(run.folder, "all")
    kept = path.read_bytes()
    path.write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(InputError, match=r"is no whole safetensors file.*train again"):
        run.detector("jst_eh", "cpu")
    path.write_bytes(kept[:-100])
    with pytest.raises(InputError, match="is no whole safetensors file"):
        run.detector("jst_eh", "cpu")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"version": 1', '"version": 2', "is of version 2, not 1; update mvps"),
        ('"learn"', "learn", "is damaged"),
        ('"jst_eh": {', '"../../up": {', "is damaged"),
        ('"steps": 2', '"stepps": 2', "is damaged"),
        ('"patch": ', '"patch": "x", "_": ', "is damaged"),
    ],
)
def test_a_run_file_that_was_tampered_with(
    tree: Path, call: Callable[[], tuple[int, str]], old: str, new: str, fault: str
) -> None:
    assert call()[0] == 0
    path = tree.parent / "run/run.json"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError) as found:
        read_run(tree.parent / "run")
    assert fault in str(found.value) and "\n" not in str(found.value)
