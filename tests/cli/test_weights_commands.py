from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mvps.cli import main

os.environ["MVPS_TORCH_THREADS"] = "1"
pytest.importorskip("torch", reason="the detect extra is not installed")
pytest.importorskip("safetensors", reason="the detect extra is not installed")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line in this process, with a store of its own."""
    monkeypatch.setenv("MVPS_CACHE", str(tmp_path / "cache"))

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mvps", "weights", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return call


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from safetensors.torch import save_file
    from tiny_vit import tiny_state

    path = tmp_path_factory.mktemp("given") / "tiny.safetensors"
    save_file(tiny_state(), path)
    return path


def test_weights_are_imported_listed_and_verified(run: Run, file: Path, tmp_path: Path) -> None:
    from tiny_vit import MODEL

    code, out, _ = run("import", file, "--as", "tiny", "--model", MODEL, "--json")
    stated = json.loads(out)
    assert code == 0 and (stated["name"], stated["model"]) == ("tiny", MODEL)
    assert Path(stated["path"]).is_relative_to(tmp_path)
    assert json.loads(run("list", "--json")[1]) == [stated]
    table = run("list")[1]
    assert "tiny" in table and stated["digest"].removeprefix("sha256:")[:12] in table
    assert run("verify", "tiny")[:2] == (0, "tiny: unchanged\n")


def test_changed_weights_are_told_by_name_and_among_all(run: Run, file: Path) -> None:
    from tiny_vit import MODEL

    run("import", file, "--as", "tiny", "--model", MODEL)
    stated = json.loads(run("list", "--json")[1])[0]
    path = Path(stated["path"])
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    code, out, err = run("verify", "--json")
    assert code == 1 and "differs from what was imported" in err
    assert json.loads(out)[0]["unchanged"] is False
    assert run("verify", "tiny")[0] == 2


def test_an_empty_store_says_how_to_fill_it(run: Run) -> None:
    code, out, err = run("list")
    assert (code, out) == (0, "") and "mvps weights import FILE --as NAME" in err


def test_a_pickle_that_runs_code_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"model": Evil()}, protocol=2))
    code, out, err = run("import", path, "--as", "evil")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert not (tmp_path / "ran").exists()


def test_a_name_that_leads_elsewhere_is_refused(run: Run, file: Path) -> None:
    code, _, err = run("import", file, "--as", "../x")
    assert code == 2 and "is no plain name" in err
    assert run("verify", "../x")[0] == 2
