"""Thumbnails against what the maps hold, and how little of a large map is read for them."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from runs import write_maps

from mvps.images import ImageRef, RowReader, open_rows
from mvps.images.maps import open_plane_writer
from mvps.report.collect import Figures, StackEntry
from mvps.report.thumbs import (
    BUDGET,
    SAMPLED,
    Picture,
    ThumbnailPlan,
    draw,
    plan_thumbnails,
    residual_colours,
    shrink,
)

PLAN = ThumbnailPlan(side=160, limit=20_000, residual_end=0.1)


def stack(residual: float | None = None, **more: object) -> StackEntry:
    return StackEntry("a", ".", "done", figures=Figures(residual_rms=residual), **more)


def decoded(picture: Picture) -> np.ndarray:
    return imagecodecs.jpeg8_decode(picture.jpeg).astype(int)


def write_plane(path: Path, plane: np.ndarray) -> Path:
    height, width = plane.shape[:2]
    channels = plane.shape[2] if plane.ndim == 3 else 1
    writer = open_plane_writer(path, width, height, channels, plane.dtype)
    writer.write_rows(plane)
    writer.finish()
    return path


def test_the_three_maps_are_drawn_in_their_colours(tmp_path: Path) -> None:
    write_maps(tmp_path)

    drawn = draw(stack(), out=tmp_path, plan=PLAN)
    normals, albedo, residual = (
        imagecodecs.jpeg8_decode(p.jpeg).astype(int) for p in drawn.pictures
    )

    assert [p.kind for p in drawn.pictures] == ["normals", "albedo", "residual"]
    assert drawn.faults == ()
    # (0.6, 0, 0.8) is (204, 128, 230); JPEG of a flat area is within a few steps of it.
    assert normals[12, 8] == pytest.approx([204, 128, 230], abs=4)
    assert normals[12, 32] == pytest.approx([0, 0, 0], abs=4)
    assert albedo[12, 8] == pytest.approx([255, 255, 255], abs=4)
    assert drawn.pictures[1].scale == "white 0.5"
    # Row 12 of 25 between .01 and .05 is .03: viridis at 0.3. Without a normal it is grey.
    assert residual[12, 8] == pytest.approx(residual_colours(11)[3].astype(int), abs=8)
    assert residual[12, 32] == pytest.approx([160, 160, 160], abs=4)
    assert drawn.pictures[2].scale == "0 to 0.1"


def test_white_of_a_scaled_albedo_is_told_in_albedo(tmp_path: Path) -> None:
    write_maps(tmp_path)
    write_plane(tmp_path / "albedo.tif", np.full((20, 30), 500, np.uint16))

    drawn = draw(stack(albedo_scale=0.002), out=tmp_path, plan=PLAN)

    assert drawn.pictures[1].scale == "white 1"


def test_a_colour_albedo_keeps_its_colours(tmp_path: Path) -> None:
    write_maps(tmp_path)
    plane = np.broadcast_to(np.float32([0.8, 0.4, 0.0]), (20, 30, 3))
    write_plane(tmp_path / "albedo.tif", plane)

    picture = draw(stack(), out=tmp_path, plan=PLAN).pictures[1]

    # .8 is white (99th percentile), .4 half of it: 255 * .5 ** (1 / 2.2) = 186.
    assert decoded(picture)[10, 15] == pytest.approx([255, 186, 0], abs=5)


def test_a_large_map_is_averaged_from_few_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    y, x = np.mgrid[:1200, :1600].astype(np.float32)
    path = write_plane(tmp_path / "map.tif", 1 + x / 1600 + y / 1200)
    read = []

    def counting(ref: ImageRef) -> RowReader:
        reader = open_rows(ref)
        fill = reader.read_rows

        def read_rows(y0: int, y1: int, out: np.ndarray) -> None:
            read.append(y1 - y0)
            fill(y0, y1, out)

        monkeypatch.setattr(reader, "read_rows", read_rows)
        return reader

    monkeypatch.setattr("mvps.report.thumbs.open_rows", counting)
    values, known = shrink(path, 160)

    assert values.shape == (120, 160)
    assert known.all()
    assert sum(read) == 120 * SAMPLED  # of 1200
    # A pixel of the copy is the ramp at its middle, to within a fifth of its side.
    row, column = np.mgrid[:120, :160] + 0.5
    np.testing.assert_allclose(values, 1 + column / 160 + row / 120, atol=0.2 * (1 / 120 + 1 / 160))


def test_pixels_without_a_value_neither_darken_their_neighbours_nor_become_infinite(
    tmp_path: Path,
) -> None:
    # An eighth of the upper pixels hold nothing, an eighth no number, the others .5.
    kinds = np.float32([0.5] * 6 + [0, np.nan])
    choice = np.random.default_rng(3).choice(kinds, (400, 400))
    plane = np.where(np.arange(400)[:, None] < 200, choice, np.float32(0))

    values, known = shrink(write_plane(tmp_path / "map.tif", plane), 50)

    assert known[:25].all()
    assert not known[25:].any()
    np.testing.assert_allclose(values[:25], 0.5, rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (3, 5)])
def test_any_shape_has_a_thumbnail(tmp_path: Path, shape: tuple[int, int]) -> None:
    values, known = shrink(write_plane(tmp_path / "map.tif", np.ones(shape, np.float32)), 100)

    assert max(values.shape) <= 100
    assert known.all()
    np.testing.assert_allclose(values, 1)


def test_damaged_and_missing_maps_are_named_and_the_others_drawn(tmp_path: Path) -> None:
    write_maps(tmp_path)
    (tmp_path / "preview.png").unlink()
    (tmp_path / "albedo.tif").write_bytes(b"II*\0 and no more")

    drawn = draw(stack(), out=tmp_path, plan=PLAN)

    assert [picture.kind for picture in drawn.pictures] == ["residual"]
    assert drawn.faults[0] == "preview.png: is missing"
    assert drawn.faults[1].startswith("albedo.tif: ")


def test_maps_that_were_not_asked_for_are_no_fault(tmp_path: Path) -> None:
    write_maps(tmp_path)
    (tmp_path / "albedo.tif").unlink()
    (tmp_path / "quality.tif").unlink()

    drawn = draw(stack(), out=tmp_path, plan=PLAN)

    assert [picture.kind for picture in drawn.pictures] == ["normals"]
    assert drawn.faults == ()


def test_a_foreign_preview_is_not_decoded(tmp_path: Path) -> None:
    write_maps(tmp_path)
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x60\0\0\0\x60\0\x08\2\0\0\0\x9b\xd3\x9e\x0d"
    (tmp_path / "preview.png").write_bytes(header)

    drawn = draw(stack(), out=tmp_path, plan=PLAN)

    assert [picture.kind for picture in drawn.pictures] == ["albedo", "residual"]
    assert drawn.faults[0].startswith("preview.png: ")


@pytest.mark.parametrize(("stacks", "side"), [(1, 320), (500, 320), (2000, 160), (20_000, 96)])
def test_more_stacks_make_smaller_thumbnails(stacks: int, side: int) -> None:
    plan = plan_thumbnails([stack()] * stacks)

    assert plan.side == side
    assert 3 * stacks * plan.limit <= BUDGET


def test_noise_is_compressed_until_it_fits(tmp_path: Path) -> None:
    write_maps(tmp_path)
    noise = np.random.default_rng(0).uniform(0.1, 1, (160, 160, 3)).astype(np.float32)
    write_plane(tmp_path / "albedo.tif", noise)

    drawn = draw(stack(), out=tmp_path, plan=ThumbnailPlan(160, 6000, 0.1))

    assert len(drawn.pictures[1].jpeg) <= 6000


@pytest.mark.parametrize(
    ("residuals", "end"), [([0.02, 0.021, 0.9], 0.1), ([0.001], 0.005), ([None], 0.1), ([0.0], 0.1)]
)
def test_residuals_end_at_a_round_number_near_three_medians(
    residuals: list[float | None], end: float
) -> None:
    assert plan_thumbnails([stack(r) for r in residuals]).residual_end == pytest.approx(end)
