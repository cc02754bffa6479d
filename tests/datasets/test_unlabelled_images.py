from __future__ import annotations

from pathlib import Path

import pytest

from mvps.datasets import NORMALS, RGB
from mvps.datasets.unlabelled import Naming, read_unlabelled
from mvps.errors import InputError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


@pytest.mark.parametrize(
    "names",
    [
        ("S1/top_rgb.png", "S1/top_normals.tif"),
        ("S1/rgb/top.png", "S1/normals/top.png"),
        ("nut/S1/top/rgb.png", "nut/S1/top/normals.png"),
    ],
)
def test_pairs_are_found_by_their_names(tmp_path: Path, names: tuple[str, str]) -> None:
    touch(tmp_path, *names)
    (record,) = read_unlabelled([tmp_path], Naming(("nut",)))
    assert record.name == "nut/S1/top"
    assert (record.rgb, record.normals) == (tmp_path / names[0], tmp_path / names[1])


def test_a_pattern_names_samples_and_views(tmp_path: Path) -> None:
    touch(tmp_path, "7_left_rgb.png", "7_left_ps.png", "readme.png")
    naming = Naming(("nut",), pattern="{sample}_{view}_{modality}.png")
    (record,) = read_unlabelled([tmp_path], naming)
    assert record.name == "nut/7/left" and record.normals == tmp_path / "7_left_ps.png"


def test_single_images_are_samples_of_their_own(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.jpg")
    found = read_unlabelled(
        [tmp_path / "a.png", tmp_path / "b.jpg"], Naming(("nut",), modalities=(RGB,))
    )
    assert [record.name for record in found] == ["nut/a", "nut/b"]


def test_what_mvps_normals_wrote_is_read_without_labels(tmp_path: Path) -> None:
    stack = "S1/top"
    touch(tmp_path, "manifest.jsonl", *(f"{stack}/{n}" for n in ("stack.json", "normals.tif")))
    (record,) = read_unlabelled([tmp_path], Naming(("nut",), modalities=(NORMALS,)))
    assert (record.name, record.rgb) == ("nut/S1/top", None)
    touch(tmp_path, f"{stack}/rgb.png")
    (record,) = read_unlabelled([tmp_path], Naming(("nut",)))
    assert record.rgb == tmp_path / stack / "rgb.png"


def test_a_sample_or_view_of_a_run_has_the_name_that_it_has_in_the_run(tmp_path: Path) -> None:
    stack = "S1/top"
    files = ("stack.json", "normals.tif", "albedo.tif", "preview.png", "rgb.jpeg")
    touch(tmp_path, "manifest.jsonl", *(f"{stack}/{name}" for name in files))
    for part in ("S1", stack):
        (record,) = read_unlabelled([tmp_path / part], Naming(("nut",)))
        assert record.name == "nut/S1/top"
        assert record.rgb == tmp_path / stack / "rgb.jpeg"


def test_what_is_no_pair_is_refused(tmp_path: Path) -> None:
    touch(tmp_path / "one", "a_rgb.png")
    with pytest.raises(InputError, match="has no normals"):
        read_unlabelled([tmp_path / "one"], Naming(("nut",)))
    touch(tmp_path / "two", "a_rgb.png", "a_rgb.jpg")
    with pytest.raises(InputError, match=r"stands for .*--pattern"):
        read_unlabelled([tmp_path / "two"], Naming(("nut",), modalities=(RGB,)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no image"):
        read_unlabelled([tmp_path / "empty"], Naming(("nut",)))
