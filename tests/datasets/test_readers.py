from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import dataset_trees
import pytest

from mvps.datasets import LAYOUTS, Dataset, ReadOptions, Record, read_dataset
from mvps.datasets.realiad_names import parse_name
from mvps.errors import InputError


def codes(dataset: Dataset) -> list[str]:
    return [finding.code for finding in dataset.findings]


def by_name(dataset: Dataset) -> dict[str, Record]:
    found = {record.name: record for record in dataset.records}
    assert len(found) == len(dataset.records)
    return found


def splits(dataset: Dataset) -> Counter[tuple[str, int]]:
    return Counter((record.split, record.label) for record in dataset.records)


@pytest.mark.parametrize(
    ("write", "layout"),
    [
        (dataset_trees.realiad, "realiad"),
        (dataset_trees.realiad_d3, "realiad-d3"),
        (dataset_trees.realiad_mvn, "realiad-mvn"),
        (dataset_trees.eyecandies, "eyecandies"),
        (dataset_trees.mvtec_ad, "mvtec-ad"),
        (dataset_trees.mvtec_3d, "mvtec-3d"),
        (lambda root: dataset_trees.mvps_run(root, ("OK/1", "NG/2")), "mvps-run"),
    ],
)
def test_every_layout_is_recognised_as_itself_alone(
    write: Callable[[Path], None], layout: str, tmp_path: Path
) -> None:
    write(tmp_path)
    dataset = read_dataset(tmp_path)
    assert dataset.layout == layout
    for record in dataset.records:
        for path in (record.rgb, record.normals, record.mask):
            assert path is None or path.is_file()


@pytest.mark.parametrize("deeper", [False, True])
def test_realiad_follows_its_lists(deeper: bool, tmp_path: Path) -> None:
    dataset_trees.realiad(tmp_path, deeper=deeper)
    dataset = read_dataset(tmp_path)
    assert dataset.categories == ("audiojack", "bottle_cap")
    assert splits(dataset) == {("train", 0): 12, ("test", 0): 4, ("test", 1): 4}
    records = by_name(dataset)
    # Number 1 is a sound sample and a defective one; they stay apart.
    sound, bad = records["audiojack/S0001/C1"], records["audiojack/S0001_AK/C1"]
    assert (sound.label, sound.defect, sound.mask) == (0, "good", None)
    assert (bad.label, bad.defect) == (1, "AK")
    assert bad.rgb is not None and bad.mask == bad.rgb.with_suffix(".png")
    assert records["audiojack/S0001_AK/C2"].mask is None


def test_a_sound_view_of_a_defective_sample_stays_with_its_sample(tmp_path: Path) -> None:
    dataset_trees.realiad(tmp_path)
    path = tmp_path / "realiad_jsons/audiojack.json"
    content = json.loads(path.read_text())
    content["test"][-1]["anomaly_class"] = "OK"
    path.write_text(json.dumps(content))
    records = by_name(read_dataset(tmp_path))
    assert records["audiojack/S0001_AK/C2"].label == 0
    assert records["audiojack/S0001_AK/C1"].label == 1


def test_a_training_list_of_fuiad_counts_every_image_as_sound(tmp_path: Path) -> None:
    dataset_trees.realiad(tmp_path, fuiad=True)
    dataset = read_dataset(tmp_path)
    training = [record for record in dataset.records if record.split == "train"]
    assert {record.label for record in training} == {0}
    assert "audiojack/S0001_AK/C1" in {record.name for record in training}
    assert codes(dataset) == ["NOISY"]


def test_of_several_lists_the_plain_one_is_taken_and_said_so(tmp_path: Path) -> None:
    dataset_trees.realiad(tmp_path)
    dataset_trees.realiad(tmp_path, fuiad=True)
    assert codes(read_dataset(tmp_path)) == ["CHOICE"]
    chosen = read_dataset(tmp_path, options=ReadOptions(lists="realiad_jsons_fuiad_0.1"))
    assert "NOISY" in codes(chosen)
    with pytest.raises(InputError, match="--lists: 'nowhere' holds no lists"):
        read_dataset(tmp_path, options=ReadOptions(lists="nowhere"))


def test_d3_reads_the_fifth_light_and_the_normals_but_no_points(tmp_path: Path) -> None:
    dataset_trees.realiad_d3(tmp_path)
    dataset = read_dataset(tmp_path)
    assert dataset.categories == ("knob_cap",)  # the folder is knob-cap, the prefix knob_cap/
    assert [r.split for r in dataset.records] == ["train", "validation", "test"]
    for record in dataset.records:
        assert record.rgb is not None and "_RGBL05_" in record.rgb.name
        assert record.normals is not None and "_PS_" in record.normals.name
    assert codes(dataset) == ["XYZ"]


