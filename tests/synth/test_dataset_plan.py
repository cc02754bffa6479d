"""The options of a data set, the file that states them, and the specimens that follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvps.errors import InputError
from mvps.synth.dataset_plan import (
    DatasetOptions,
    is_test,
    jobs_of,
    options_of,
    read_settings,
    write_settings,
)
from mvps.synth.layout import SampleName, rng_for, seed_for, view_tags

SMALL = DatasetOptions(("block",), normal=6, defective=5, test_normal=2)


def test_names_are_those_of_the_published_tree() -> None:
    sound = SampleName("block", 1)
    assert sound.image("C1", "RGB").as_posix() == "OK/S0001/block_0001_OK_C1_RGB_20250101000101.png"
    bad = SampleName("block", 51, "scratch")
    mask = "NG/scratch/S0051/block_0051_scratch_C5_MASK_20250101005105.png"
    assert bad.image("C5", "MASK").as_posix() == mask
    assert bad.record.as_posix() == "records/block/S0051.json"


def test_names_sort_as_their_numbers_and_stay_apart() -> None:
    names = {SampleName("a", n).image(f"C{v}", "PS") for n in range(1, 500) for v in range(1, 6)}
    assert len({path.name[-18:] for path in names}) == 499 * 5  # every time stamp is another


def test_defective_specimens_are_shared_out_among_the_kinds() -> None:
    jobs = jobs_of("block", ("scratch", "dent"), SMALL)
    classes = [job.name.anomaly_class for job in jobs]
    assert classes == ["OK"] * 6 + ["scratch"] * 3 + ["dent"] * 2
    assert [job.name.number for job in jobs] == list(range(1, 12))


def test_training_sees_sound_specimens_alone() -> None:
    jobs = jobs_of("block", ("dent",), SMALL)
    train = [job.name for job in jobs if not is_test(job.name, SMALL)]
    assert [name.number for name in train] == [1, 2, 3, 4]
    assert {name.anomaly_class for name in train} == {"OK"}


@pytest.mark.parametrize(
    ("raw", "kept"), [(0, []), (2, [1, 7]), (4, [1, 2, 7, 8]), (-1, list(range(1, 12)))]
)
def test_raw_stacks_are_kept_of_sound_and_defective_specimens_in_turn(
    raw: int, kept: list[int]
) -> None:
    options = DatasetOptions(("block",), normal=6, defective=5, raw=raw)
    jobs = jobs_of("block", ("dent",), options)
    assert [job.name.number for job in jobs if job.keep_raw] == kept


def test_without_kinds_no_defective_specimen_can_be_made() -> None:
    with pytest.raises(InputError, match="none of them suits block"):
        jobs_of("block", (), SMALL)


def test_options_are_read_as_they_were_written(tmp_path: Path) -> None:
    options = DatasetOptions(
        ("a", "b"), defects=("dent",), light_file="ring.lp", noise=False, full_well=1e5, seed=7
    )
    lens = DatasetOptions(("a",), psf=0.3, vignetting=0.0)
    for each in (options, lens, SMALL, DatasetOptions(("a",))):
        write_settings(each, tmp_path)
        assert read_settings(tmp_path / "dataset.yml") == each


def test_words_of_the_command_go_before_the_file(tmp_path: Path) -> None:
    write_settings(SMALL, tmp_path)
    assert read_settings(tmp_path / "dataset.yml", {"seed": 9}).seed == 9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("categories: [a]\nnormel: 3\n", "line 2.*did you mean 'normal'"),
        ("categories: [a]\nnormal: many\n", "line 2.*'many' is not a whole number"),
        ("normal: 3\n", "--categories: is missing"),
        ("categories: [a]\nnoise: perhaps\n", "line 2.*'perhaps'"),
    ],
)
def test_a_file_at_fault_is_named_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "set.yml"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_settings(path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"categories": ()}, "--categories: names no part"),
        ({"categories": ("a", "a")}, "names 'a' twice"),
        ({"normal": 0}, "--normal: 0 is outside"),
        ({"normal": 9000, "defective": 9000}, "more than 9999 specimens"),
        ({"normal": 3, "test_normal": 4}, "--test-normal: 4 is outside 0 to 3"),
        ({"views": 6}, "--views: 6 is outside 1 to 5"),
        ({"width": 9000}, "--size: 9000"),
        ({"lights": 2}, "--lights: 2 is outside 3"),
        ({"bits": 10}, "--bits: '10' is unknown"),
        ({"normals": "solvd"}, "did you mean 'solved'"),
        ({"normals_format": "jpg"}, "--normals-format"),
        ({"full_well": float("nan")}, "--full-well: nan"),
    ],
)
def test_impossible_options_are_refused(words: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        options_of({"categories": ("block",), **words})


def test_random_numbers_follow_from_seed_and_name_alone() -> None:
    first = rng_for(1, "block", 3).integers(1 << 30, size=4).tolist()
    assert first == rng_for(1, "block", 3).integers(1 << 30, size=4).tolist()
    others = {seed_for(s, c, n) for s in (1, 2) for c in ("a", "b") for n in range(50)}
    assert len(others) == 200


def test_views_bear_tags_in_their_order() -> None:
    assert view_tags(("top", "left")) == {"C1": "top", "C2": "left"}
