from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import dataset_trees
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvps.datasets import ReadOptions, lists, read_dataset
from mvps.errors import InputError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "set"
    dataset_trees.realiad_mvn(root)
    return root


def change(root: Path, key: str, value: Any) -> None:
    path = root / "jst_eh.json"
    content = json.loads(path.read_text())
    content["test"][0][key] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("key", ["image_path", "ps_path", "mask_path"])
@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("/etc/passwd", "is absolute"),
        ("C:/secret.png", "is absolute"),
        ("..\\secret.png", "is absolute"),
        ("../secret.png", "leads out of the data folder"),
        ("OK/../../secret.png", "leads out of the data folder"),
        ("OK/\0.png", "is no path"),
        (7, "is no path"),
        (["a"], "is no path"),
        ("x" * 2000, "is no path"),
    ],
)
def test_a_path_out_of_the_folder_is_refused_with_its_row(
    tree: Path, key: str, value: Any, fault: str
) -> None:
    change(tree, key, value)
    with pytest.raises(InputError, match=f"jst_eh.json, test row 1, {key}: .*{fault}"):
        read_dataset(tree)


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("sample", "../x", "is a path, not a word"),
        ("category", "a/b", "is a path, not a word"),
        ("view", {"a": 1}, "is no word"),
        ("anomaly_class", "", "has no anomaly_class"),
        ("anomaly_class", "a\nb", "is no word"),
    ],
)
def test_a_word_that_is_none_is_refused(tree: Path, key: str, value: Any, fault: str) -> None:
    change(tree, key, value)
    with pytest.raises(InputError, match=fault):
        read_dataset(tree)


@pytest.mark.parametrize("prefix", ["/etc/", "../", "a/../../b"])
def test_a_prefix_out_of_the_folder_is_refused(tree: Path, prefix: str) -> None:
    path = tree / "jst_eh.json"
    content = json.loads(path.read_text())
    content["meta"]["prefix"] = prefix
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"meta\.prefix"):
        read_dataset(tree)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{", "is no JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"train": {}, "test": []}', "train is no list"),
        ('{"train": [3], "test": []}', "train row 1: is no object"),
        ('{"train": [{"anomaly_class": "OK"}]}', "names neither image_path nor ps_path"),
    ],
)
def test_a_damaged_list_is_refused_in_one_line(tree: Path, text: str, fault: str) -> None:
    (tree / "jst_eh.json").write_text(text)
    with pytest.raises(InputError, match=fault) as caught:
        read_dataset(tree)
    assert "\n" not in str(caught.value)


def test_a_list_beyond_the_limit_is_not_read(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="larger than"):
        read_dataset(tree)


def test_a_list_that_is_a_pipe_is_not_opened(tree: Path) -> None:
    (tree / "jst_eh.json").unlink()
    os.mkfifo(tree / "jst_eh.json")
    with pytest.raises(InputError, match="not a regular file"):
        read_dataset(tree)


def test_a_json_that_is_no_list_is_passed_over(tree: Path) -> None:
    (tree / "notes.json").write_text('{"hello": 1}')
    assert len(read_dataset(tree).records) == 12


@pytest.mark.parametrize("place", ["outside.json", "jst_eh/OK/S0001/jst_eh_0009_OK_C1_RGB_1.png"])
def test_a_file_linked_from_outside_is_refused(tree: Path, place: str) -> None:
    secret = tree.parent / "secret.png"
    secret.write_bytes(b"secret")
    (tree / place).symlink_to(secret)
    with pytest.raises(InputError, match="is a symlink out of the data folder"):
        read_dataset(tree)


def test_a_folder_linked_from_outside_is_refused(tree: Path) -> None:
    (tree / "more").symlink_to(tree.parent, target_is_directory=True)
    with pytest.raises(InputError, match="is a symlink out of the data folder"):
        read_dataset(tree)


def test_links_inside_are_followed_for_files_and_never_around_in_circles(tree: Path) -> None:
    (tree / "jst_eh" / "loop").symlink_to(tree, target_is_directory=True)
    first = sorted((tree / "jst_eh/OK/S0001").glob("*_RGB_*"))[0]
    kept = tree / "jst_eh/OK/kept.png"
    first.rename(kept)
    first.symlink_to(kept)
    assert len(read_dataset(tree).records) == 12


def test_a_broken_link_inside_is_missing_when_it_is_looked_at(tree: Path) -> None:
    from mvps.datasets.describe import describe

    first = sorted((tree / "jst_eh/OK/S0001").glob("*_RGB_*"))[0]
    first.unlink()
    first.symlink_to(tree / "jst_eh" / "gone.png")
    found = describe(read_dataset(tree)).findings
    assert [(f.level, f.code) for f in found] == [("error", "MISSING")]


def test_the_data_folder_itself_may_be_a_link(tree: Path) -> None:
    link = tree.parent / "link"
    link.symlink_to(tree, target_is_directory=True)
    assert len(read_dataset(link).records) == 12


def test_pipes_in_place_of_images_are_told_and_never_waited_for(tree: Path) -> None:
    from mvps.datasets.describe import describe

    for sample in ("S0001", "S0004"):  # one for training, one for testing
        (path,) = tree.glob(f"jst_eh/OK/{sample}/*_C1_RGB_*")
        path.unlink()
        os.mkfifo(path)
    found = describe(read_dataset(tree), deep=True).findings
    assert [finding.code for finding in found] == ["UNREADABLE"]
    assert "is not a regular file" in found[0].message


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=4,
)
KEYS = ("image_path", "ps_path", "mask_path", "category", "anomaly_class", "sample", "view")
ROWS = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, VALUES)) | VALUES
META = st.fixed_dictionaries({}, optional=dict.fromkeys(("prefix", "views"), VALUES)) | VALUES


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(meta=META, train=st.lists(ROWS, max_size=3), test=VALUES)
def test_whatever_a_list_holds_it_is_read_or_refused_in_one_line(
    tree: Path, meta: Any, train: Any, test: Any
) -> None:
    (tree / "jst_eh.json").write_text(json.dumps({"meta": meta, "train": train, "test": test}))
    try:
        dataset = read_dataset(tree)
    except InputError as error:
        assert "\n" not in str(error)
        return
    for record in dataset.records:
        assert all(p is None or p.is_relative_to(tree) for p in (record.rgb, record.normals))


@pytest.mark.parametrize(
    ("option", "given"),
    [("lists", "some"), ("images", "some"), ("labels", Path("labels.csv")), ("patterns", ("x",))],
)
def test_an_option_that_a_layout_does_not_read_is_refused(
    tmp_path: Path, option: str, given: Any
) -> None:
    dataset_trees.mvtec_ad(tmp_path / "set")
    with pytest.raises(InputError, match=rf"--{option.rstrip('s')}.*mvtec-ad.*leave it out"):
        read_dataset(tmp_path / "set", "mvtec-ad", ReadOptions(**{option: given}))