def test_d3_without_lists_reads_the_same_images(tmp_path: Path) -> None:
    dataset_trees.realiad_d3(tmp_path)
    listed = read_dataset(tmp_path)
    (tmp_path / "realiad_d3_jsons" / "knob_cap.json").unlink()
    found = read_dataset(tmp_path)
    assert {r.rgb for r in found.records} == {r.rgb for r in listed.records}
    assert {r.mask for r in found.records} == {r.mask for r in listed.records}
    assert "NO_LISTS" in codes(found)


def test_mvn_names_its_views_and_keeps_black_masks(tmp_path: Path) -> None:
    dataset_trees.realiad_mvn(tmp_path)
    dataset = read_dataset(tmp_path)
    assert splits(dataset) == {("train", 0): 6, ("test", 0): 2, ("test", 1): 4}
    record = by_name(dataset)["jst_eh/S0006/front"]
    assert (record.label, record.defect) == (1, "bent_pin")
    assert record.mask is not None and "_C2_MASK_" in record.mask.name


def test_a_pattern_finds_what_the_preset_finds(tmp_path: Path) -> None:
    dataset_trees.realiad_mvn(tmp_path, lists=False)
    preset = read_dataset(tmp_path)
    name = "{category}_{_}_{view}_{modality}_{_}.png"
    patterns = (
        f"{{category}}/{{label}}/{{sample}}/{name}",
        f"{{category}}/{{label}}/{{defect}}/{{sample}}/{name}",
    )
    mine = read_dataset(tmp_path, options=ReadOptions(patterns=patterns))
    found, wanted = (
        {(r.view, r.label, r.defect, r.rgb, r.normals, r.mask) for r in dataset.records}
        for dataset in (mine, preset)
    )
    assert found == wanted and len(found) == 12


def test_eyecandies_states_its_signs_and_leaves_out_what_has_no_labels(tmp_path: Path) -> None:
    dataset_trees.eyecandies(tmp_path)
    dataset = read_dataset(tmp_path)
    assert {record.convention for record in dataset.records} == {"opencv"}
    assert splits(dataset) == {
        ("train", 0): 2,
        ("validation", 0): 2,
        ("test", 0): 1,
        ("test", 1): 1,
    }
    (bad,) = [record for record in dataset.records if record.label]
    assert bad.defect == "dents" and bad.mask is not None
    assert codes(dataset) == ["PRIVATE"]


def test_mvtec_ad_joins_masks_by_kind_and_number(tmp_path: Path) -> None:
    dataset_trees.mvtec_ad(tmp_path)
    dataset = read_dataset(tmp_path)
    records = by_name(dataset)  # 000 of three folders are three samples
    assert splits(dataset) == {("train", 0): 2, ("test", 0): 2, ("test", 1): 2}
    bad = records["bottle/test_crack_000"]
    assert bad.mask == tmp_path / "bottle/ground_truth/crack/000_mask.png"
    assert bad.normals is None and dataset.findings == ()


def test_mvtec_3d_names_points_for_normals(tmp_path: Path) -> None:
    dataset_trees.mvtec_3d(tmp_path)
    record = by_name(read_dataset(tmp_path))["bagel/test_hole_001"]
    assert record.convention == "xyz"
    assert record.normals == tmp_path / "bagel/test/hole/xyz/001.tiff"


def test_a_run_takes_labels_from_its_folders(tmp_path: Path) -> None:
    stacks = ("nut/OK/1/top", "nut/OK/2/top", "nut/NG/dent/3/top", "nut/NG/dent/3/left", "other")
    dataset_trees.mvps_run(tmp_path, stacks)
    dataset = read_dataset(tmp_path)
    records = by_name(dataset)
    assert records["nut/3_dent/left"].defect == "dent"
    assert records["nut/1/top"].label == 0
    assert set(codes(dataset)) == {"LABEL", "NO_LISTS"}  # of "other", and no word on testing


