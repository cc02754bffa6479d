"""``mvps evaluate dataset`` as a user types it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from running import mvps, only_error
from scenes import bumps, write_diligent


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for seed, name in enumerate(("cat", "ball")):
        scene = bumps(32, 40, 6, seed)
        write_diligent(tmp_path / "data" / name, scene)
        np.save(tmp_path / "data" / name / "normal_gt.npy", scene.normals)
    return tmp_path / "data"


def test_the_table_stands_on_stdout_and_in_the_files(tmp_path: Path, data: Path) -> None:
    forms = {form: tmp_path / f"table.{form}" for form in ("csv", "markdown", "latex")}
    words = [word for form, path in forms.items() for word in (f"--{form}", path)]

    result = mvps("evaluate", "dataset", data, "--solver", "ls", "--solver", "irls:huber", *words)

    assert result.returncode == 0
    assert "irls:huber" in result.stdout
    rows = list(csv.reader(forms["csv"].read_text().splitlines()))
    assert rows[0] == ["method", "ball", "cat", "average"]
    assert [row[0] for row in rows[1:]] == ["ls", "irls:huber"]
    assert float(rows[1][3]) < 0.01  # a matt scene without shadows, 16 bits
    assert forms["markdown"].read_text().startswith("| method | ball | cat | average |")
    assert r"\toprule" in forms["latex"].read_text()
    assert "2/2 cat: ls 0.00, irls:huber" in result.stderr


def test_json_stands_alone_on_stdout(data: Path) -> None:
    result = mvps("evaluate", "dataset", data, "--objects", "ball", "--json")

    document = json.loads(result.stdout)
    (entry,) = document["objects"]
    assert set(entry["solvers"]) == {"ls", "gated", "trimmed", "irls", "auto"}
    assert entry["solvers"]["ls"]["below_5_degrees"] == 1
    assert entry["solvers"]["ls"]["median"] < 0.01
    assert document["average"]["ls"] == entry["solvers"]["ls"]["mean"]
    assert document["failures"] == []


def test_a_broken_object_is_exit_code_1_and_all_broken_2(data: Path) -> None:
    (data / "cat" / "normal_gt.npy").unlink()

    one = mvps("evaluate", "dataset", data, "--solver", "ls")
    all_of_them = mvps("evaluate", "dataset", data, "--solver", "ls", "--objects", "cat")

    assert (one.returncode, all_of_them.returncode) == (1, 2)
    assert "holds no true normals" in only_error(one)
    assert "ball" in one.stdout
    assert "holds no true normals" in only_error(all_of_them)


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--solver", "best"], "'best' is none of"),
        (["--objects", "dog"], "no such object"),
        (["--truth", "nowhere"], "nowhere: no such file or folder"),
        (["--grey", "dark"], "--grey"),
        (["--csv", "no/such/folder/t.csv"], "--csv"),
        (["--device", "abacus"], "abacus"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(data: Path, words: list[str], fault: str) -> None:
    result = mvps("evaluate", "dataset", data, *words)

    assert result.returncode == 2
    assert fault in only_error(result)


def test_many_objects_make_an_upright_table(data: Path) -> None:
    scene = bumps(16, 16, 4)
    for number in range(20):
        write_diligent(data / f"part_with_a_name_{number}", scene)
        np.save(data / f"part_with_a_name_{number}" / "normal_gt.npy", scene.normals)

    lines = mvps("evaluate", "dataset", data, "--solver", "ls").stdout.splitlines()

    assert any("part_with_a_name_19" in line for line in lines)
    assert max(map(len, lines)) <= 80
