"""Written maps lose their bend and nothing else: encoding, signs, names and inputs stay."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from bends import dome, linear, normals_of, quadratic
from scenes import degrees_between

from mvps.errors import InputError
from mvps.images.encodings import NORMAL_ENCODINGS
from mvps.images.maps import open_normals_writer, read_normals, read_statement
from mvps.pipeline.flatten import FlattenOptions, flatten_maps

SIZE = (150, 200)
UP = np.array([0.0, 0.0, 1.0])
RELIEF = dome(*SIZE, radius=40)


def bent_part() -> tuple[np.ndarray, np.ndarray]:
    """Normals of a part with a dome under a linear bend, and its validity: a corner is missing."""
    p, q = (bend + slope for bend, slope in zip(linear(*SIZE), RELIEF, strict=True))
    valid = np.ones(SIZE, np.bool_)
    valid[:20, :30] = False
    return normals_of(p, q), valid


def write(path: Path, normals, valid, *, encoding="tiff", convention="opengl", **said) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = valid.shape
    text = json.dumps(said)
    writer = open_normals_writer(
        path, encoding, width, height, convention=convention, description=text
    )
    writer.write_rows(normals, valid)
    writer.finish()
    return path


def run_folder(root: Path, names: list[str], **said) -> Path:
    """What a run leaves: a map and a record for each stack."""
    for name in names:
        write(root / name / "normals.tif", *bent_part(), **said)
        (root / name / "stack.json").write_text("{}")
    return root


def only(source: Path, out: Path, **options):
    (result,) = flatten_maps(source, out, FlattenOptions(**options))
    assert result.error == ""
    return result


@pytest.mark.parametrize("encoding", list(NORMAL_ENCODINGS))
def test_every_encoding_comes_back_in_itself(tmp_path, encoding):
    suffix = NORMAL_ENCODINGS[encoding].suffix
    normals, valid = bent_part()
    source = write(tmp_path / f"normals{suffix}", normals, valid, encoding=encoding)
    before = source.read_bytes()

    result = only(source, tmp_path / "flat", degree=1)

    flat, kept = read_normals(result.target)
    assert result.target == tmp_path / "flat" / f"normals{suffix}"
    if NORMAL_ENCODINGS[encoding].container in {"tiff", "png"}:
        assert read_statement(result.target)["encoding"] == encoding
    # Rounding of the input, of the output, and of lossless figures in between.
    bound = 3 * NORMAL_ENCODINGS[encoding].max_error + 0.01
    assert np.array_equal(kept, valid)
    assert degrees_between(flat[valid], normals_of(*RELIEF)[valid]).max() < bound
    assert source.read_bytes() == before


@pytest.mark.parametrize("convention", ["directx", "opencv"])
def test_the_signs_of_the_input_stay(tmp_path, convention):
    source = write(tmp_path / "n.tif", *bent_part(), convention=convention, frame_id="rig 7")

    result = only(source, tmp_path / "flat", degree=1)

    flat, valid = read_normals(result.target)
    said = read_statement(result.target)
    assert (said["convention"], said["frame_id"], said["flattened"]) == (convention, "rig 7", 1)
    assert degrees_between(flat[valid], normals_of(*RELIEF)[valid]).max() < 0.02


def test_signs_that_only_the_record_knows_are_believed(tmp_path):
    folder = run_folder(tmp_path / "out", ["a"])
    (folder / "a" / "normals.tif").unlink()
    write(folder / "a" / "normals.npy", *bent_part(), encoding="npy", convention="directx")
    (folder / "a" / "stack.json").write_text('{"convention": "directx"}')

    result = only(folder, tmp_path / "flat", degree=1)

    flat, valid = read_normals(result.target, convention="directx")
    assert degrees_between(flat[valid], normals_of(*RELIEF)[valid]).max() < 0.01


def test_a_foreign_map_is_written_like_itself(tmp_path):
    normals, valid = bent_part()
    codes = np.where(valid[..., None], np.rint((normals + 1) / 2 * 65535), 0).astype(np.uint16)
    tifffile.imwrite(tmp_path / "theirs.tiff", codes, photometric="rgb", compression="zlib")

    result = only(tmp_path / "theirs.tiff", tmp_path / "flat", degree=1)

    assert result.target.name == "theirs.tif"
    assert tifffile.imread(result.target).dtype == np.uint16


def test_the_figures_say_what_was_removed(tmp_path):
    normals, valid = bent_part()
    result = only(write(tmp_path / "n.tif", normals, valid), tmp_path / "flat", degree=1)

    figures = json.loads((tmp_path / "flat" / "stack.json").read_text())["flatten"]
    flat, _ = read_normals(result.target)
    turned = degrees_between(flat[valid], normals[valid])
    assert figures["p"] == pytest.approx([0.05, 0.1, -0.03], abs=1e-4)
    assert figures["q"] == pytest.approx([-0.02, 0.02, 0.08], abs=1e-4)
    assert figures["removed_mean_deg"] == pytest.approx(turned.mean(), abs=0.002)
    assert figures["removed_max_deg"] == pytest.approx(turned.max(), abs=0.005)
    assert figures["valid"] == valid.sum()
    # The dome covers pi 40^2 of 29,400 valid pixels.
    assert figures["agreeing_share"] == pytest.approx(1 - np.pi * 1600 / valid.sum(), abs=0.03)
    assert (tmp_path / "flat" / "preview.png").is_file()


def test_a_run_is_mirrored_and_a_broken_map_does_not_stop_it(tmp_path):
    folder = run_folder(tmp_path / "out", ["p1/top", "p2/top", "p3/top"])
    broken = folder / "p2/top/normals.tif"
    broken.write_bytes(broken.read_bytes()[:5000])

    results = list(flatten_maps(folder, tmp_path / "flat", FlattenOptions(degree=1)))

    assert [bool(result.error) for result in results] == [False, True, False]
    assert "p2/top/normals.tif" in results[1].error
    assert (tmp_path / "flat/p3/top/normals.tif").is_file()
    # Nothing half-written, under whatever name.
    left = tmp_path / "flat/p2/top"
    assert not left.exists() or not list(left.iterdir())


def test_the_tilt_at_the_centre_stays_where_it_is_asked_to(tmp_path):
    source = write(tmp_path / "n.tif", normals_of(*linear(*SIZE)), np.ones(SIZE, np.bool_))

    result = only(source, tmp_path / "flat", degree=1, keep_tilt=True)

    flat, _ = read_normals(result.target)
    assert degrees_between(flat, normals_of(np.full(SIZE, 0.05), np.full(SIZE, -0.02))).max() < 0.01


@pytest.mark.parametrize("smooth", [0, 20])
def test_a_flat_target_takes_the_bend_off(tmp_path, smooth):
    everywhere = np.ones(SIZE, np.bool_)
    bend = normals_of(*quadratic(*SIZE))
    target = write(tmp_path / "target.tif", bend, everywhere)
    source = write(tmp_path / "n.tif", bend, everywhere)

    result = only(source, tmp_path / "flat", reference=target, smooth=smooth)

    flat, _ = read_normals(result.target)
    # Linear between cells of 20 px, a quadratic of 0.04 over 100 px is off by 0.04 0.1^2 / 2.
    assert degrees_between(flat, UP).max() < (0.1 if smooth else 0.004)
    assert result.figures["lost"] == 0


def test_pixels_that_the_target_lacks_are_lost_and_counted(tmp_path):
    normals, valid = bent_part()
    target = write(tmp_path / "target.tif", normals_of(*linear(*SIZE)), valid)
    source = write(tmp_path / "n.tif", normals, np.ones(SIZE, np.bool_))

    result = only(source, tmp_path / "flat", reference=target)

    assert result.figures["lost"] == 600
    assert np.array_equal(read_normals(result.target)[1], valid)


def test_a_run_over_a_target_serves_each_view_of_another_run(tmp_path):
    parts = run_folder(tmp_path / "parts", ["p1/top", "p1/side", "p2/top"])
    target = tmp_path / "target"
    for view, slope in (("top", 0.1), ("side", 0.2)):
        flat = normals_of(np.full(SIZE, slope), np.zeros(SIZE))
        write(target / "white" / view / "normals.tif", flat, np.ones(SIZE, np.bool_))
        (target / "white" / view / "stack.json").write_text("{}")

    results = list(flatten_maps(parts, tmp_path / "flat", FlattenOptions(reference=target)))

    removed = {result.name: result.figures["removed_max_deg"] for result in results}
    assert removed["p1/top"] == removed["p2/top"]
    assert removed["p1/side"] == pytest.approx(np.degrees(np.arctan(0.2)), abs=0.05)


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({}, "one of --degree and --reference"),
        ({"degree": 1, "reference": Path("x.tif")}, "one of --degree and --reference"),
        ({"degree": 5}, "5 is none of 0, 1, 2"),
        ({"degree": 0, "keep_tilt": True}, "--keep-tilt: leaves nothing to remove"),
        ({"degree": 1, "smooth": 8}, "--smooth: smooths the reference"),
        ({"reference": Path("x.tif"), "smooth": -1}, "-1 is negative"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, fault):
    with pytest.raises(InputError, match=fault):
        FlattenOptions(**options)


def test_no_result_replaces_what_it_is_made_from(tmp_path):
    source = write(tmp_path / "n.tif", *bent_part())
    folder = run_folder(tmp_path / "out", ["a"])
    target = write(tmp_path / "flat" / "target.tif", *bent_part())

    for what, out, reference in (
        (source, tmp_path, None),
        (folder, folder, None),
        (folder / "a" / "normals.tif", folder / "a", None),
        (source, tmp_path / "flat", target),
    ):
        options = FlattenOptions(degree=None if reference else 1, reference=reference)
        with pytest.raises(InputError, match="write to another folder"):
            list(flatten_maps(what, out, options))


@pytest.mark.parametrize(
    ("name", "out", "fault"),
    [
        ("nowhere", "flat", "no such file or folder"),
        ("empty", "flat", "holds no normals beside a stack.json"),
        ("n.tif", "n.tif", "is a file"),
    ],
)
def test_what_is_no_map_is_named(tmp_path, name, out, fault):
    (tmp_path / "empty").mkdir()
    write(tmp_path / "n.tif", *bent_part())

    with pytest.raises(InputError, match=fault):
        list(flatten_maps(tmp_path / name, tmp_path / out, FlattenOptions(degree=1)))


def faulty(tmp_path: Path, source: Path, **options) -> str:
    (result,) = flatten_maps(source, tmp_path / "flat", FlattenOptions(**options))
    assert result.target is None
    return result.error


def test_a_reference_of_another_grid_or_frame_is_refused(tmp_path):
    source = write(tmp_path / "n.tif", *bent_part())
    small = write(tmp_path / "s.tif", normals_of(*linear(10, 10)), np.ones((10, 10), np.bool_))
    board = write(tmp_path / "b.tif", *bent_part(), frame="board")
    straight = write(tmp_path / "u.tif", *bent_part(), undistorted=True)

    assert "is 10x10" in faulty(tmp_path, source, reference=small)
    assert "states frame 'board'" in faulty(tmp_path, source, reference=board)
    assert "states undistorted True" in faulty(tmp_path, source, reference=straight)
    other = write(tmp_path / "b2.tif", *bent_part(), frame="board")
    assert "--board-up" in faulty(tmp_path, other, reference=board)


def test_a_map_is_flattened_once(tmp_path):
    result = only(write(tmp_path / "n.tif", *bent_part()), tmp_path / "one", degree=1)

    assert "is flattened already" in faulty(tmp_path, result.target, degree=1)


def test_maps_that_hold_nothing_to_fit_are_named(tmp_path):
    normals, valid = bent_part()
    empty = write(tmp_path / "n.tif", normals, valid & False)

    assert "n.tif: normals in 0 cells" in faulty(tmp_path, empty, degree=0)
    grey = tmp_path / "grey.tif"
    tifffile.imwrite(grey, np.zeros((5, 5), np.uint8))
    assert "grey.tif: is a grey image" in faulty(tmp_path, grey, degree=0)


def test_a_part_without_a_flat_face_is_warned_of(tmp_path):
    y, x = np.mgrid[:100, :100] / 50 - 0.99
    inside = x**2 + y**2 < 0.9
    z = np.sqrt(np.where(inside, 1 - x**2 - y**2, 1))
    ball = normals_of(np.where(inside, -x / z, 0), np.where(inside, y / z, 0))

    (result,) = flatten_maps(
        write(tmp_path / "n.tif", ball, inside), tmp_path / "flat", FlattenOptions(degree=0)
    )

    assert "no nominally flat face" in result.warning
    assert only(write(tmp_path / "m.tif", *bent_part()), tmp_path / "f", degree=1).warning == ""