def test_a_run_takes_labels_from_its_table(tmp_path: Path) -> None:
    dataset_trees.mvps_run(tmp_path, ("a", "b", "c"))
    dataset_trees.Painter(tmp_path).colour("photos/a.png")
    (tmp_path / "labels.csv").write_text(
        "stack,label,split,defect,rgb\na,OK,train,,photos/a.png\nb,NG,test,scratch,\nz,OK,test,,\n"
    )
    dataset = read_dataset(tmp_path)
    good, bad = dataset.records
    assert good.rgb == tmp_path / "photos/a.png" and good.split == "train"
    assert (bad.label, bad.defect, bad.split) == (1, "scratch", "test")
    assert codes(dataset) == ["MISSING", "LABEL"]  # z is nowhere, c is not named


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ("name,label\na,OK\n", "names no column stack"),
        ("stack,lable\na,OK\n", "did you mean 'label'"),
        ("stack,label\na,maybe\n", "line 2: label 'maybe'"),
        ("stack,label\na\n", "line 2: 1 cells under 2 columns"),
        ("stack,label,rgb\na,OK,../x.png\n", "line 2, rgb: '../x.png' leads out"),
        ("stack,label,split\na,OK,later\n", "line 2: split 'later'"),
        ("stack,label\na,\n", "neither label nor defect"),
    ],
)
def test_a_faulty_table_is_refused_with_its_line(table: str, fault: str, tmp_path: Path) -> None:
    dataset_trees.mvps_run(tmp_path, ("a",))
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(InputError, match=fault):
        read_dataset(tmp_path)


def test_a_category_is_read_alone(tmp_path: Path) -> None:
    dataset_trees.realiad(tmp_path)
    dataset = read_dataset(tmp_path, options=ReadOptions(categories=("bottle_cap",)))
    assert dataset.categories == ("bottle_cap",)
    with pytest.raises(InputError, match="holds nothing of bottlecap"):
        read_dataset(tmp_path, options=ReadOptions(categories=("bottlecap",)))


def test_an_unknown_folder_names_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="looks like no known data set"):
        read_dataset(tmp_path)
    with pytest.raises(InputError, match="did you mean 'realiad'"):
        read_dataset(tmp_path, "realliad")
    with pytest.raises(InputError, match="no such folder"):
        read_dataset(tmp_path / "gone")
    for layout in LAYOUTS:
        with pytest.raises(InputError):
            read_dataset(tmp_path, layout)


def test_two_fitting_layouts_are_a_question(tmp_path: Path) -> None:
    dataset_trees.mvtec_ad(tmp_path)
    dataset_trees.eyecandies(tmp_path)
    with pytest.raises(InputError, match="looks like eyecandies and mvtec-ad; say which"):
        read_dataset(tmp_path)
    assert read_dataset(tmp_path, "mvtec-ad").categories == ("bottle",)


def test_missing_files_are_one_finding_with_their_number(tmp_path: Path) -> None:
    dataset_trees.realiad(tmp_path)
    for path in (tmp_path / "realiad_512/audiojack/OK/S0002").iterdir():
        path.unlink()
    dataset = read_dataset(tmp_path)
    (finding,) = dataset.findings
    assert (finding.level, finding.code) == ("error", "MISSING")
    assert "2, as realiad_512/audiojack/OK/S0002/" in finding.message
    assert len(dataset.records) == 18


def test_of_several_resolutions_512_is_taken_unless_told(tmp_path: Path) -> None:
    dataset_trees.realiad(tmp_path)
    shutil.copytree(tmp_path / "realiad_512", tmp_path / "realiad_1024")
    dataset = read_dataset(tmp_path)
    assert codes(dataset) == ["CHOICE"]
    assert all("realiad_512" in str(record.rgb) for record in dataset.records)
    other = read_dataset(tmp_path, options=ReadOptions(images="realiad_1024"))
    assert all("realiad_1024" in str(record.rgb) for record in other.records)
    assert other.findings == ()


def test_a_category_without_its_list_is_not_split_by_name(tmp_path: Path) -> None:
    dataset_trees.realiad(tmp_path)
    (tmp_path / "realiad_jsons/audiojack.json").unlink()
    with pytest.raises(InputError, match="holds nothing of audiojack"):
        read_dataset(tmp_path, options=ReadOptions(categories=("audiojack",)))


@pytest.mark.parametrize(
    ("file", "parts"),
    [
        ("audiojack_0001_OK_C1_20230922132131.jpg", ("0001", "OK", "C1", "")),
        ("OK/S0153/audio-jack_0153_OK_RGBL05_20240101000000.jpg", ("0153", "OK", "", "RGBL05")),
        ("jst_eh_0051_bent_pin_C12_PS_20250101000000.png", ("0051", "bent_pin", "C12", "PS")),
        ("usb_2_0051_OK_XYZ_20250101000000.tiff", ("0051", "OK", "", "XYZ")),
        ("part_0007_NG_AK_C1_mask.png", ("0007", "NG_AK", "C1", "MASK")),
        ("photo.png", None),
        ("20230922132131.png", None),
        (".png", None),
    ],
)
def test_names_are_taken_apart_from_their_end(
    file: str, parts: tuple[str, str, str, str] | None
) -> None:
    found = parse_name(file)
    assert (None if found is None else (found.number, found.code, found.view, found.kind)) == parts
