"""A bend is taken off within a run as ``mvps flatten`` takes it off what a run wrote."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from bends import dome, field, linear, normals_of, quadratic
from hypothesis import given, settings
from hypothesis import strategies as st
from running import mvps, only_error
from scenes import Scene, degrees_between, ring, write_diligent, write_image
from test_run import run

from mvps.errors import InputError
from mvps.images import ImageRef, read_image
from mvps.images.maps import read_normals, read_statement
from mvps.pipeline.flatten import FlattenOptions, flatten_maps
from mvps.pipeline.options import RunOptions
from mvps.report.collect import collect
from mvps.stereo.comparison import compare_tree
from mvps.surface.source import load_map

SIZE = (150, 200)
RELIEF = dome(*SIZE, radius=40)
FLAT = (np.zeros(SIZE), np.zeros(SIZE))


def write_stack(folder: Path, bend, relief=RELIEF) -> Path:
    """A capture whose solution is the relief under a bend: as a wrong rig would show it."""
    slopes = [b + r for b, r in zip(bend, relief, strict=True)]
    normals = normals_of(*slopes).astype(np.float64)
    write_diligent(folder, Scene(normals, np.full(SIZE, 0.8), ring(6)))
    return folder


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    write_stack(tmp_path / "raw" / "part", linear(*SIZE))
    return tmp_path / "raw"


def solved(raw: Path, out: Path, **options):
    """Result, normals, validity and record of the only stack."""
    (result,) = run(raw, out, **options)
    assert result.status == "done", result.error
    folder = result.folder
    (path,) = [path for path in folder.iterdir() if path.stem == "normals"]
    record = json.loads((folder / "stack.json").read_text())
    return result, *read_normals(path), record


@pytest.mark.parametrize("encoding", ["f32", "tiff", "npy", "png8", "exr", "jxl8"])
def test_the_relief_stays_and_the_bend_goes_in_every_encoding(raw, tmp_path, encoding):
    _, normals, valid, record = solved(raw, tmp_path / "out", flatten="plane", encoding=encoding)

    bound = 0.45 if encoding.endswith("8") else 0.03  # 8 bit: 0.38 of rounding
    assert valid.all()
    assert degrees_between(normals, normals_of(*RELIEF)).max() < bound
    assert record["flatten"]["p"] == pytest.approx([0.05, 0.1, -0.03], abs=2e-4)
    assert record["flatten"]["q"] == pytest.approx([-0.02, 0.02, 0.08], abs=2e-4)
    names = {path.name for path in (tmp_path / "out" / "part").iterdir()}
    assert names == {*record["outputs"]["files"], "stack.json"}


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_quadratic_bend_is_found_at_any_size(tmp_path_factory, seed):
    tmp_path = tmp_path_factory.mktemp("bend")
    rng = np.random.default_rng(seed)
    size = tuple(int(n) for n in rng.integers(70, 220, 2))
    u, v = field(*size)
    terms = np.stack([np.ones(size), u, v, u * u, u * v, v * v])
    factors = rng.uniform(-0.06, 0.06, (2, 6))
    slopes = np.einsum("at,thw->ahw", factors, terms)
    write_diligent(
        tmp_path / "raw" / "p",
        Scene(normals_of(*slopes).astype(np.float64), np.full(size, 0.7), ring(5)),
    )

    _, normals, _, record = solved(tmp_path / "raw", tmp_path / "out", flatten="quadratic")

    # Medians over cells of 2 px, 16 bits of sample and of map.
    assert degrees_between(normals, np.array([0.0, 0.0, 1.0])).max() < 0.02
    np.testing.assert_allclose(record["flatten"]["p"], factors[0], atol=5e-4)
    np.testing.assert_allclose(record["flatten"]["q"], factors[1], atol=5e-4)


@pytest.mark.parametrize(("word", "degree"), [("tilt", 0), ("plane", 1), ("quadratic", 2)])
def test_a_run_gives_what_flattening_its_maps_gives(raw, tmp_path, word, degree):
    _, inside, _, record = solved(raw, tmp_path / "one", flatten=word, encoding="f32")
    run(raw, tmp_path / "two", encoding="f32")

    (after,) = flatten_maps(tmp_path / "two", tmp_path / "flat", FlattenOptions(degree=degree))

    np.testing.assert_allclose(inside, read_normals(after.target)[0], rtol=0, atol=1e-6)
    assert record["flatten"]["p"] == pytest.approx(after.figures["p"], abs=1e-6)
    mean = record["flatten"]["removed_mean_deg"]
    assert mean == pytest.approx(after.figures["removed_mean_deg"], abs=1e-4)
    statement = read_statement(tmp_path / "one" / "part" / "normals.tif")
    assert statement["flattened"] == read_statement(after.target)["flattened"] == degree
    previews = [
        read_image(ImageRef(tmp_path / root / "part" / "preview.png")) for root in ("one", "flat")
    ]
    assert np.array_equal(*previews)


def test_the_tilt_stays_where_it_is_asked_to(tmp_path):
    write_stack(tmp_path / "raw" / "part", linear(*SIZE), FLAT)

    _, normals, _, record = solved(
        tmp_path / "raw", tmp_path / "out", flatten="plane", keep_tilt=True
    )

    left = normals_of(np.full(SIZE, 0.05), np.full(SIZE, -0.02))
    assert degrees_between(normals, left).max() < 0.01
    assert record["options"]["keep_tilt"] is True


def test_a_flat_target_is_divided_out_view_by_view(tmp_path):
    write_stack(tmp_path / "flat" / "top", quadratic(*SIZE), FLAT)
    write_stack(tmp_path / "flat" / "side", linear(*SIZE), FLAT)
    for part in ("p1", "p2"):
        write_stack(tmp_path / "raw" / part / "top", quadratic(*SIZE))
        write_stack(tmp_path / "raw" / part / "side", linear(*SIZE))
    run(tmp_path / "flat", tmp_path / "target", encoding="f32")

    results = run(tmp_path / "raw", tmp_path / "out", flatten=str(tmp_path / "target"))

    assert len(results) == 4
    for result in results:
        normals, valid = read_normals(result.folder / "normals.tif")
        # A rotation about the target's normal is no shear: 0.1 degrees apart on 9 and 27 degrees.
        assert valid.all()
        assert degrees_between(normals, normals_of(*RELIEF)).max() < 1.2
        assert degrees_between(normals, normals_of(*RELIEF))[:20].max() < 0.01
        record = json.loads((result.folder / "stack.json").read_text())
        assert record["flatten"]["method"] == "reference"
        assert record["flatten"]["reference"].endswith(f"{result.stack.split('/')[1]}/normals.tif")


def test_a_smoothed_target_gives_what_flattening_written_maps_with_it_gives(raw, tmp_path):
    grain = np.random.default_rng(7).normal(0, 0.02, (2, *SIZE))
    write_stack(tmp_path / "flat" / "t", linear(*SIZE), grain)
    run(tmp_path / "flat", tmp_path / "target", encoding="f32")
    target = tmp_path / "target" / "t" / "normals.tif"
    words = {"flatten": str(target), "encoding": "f32"}

    _, grained, _, _ = solved(raw, tmp_path / "grained", **words)
    _, inside, _, record = solved(raw, tmp_path / "one", **words, smooth=16)
    run(raw, tmp_path / "two", encoding="f32")
    options = FlattenOptions(reference=target, smooth=16)
    (after,) = flatten_maps(tmp_path / "two", tmp_path / "level", options)

    np.testing.assert_allclose(inside, read_normals(after.target)[0], rtol=0, atol=1e-6)
    assert record["flatten"]["smooth"] == after.figures["smooth"] == 16
    right = normals_of(*RELIEF)
    left, taken_over = (degrees_between(found, right)[:20].mean() for found in (inside, grained))
    # Medians over 256 pixels leave an eighth or less of the target's grain of 1.4 degrees.
    assert taken_over > 1 and left < taken_over / 5


def test_pixels_that_the_target_lacks_are_counted(raw, tmp_path):
    write_stack(tmp_path / "flat" / "t", linear(*SIZE), FLAT)
    mask = np.full(SIZE, 255, np.uint8)
    mask[:20, :30] = 0
    write_image(tmp_path / "flat" / "t" / "mask.png", mask)
    run(tmp_path / "flat", tmp_path / "target")

    result, _, valid, record = solved(raw, tmp_path / "out", flatten=str(tmp_path / "target"))

    assert np.array_equal(valid, mask > 0)
    assert record["flatten"]["lost"] == 600
    assert record["figures"]["written_valid"] == result.valid == valid.sum()


def test_a_resumed_run_solves_again_what_another_bend_shaped(raw, tmp_path):
    write_stack(tmp_path / "flat" / "t", linear(*SIZE), FLAT)
    run(tmp_path / "flat", tmp_path / "target")
    target = tmp_path / "target" / "t" / "normals.tif"

    def status(**options) -> str:
        (result,) = run(raw, tmp_path / "out", **options)
        return result.status

    assert [status(), status(flatten="plane"), status(flatten="plane")] == [
        "done", "done", "skipped",
    ]  # fmt: skip
    assert status(flatten="plane", keep_tilt=True) == "done"
    assert [status(flatten=str(target)), status(flatten=str(target))] == ["done", "skipped"]
    assert status(flatten=str(target), smooth=8) == "done"
    run(tmp_path / "flat", tmp_path / "target", roi=None, convention="directx")
    assert status(flatten=str(target)) == "done"


def test_a_part_that_is_too_small_for_a_bend_fails_and_leaves_nothing(tmp_path):
    folder = write_stack(tmp_path / "raw" / "part", linear(*SIZE))
    mask = np.zeros(SIZE, np.uint8)
    mask[70:74, 70:74] = 255
    write_image(folder / "mask.png", mask)

    (result,) = run(tmp_path / "raw", tmp_path / "out", flatten="quadratic")

    assert result.status == "failed"
    assert result.error.startswith("part: normals in 4 cells") and "lower degree" in result.error
    assert not list((tmp_path / "out" / "part").iterdir())


def test_an_empty_mask_has_no_bend(tmp_path):
    folder = write_stack(tmp_path / "raw" / "part", linear(*SIZE))
    write_image(folder / "mask.png", np.zeros(SIZE, np.uint8))

    result, _, valid, record = solved(tmp_path / "raw", tmp_path / "out", flatten="plane")

    assert not valid.any() and "mask is empty" in " ".join(result.warnings)
    assert record["flatten"] == {
        "method": "bend", "degree": 1, "removed_mean_deg": 0.0, "removed_rms_deg": 0.0,
        "removed_max_deg": 0.0, "valid": 0, "lost": 0,
    }  # fmt: skip


def test_a_part_without_a_flat_face_is_warned_of(tmp_path):
    u, v = field(*SIZE)
    write_stack(tmp_path / "raw" / "part", (0.5 * np.sin(9 * u), 0.5 * np.cos(7 * v)), FLAT)

    (result,) = run(tmp_path / "raw", tmp_path / "out", flatten="tilt")

    assert "part: slopes differ from the bend by" in " ".join(result.warnings)


def test_flattened_folders_are_read_by_everything_that_reads_a_run(raw, tmp_path):
    run(raw, tmp_path / "out", roi=None)
    np.save(tmp_path / "part.npy", normals_of(*RELIEF))
    alone = tmp_path / "out" / "part" / "normals.tif"
    loose = alone.rename(tmp_path / "loose.tif")
    run(raw, tmp_path / "out")

    for source, name in ((tmp_path / "out", "part"), (loose, "loose")):
        out = tmp_path / f"flat of {name}"
        (result,) = flatten_maps(source, out, FlattenOptions(degree=1))

        (entry,) = collect(out).entries
        assert (entry.status, entry.name, entry.figures.valid_share) == ("done", name, 1.0)
        assert load_map(result.target.parent).valid.all() if name == "part" else True
        assert degrees_between(read_normals(result.target)[0], normals_of(*RELIEF)).max() < 0.03
        record = json.loads((result.target.parent / "stack.json").read_text())
        assert record["flatten"]["source"] == str(result.source)
        assert "fingerprint" not in record
    found, failures = compare_tree(tmp_path / "flat of part", tmp_path / "part.npy")
    assert not failures and found[0].summary.mean < 0.01


def test_a_run_into_a_flattened_folder_solves_again_and_not_the_reverse(raw, tmp_path):
    run(raw, tmp_path / "out")
    list(flatten_maps(tmp_path / "out", tmp_path / "flat", FlattenOptions(degree=1)))
    np.save(tmp_path / "loose.npy", normals_of(*RELIEF))

    with pytest.raises(InputError, match="holds maps of mvps normals"):
        list(flatten_maps(tmp_path / "loose.npy", tmp_path / "out/part", FlattenOptions(degree=1)))
    (result,) = run(raw, tmp_path / "flat")
    assert result.status == "done"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"keep_tilt": True}, "--keep-tilt: is for --flatten plane or quadratic"),
        ({"keep_tilt": True, "flatten": "tilt"}, "--keep-tilt: is for"),
        ({"keep_tilt": True, "flatten": "flat.tif"}, "--keep-tilt: is for"),
        ({"smooth": 8}, "--smooth: smooths a flat target"),
        ({"smooth": 8, "flatten": "plane"}, "--smooth: smooths a flat target"),
        ({"smooth": -1, "flatten": "flat.tif"}, "--smooth: -1 is negative"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, fault):
    with pytest.raises(InputError, match=fault):
        RunOptions(**options)


def test_bad_targets_are_one_line(raw, tmp_path):
    for name in ("a", "b"):
        write_stack(tmp_path / "flat" / name, linear(*SIZE), FLAT)
    run(tmp_path / "flat", tmp_path / "two")
    np.save(tmp_path / "small.npy", normals_of(*linear(9, 9)))
    (tmp_path / "empty").mkdir()

    def refused(word: object, code: int, *more: str) -> str:
        result = mvps("normals", raw, tmp_path / "out", "--flatten", word, *more)
        assert result.returncode == code
        return only_error(result)

    assert "'plain' does not exist; say tilt, plane, quadratic" in refused("plain", 2)
    assert "holds no normals beside a stack.json" in refused(tmp_path / "empty", 2)
    assert "holds 0 maps" in refused(tmp_path / "two", 2) or "no map for part" in refused(
        tmp_path / "two", 2
    )
    assert "small.npy: is 9x9, part is 200x150" in refused(tmp_path / "small.npy", 1)
    assert not list((tmp_path / "out").rglob("normals*"))
