from __future__ import annotations

import time
from pathlib import Path

import dataset_trees
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mvps.datasets import ReadOptions, read_dataset
from mvps.datasets.pattern import PLACES, parse_pattern
from mvps.errors import InputError

NAMED = [place for place in PLACES if place != "_"]
values = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
signs = st.sampled_from(["_", "-", "__", ".x.", "/", "/a_"])


@st.composite
def patterns(draw: st.DrawFn) -> tuple[str, str, dict[str, str]]:
    """A pattern, a file that fits it and what its places then hold."""
    places = draw(st.permutations(NAMED))[: draw(st.integers(1, len(NAMED)))]
    text = file = draw(st.sampled_from(["", "data/", "x_"]))
    held = {}
    for place in places:
        held[place] = draw(values)
        sign = draw(signs)
        text, file = f"{text}{{{place}}}{sign}", f"{file}{held[place]}{sign}"
    return f"{text}end.png", f"{file}end.png", held


@settings(max_examples=150, deadline=None)
@given(patterns())
def test_what_a_pattern_spells_it_reads_back(case: tuple[str, str, dict[str, str]]) -> None:
    text, file, held = case
    # Signs differ from values, so that there is one way to take the name apart.
    if not any(value in ("a", "x", "end") for value in held.values()):
        assert parse_pattern(text).parse(file) == held


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60), st.text(max_size=80))
def test_any_text_is_a_pattern_or_one_clear_error(text: str, file: str) -> None:
    try:
        pattern = parse_pattern(text)
    except InputError as error:
        assert str(error).startswith("--pattern: ")
        return
    found = pattern.parse(file)
    assert found is None or found.keys() == pattern.places


def test_all_places_but_the_first_are_as_short_as_they_can_be() -> None:
    found = parse_pattern("{sample}_{view}_{modality}.png").parse("a_b_c_top_rgb.png")
    assert found == {"sample": "a_b_c", "view": "top", "modality": "rgb"}


def test_a_place_that_stands_twice_holds_the_same() -> None:
    pattern = parse_pattern("{category}/{category}_{sample}.png")
    assert pattern.parse("nut/nut_1.png") == {"category": "nut", "sample": "1"}
    assert pattern.parse("nut/bolt_1.png") is None


def test_no_name_is_slow_to_take_apart() -> None:
    pattern = parse_pattern("{category}_{split}_{label}_{defect}_{sample}_{view}_{modality}.png")
    started = time.perf_counter()
    for _ in range(200):
        assert pattern.parse("_" * 250 + ".jpg") is None
        pattern.parse("_" * 250 + ".png")
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("/abs/{sample}.png", "leads out of the data folder"),
        ("../{sample}.png", "leads out of the data folder"),
        ("{sample}{view}.png", "nothing between {sample} and {view}"),
        ("{smaple}.png", "did you mean 'sample'"),
        ("{sample:03d}.png", "unknown place"),
        ("{sample", "is no pattern"),
        ("a//{sample}.png", "holds an empty name"),
        ("", "holds an empty name"),
        ("/".join(["{_}"] * 14), "more than 12 folders"),
    ],
)
def test_a_faulty_pattern_is_refused(text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        parse_pattern(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{category}/{label}.png", "names no {sample}"),
        ("{category}/{sample}.png", "does not tell what is sound"),
    ],
)
def test_patterns_that_leave_too_much_open_are_refused(
    text: str, fault: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=fault):
        read_dataset(tmp_path, options=ReadOptions(patterns=(text,)))


def test_patterns_of_ones_own_with_joined_masks(tmp_path: Path) -> None:
    paint = dataset_trees.Painter(tmp_path)
    for split, label, number in (("train", "ok", "1"), ("test", "ok", "2"), ("test", "ng", "3")):
        paint.colour(f"{split}/{label}/p{number}_img.png")
        paint.normals(f"{split}/{label}/p{number}_normal.png")
        paint.colour(f"{split}/{label}/p{number}_thumb.png")
    paint.mask("gt/p3.png")
    paint.mask("gt/p9.png")
    patterns = ("{split}/{label}/p{sample}_{modality}.png", "mask=gt/p{sample}.png")
    dataset = read_dataset(tmp_path, options=ReadOptions(patterns=patterns))
    assert dataset.layout == "pattern" and dataset.categories == (tmp_path.name,)
    bad = dataset.records[-1]
    assert (bad.sample, bad.label, bad.defect, bad.split) == ("3", 1, "defect", "test")
    assert bad.mask == tmp_path / "gt/p3.png" and bad.normals is not None
    assert [finding.code for finding in dataset.findings] == ["MODALITY", "JOIN"]


def test_samples_that_count_anew_in_every_folder_get_longer_names(tmp_path: Path) -> None:
    paint = dataset_trees.Painter(tmp_path)
    for folder in ("train/good", "test/good", "test/dent"):
        paint.colour(f"{folder}/0.png")
    options = ReadOptions(patterns=("{split}/{defect}/{sample}.png",))
    dataset = read_dataset(tmp_path, options=options)
    assert [record.sample for record in dataset.records] == [
        "test_dent_0",
        "test_good_0",
        "train_good_0",
    ]
    assert [finding.code for finding in dataset.findings] == ["SAMPLE_NAMES"]
