"""``mvps detect train``: what a run holds, and the same bytes after any kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
    *("--hold-out", "0.34", "--steps", "6", "--batch", "2", "--precision", "32"),
)
Run = Callable[..., tuple[int, str, str]]

# The command, which kills itself at the n-th call of a function: "module:name:n".
KILLED = """
import importlib, os, signal, sys
where, name, left = sys.argv.pop(1).split(":")
module = importlib.import_module(where)
owner = module.FeatureCache if hasattr(module, "FeatureCache") and name == "put" else module
kept, left = getattr(owner, name), int(left)
def counted(*words, **named):
    global left
    result, left = kept(*words, **named), left - 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(owner, name, counted)
from mvps.cli import main
main()
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process: exit code, stdout, stderr."""

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mvps", "detect", "train", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


@pytest.fixture
def tree(tiny_store: Path) -> Path:
    dataset_trees.realiad_mvn(tiny_store / "set")
    return tiny_store / "set"


def killed(at: str, *words: object) -> int:
    result = subprocess.run(
        [sys.executable, "-c", KILLED, at, "detect", "train", *map(str, words)],
        capture_output=True,
        check=False,
    )
    return result.returncode


def test_a_run_holds_model_settings_and_thresholds(run: Run, tree: Path) -> None:
    folder = tree.parent / "run"
    code, out, _ = run(tree, folder, *WORDS, "--json")
    assert code == 0
    stated = json.loads(out)
    trained = read_run(folder)
    assert stated["digest"] == trained.digest
    assert trained.data["categories"] == {"jst_eh": {"learn": 4, "held_out": 2}}
    figures = trained.models["all"].figures
    assert figures["steps"] == 6
    view, sample = (trained.threshold("jst_eh", unit) for unit in ("view", "sample"))
    assert (view.normal, sample.normal) == (2, 1)
    assert sample.value == view.value  # a sample's score is the highest of its views
    assert trained.threshold("a part never seen", "view") == view
    assert not list(folder.rglob("checkpoint*"))
    before = model_path(folder, "all").stat().st_mtime_ns
    assert run(tree, folder, *WORDS)[0] == 0
    assert model_path(folder, "all").stat().st_mtime_ns == before


def test_a_plan_writes_nothing_and_counts_what_finds_no_room(run: Run, tree: Path) -> None:
    one = 3 * 16 * 64 * 2  # layers, tokens, features, bytes
    words = (*WORDS, "--plan", "--json", "--cache-budget", str(5 * one + 10))
    code, out, _ = run(tree, tree.parent / "run", *words)
    stated = json.loads(out)
    assert code == 0 and not (tree.parent / "run").exists()
    assert (stated["inputs"], stated["cached"], stated["past_budget"]) == (12, 0, 7)
    assert stated["feature_bytes"] == 12 * one
    assert stated["models"] == [{"name": "all", "learn": 4, "held_out": 2, "steps": 6}]


def test_kills_while_caching_and_while_training_change_no_byte(run: Run, tree: Path) -> None:
    whole, folder = tree.parent / "whole", tree.parent / "run"
    assert run(tree, whole, *WORDS)[0] == 0
    assert run(tree, folder, *WORDS, "--plan")[0] == 0
    features = Path(os.environ["MVPS_CACHE"]) / "features"
    for path in features.rglob("*.npy"):
        path.unlink()
    assert killed("mvps.detect.cache:put:3", tree, folder, *WORDS) == -9
    assert 0 < len(list(features.rglob("*.npy"))) < 12
    with pytest.raises(InputError, match="has not finished; run the same"):
        read_run(folder)
    assert killed("mvps.detect.training:_keep:2", tree, folder, *WORDS) == -9
    assert (folder / "models/all/checkpoint.safetensors").is_file()
    assert run(tree, folder, *WORDS)[0] == 0
    paths = [model_path(place, "all") for place in (whole, folder)]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert (whole / "run.json").read_text() == (folder / "run.json").read_text()


def test_overwrite_touches_no_folder_that_holds_no_run(run: Run, tree: Path) -> None:
    own = tree.parent / "project/models/own.txt"
    own.parent.mkdir(parents=True)
    own.write_text("mine")
    words = (*WORDS, "--detector", "patchcore", "--overwrite")
    code, _, err = run(tree, tree.parent / "project", *words)
    assert code == 2 and "holds files, and no run" in err and own.read_text() == "mine"


def test_a_run_of_other_settings_is_not_gone_on_with(run: Run, tree: Path) -> None:
    folder = tree.parent / "run"
    words = (*WORDS, "--detector", "patchcore")
    assert run(tree, folder, *words)[0] == 0
    code, _, err = run(tree, folder, *words, "--seed", "1")
    assert code == 2 and "holds a run of other settings (seed)" in err and "--overwrite" in err
    assert run(tree, folder, *words, "--seed", "1", "--overwrite")[0] == 0
    assert read_run(folder).settings.seed == 1


def test_a_model_a_category_answers_for_it_alone(run: Run, tree: Path) -> None:
    folder = tree.parent / "run"
    assert run(tree, folder, *WORDS, "--detector", "patchcore", "--per-category")[0] == 0
    trained = read_run(folder)
    assert trained.detector("jst_eh", "cpu").name == "patchcore"
    with pytest.raises(InputError, match="has no model of 'nut'; it has jst_eh"):
        trained.detector("nut", "cpu")


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("--size", "60"), "60 px is no multiple of the patch, 16 px; try 64"),
        (("--layers", "1,9"), "[1, 9] are not among the 6 blocks"),
        (("--encoder", "none"), "neither imported weights nor a timm model"),
        (("--category", "nut"), "holds nothing of nut"),
        (("--fusion", "both"), "--fusion: 'both' is unknown"),
        (("--precision", "16"), "16 is for GPUs"),
        (("--shots", "9"), "jst_eh has 3 samples for training, not 9"),
        (("--batch", "0"), "--batch: 0 is not positive"),
        (("--preset", "best"), "--preset: 'best' is unknown; use default, paper"),
        (("--detector", "patchcore", "--prototypes", "3"), "is no option of patchcore"),
        (("--mlflow",), "mlflow"),
    ],
)
def test_wrong_words_are_refused_before_any_work(
    run: Run, tree: Path, words: tuple[str, ...], fault: str
) -> None:
    code, out, err = run(tree, tree.parent / "run", *WORDS, *words)
    assert code == 2 and out == "" and err.count("error:") == 1
    assert fault in " ".join(err.split())
    assert not (tree.parent / "run").exists()


def test_training_images_without_normals_are_refused_unless_colour_is_enough(
    run: Run, tree: Path
) -> None:
    path = tree / "jst_eh.json"
    stated = json.loads(path.read_text())
    for entry in stated["train"]:
        del entry["ps_path"]
    path.write_text(json.dumps(stated))
    code, _, err = run(tree, tree.parent / "run", *WORDS)
    assert code == 2 and "training images have no normal map" in err and "--fusion rgb" in err
    assert run(tree, tree.parent / "run", *WORDS, "--fusion", "rgb")[0] == 0


def test_a_full_disk_is_known_beforehand(
    run: Run, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    code, _, err = run(tree, tree.parent / "run", *WORDS)
    assert code == 1 and "models and checkpoints take up to" in err
    assert not (tree.parent / "run").exists()


def test_figures_are_logged_for_tensorboard(run: Run, tree: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    folder = tree.parent / "run"
    assert run(tree, folder, *WORDS, "--tensorboard")[0] == 0
    (path,) = (folder / "logs/all").glob("events.out.tfevents.*")
    assert b"held_out" in path.read_bytes()
