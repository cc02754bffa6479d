"""What a report chooses to show of a detector, and whether its pictures and curves are true."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from scored_parts import SIDE, SPOT, WHOLE, parts, scored, study, write_part

from mvps.detect.tables import Table
from mvps.report.detect_charts import Line, curves, histogram
from mvps.report.detect_choice import choose, typical
from mvps.report.detect_curves import category_curves, write_curves
from mvps.report.detect_sheets import file_name, kinds_sheet, specimen_sheets, write_sheet
from mvps.report.detect_tiles import draw_tiles
from mvps.report.numbers import MISSING


def test_best_worst_alarm_and_every_kind_are_chosen_once(tmp_path: Path) -> None:
    specimens = study(tmp_path).categories()["cap"]

    chosen = [(choice.specimen.name, choice.why) for choice in choose(specimens)]

    assert chosen == [
        ("S3", "surest detection"),
        ("S5", "weakest detection, missed"),
        ("S2", "highest score of a sound part, false alarm"),
        ("S4", "a typical dent"),  # the middle one of two is the second
        ("S6", "a typical stain"),
    ]


def test_no_more_are_chosen_than_wanted(tmp_path: Path) -> None:
    specimens = study(tmp_path).categories()["cap"]

    assert [c.specimen.name for c in choose(specimens, most=3)] == ["S3", "S5", "S2"]


def test_without_labels_the_highest_and_the_lowest_are_chosen(tmp_path: Path) -> None:
    specimens = parts(tmp_path, "cap", [("a", "good", 0.2), ("b", "good", 0.4), ("c", "good", 0.1)])

    assert [c.specimen.name for c in choose(specimens)] == ["b", "c"]
    assert typical(specimens) == {}


def test_a_tile_shows_the_middle_that_the_map_covers(tmp_path: Path) -> None:
    image = scored(write_part(tmp_path, "cap", "S1", "v", "dent"), 1.0)

    whole = draw_tiles(image, (0.0, 1.0), side=SIDE).pictures
    middle = draw_tiles(image, (0.0, 1.0), kept=0.5, side=SIDE).pictures

    assert whole["mask"][SPOT].min() == 255
    assert int((whole["mask"][..., 0] > 0).sum()) == 80
    # Rows and columns 10 to 29 remain, each twice as large: the spot begins at row 0, column 20.
    assert middle["mask"][0, 21, 0] == 255
    assert middle["mask"][0, 18, 0] == 0
    assert whole["normals"][5, 5].tolist() == [128, 128, 255]


def test_a_map_is_brightest_over_the_defect(tmp_path: Path) -> None:
    image = scored(write_part(tmp_path, "cap", "S1", "v", "dent"), 1.0)

    heat = draw_tiles(image, (0.0, 1.0), side=SIDE).pictures["anomaly map"].sum(axis=2)

    assert heat[SPOT].min() > 2 * heat[30:].max()


def test_a_missing_file_is_told_and_the_rest_drawn(tmp_path: Path) -> None:
    image = scored(write_part(tmp_path, "cap", "S1", "v", "dent"), 1.0)
    assert image.record.rgb is not None
    image.record.rgb.unlink()

    tiles = draw_tiles(image, (0.0, 1.0))

    assert set(tiles.pictures) == {"normals", "mask", "anomaly map"}
    assert len(tiles.faults) == 1
    assert "v_rgb.png" in tiles.faults[0]


def test_a_sound_image_has_an_empty_mask(tmp_path: Path) -> None:
    image = scored(write_part(tmp_path, "cap", "S1", "v", "good"), 1.0)

    assert draw_tiles(image, (0.0, 1.0)).pictures["mask"].max() == 0


def test_the_overview_takes_the_view_that_shows_most(tmp_path: Path) -> None:
    (specimen,) = parts(tmp_path, "cap", [("S1", "dent", 0.9)])
    hidden = specimen.images[0].record.mask
    assert hidden is not None
    assert cv2.imwrite(str(hidden), np.zeros((SIDE, SIDE), np.uint8))

    sheet = kinds_sheet([specimen], (0.0, 1.0), 1.0)

    assert sheet is not None
    assert [column.name for column in sheet.columns] == ["dent, v1"]


def test_a_sheet_is_a_picture_with_a_row_a_kind_and_a_column_a_view(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    specimens = parts(tmp_path, "cap", [("S1", "dent", 0.9)], views=3)
    sheet = specimen_sheets(specimens, (0.0, 1.0), 1.0, 5)[0]

    write_sheet(sheet, tmp_path / "sheet.png")

    picture = cv2.imread(str(tmp_path / "sheet.png"))
    assert picture is not None
    assert sheet.kinds == ("RGB", "normals", "mask", "anomaly map")
    # Three columns and four rows of tiles of 192 px: higher than wide.
    assert 4 * 192 < picture.shape[0] < 4 * 192 + 200
    assert 3 * 192 < picture.shape[1] < 3 * 192 + 200


def test_curves_count_every_pixel_of_every_map(tmp_path: Path) -> None:
    specimens = parts(tmp_path, "cap", [("S1", "good", 0.0), ("S2", "dent", 0.9)], views=1)

    found = category_curves("cap", specimens, WHOLE)

    assert found.parts is not None and found.pro is not None
    assert found.faults == ()
    # The spot stands above everything: all of it is found before the first false pixel.
    assert found.pro.y[found.pro.x == 0].max() == pytest.approx(1.0)
    # Of 3200 pixels 80 are defective: the 99.9th percentile is among them.
    assert 0.9 < found.scale[1] < 0.92
    assert 0.0 < found.scale[0] < 0.01


def test_points_of_curves_lie_in_a_table(tmp_path: Path) -> None:
    specimens = parts(tmp_path, "cap", [("S1", "good", 0.0), ("S2", "dent", 0.9)], views=1)
    found = category_curves("cap", specimens, WHOLE)

    assert write_curves(found, tmp_path / "all.csv", 0)
    assert write_curves(found, tmp_path / "few.csv", 10)

    points = {}
    for name in ("all", "few"):
        with (tmp_path / f"{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert {row["category"] for row in rows} == {"cap"}
        points[name] = {
            curve: [
                (float(r["false_positive_rate"]), float(r["value"]))
                for r in rows
                if r["curve"] == curve
            ]
            for curve in ("ROC of parts", "ROC of pixels", "PRO")
        }
    # One sound part below one defective part: nothing, then it, then both.
    assert points["all"]["ROC of parts"] == [(0, 0), (0, 1), (1, 1)]
    pro = points["few"]["PRO"]
    assert len(pro) <= 10 < len(points["all"]["PRO"])
    assert set(pro) <= set(points["all"]["PRO"])
    assert (*pro[0], *pro[-1]) == pytest.approx((0, 0, 1, 1))


def test_a_category_without_defects_has_a_scale_but_no_curve(tmp_path: Path) -> None:
    specimens = parts(tmp_path, "cap", [("S1", "good", 0.0), ("S2", "good", 0.1)])

    found = category_curves("cap", specimens, WHOLE)

    assert (found.parts, found.pixels, found.pro) == (None, None, None)
    assert not write_curves(found, tmp_path / "none.csv")
    assert not (tmp_path / "none.csv").exists()
    assert found.scale[0] < found.scale[1]


def test_a_curve_is_thinned_and_ends_at_its_limit() -> None:
    x = np.linspace(0, 1, 5000)
    markup = curves("PRO", [Line("cap", x, np.sqrt(x), 1 - x)], ("x", "y"), 0.25)

    points = markup.split(' d="M')[1].split('"')[0].split("L")
    assert len(points) <= 201
    # At x 0.25 the curve is at 0.5: the right end, half way up between 208 and 12.
    last = [float(number) for number in points[-1].split()]
    assert last == pytest.approx([350, 110], abs=1)


def test_a_curve_that_is_undefined_is_left_out() -> None:
    x = np.array([0.0, 1.0])

    assert curves("ROC", [Line("cap", x, np.array([np.nan, 1.0]), x)], ("x", "y")) == ""


def test_a_histogram_shows_both_kinds_and_the_threshold() -> None:
    markup = histogram("cap", np.array([0.1, 0.2]), np.array([0.9]), 0.5)

    assert "sound (2)" in markup
    assert "defective (1)" in markup
    assert "NG above 0.5" in markup


def test_tables_keep_precision_in_csv_and_escape_elsewhere() -> None:
    table = Table(
        "t", "Title", ("category", "I_AUROC"), (("a|b & c_d", 0.123456), ("mean", math.nan)), "50%"
    )

    rows = list(csv.reader(io.StringIO(table.to_csv())))
    assert rows == [["category", "I_AUROC"], ["a|b & c_d", "0.123456"], ["mean", ""]]
    assert f"| mean | {MISSING} |" in table.to_markdown()
    assert "a\\|b & c_d | 0.123" in table.to_markdown()
    assert "a|b \\& c\\_d & 0.123 \\\\" in table.to_latex()
    assert "mean & -- \\\\" in table.to_latex()


def test_file_names_hold_nothing_that_a_shell_or_a_system_minds() -> None:
    assert file_name("00", "<b>cup", "../x y") == "00_b-cup_x-y"
