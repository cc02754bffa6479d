from __future__ import annotations

import json
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import dataset_trees
import pytest

from mvps.datasets import files, read_dataset
from mvps.datasets.dataset import Tally
from mvps.datasets.describe import AREA_EDGES, Description, describe
from mvps.datasets.files import measure_masks
from mvps.datasets.plot import plot_dataset


def codes(description: Description) -> list[str]:
    return [finding.code for finding in description.findings]


def image(root: Path, sample: str, kind: str, view: str = "C1") -> Path:
    (path,) = root.glob(f"jst_eh/**/{sample}/*_{view}_{kind}_*")
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    dataset_trees.realiad_mvn(tmp_path)
    return tmp_path


def test_counts_and_areas_are_those_of_the_tree(tree: Path) -> None:
    found = describe(read_dataset(tree))
    (counts,) = found.categories
    assert (counts.samples, counts.images, counts.views) == (6, 12, ("front", "top"))
    assert counts.splits == {"train": (6, 0), "test": (2, 4)}
    assert counts.defects == {"bent_pin": 4}
    assert (counts.rgb, counts.normals, counts.masks) == (12, 12, 4)
    # The mask of the top view marks 4 x 4 of 16 x 16 pixels; that of the front view is black.
    assert [area.share for area in found.marked] == [16 / 256, 16 / 256]
    assert found.findings == ()


def test_the_histogram_of_areas_counts_every_mask_once(tree: Path) -> None:
    stated = describe(read_dataset(tree)).as_dict()
    json.dumps(stated, allow_nan=False)
    everything, bent = stated["area_share"]
    assert (everything["defect"], bent["defect"]) == ("", "bent_pin")
    place = everything["histogram"].index(2)
    assert sum(everything["histogram"]) == 2
    assert AREA_EDGES[place] <= 0.0625 < AREA_EDGES[place + 1]


def test_every_layout_is_clean_when_looked_at_deeply(tmp_path: Path) -> None:
    writers: dict[str, Callable[[Path], None]] = {
        "realiad": dataset_trees.realiad,
        "eyecandies": dataset_trees.eyecandies,
        "mvtec": dataset_trees.mvtec_ad,
        "mvtec3d": dataset_trees.mvtec_3d,
    }
    for name, write in writers.items():
        write(tmp_path / name)
        found = describe(read_dataset(tmp_path / name), deep=True)
        assert [f.message for f in found.findings if f.level == "error"] == []


def test_a_truncated_image_is_found_by_its_header_and_a_torn_one_when_decoded(tree: Path) -> None:
    short, torn = image(tree, "S0001", "RGB"), image(tree, "S0002", "PS")
    short.write_bytes(short.read_bytes()[:20])
    content = bytearray(torn.read_bytes())
    content[60] ^= 0xFF
    torn.write_bytes(content)
    dataset = read_dataset(tree)
    shallow, deep = describe(dataset), describe(dataset, deep=True)
    assert codes(shallow) == codes(deep) == ["UNREADABLE"]
    assert short.name in shallow.findings[0].message
    assert "2, as" in deep.findings[0].message


def test_a_header_of_60000_by_60000_pixels_is_refused_in_one_line(tree: Path) -> None:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    head = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    for kind in ("RGB", "MASK"):
        path = image(tree, "S0005", kind)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + head + bytes(64))
    found = describe(read_dataset(tree), deep=True)
    (finding,) = [f for f in found.findings if f.code == "UNREADABLE"]
    assert "60000x60000, above the limit" in finding.message and "\n" not in finding.message


def test_sizes_that_differ_within_a_record_are_named(tree: Path) -> None:
    dataset_trees.Painter(tree).colour(str(image(tree, "S0001", "RGB").relative_to(tree)), side=8)
    (finding,) = describe(read_dataset(tree)).findings
    assert finding.code == "SIZE"
    assert "jst_eh/S0001/top (8x8 and 16x16)" in finding.message


def test_a_grey_normal_map_is_none(tree: Path) -> None:
    shutil.copy(image(tree, "S0005", "MASK"), image(tree, "S0001", "PS"))
    (finding,) = describe(read_dataset(tree)).findings
    assert "is a grey image, not a normal map" in finding.message


def test_the_same_image_in_training_and_test_is_a_leak(tree: Path) -> None:
    shutil.copy(image(tree, "S0001", "RGB"), image(tree, "S0005", "RGB"))
    (finding,) = describe(read_dataset(tree)).findings
    assert (finding.level, finding.code) == ("error", "SAME_CONTENT")
    assert image(tree, "S0005", "RGB").name in finding.message
    assert "jst_eh/S0001/top" in finding.message


def test_images_that_agree_at_both_ends_alone_are_no_leak(tmp_path: Path) -> None:
    dataset_trees.mvtec_ad(tmp_path)
    ends = b"\x89PNG" + bytes(8000)
    (tmp_path / "bottle/train/good/000.png").write_bytes(ends + b"a" + bytes(8000))
    (tmp_path / "bottle/test/good/000.png").write_bytes(ends + b"b" + bytes(8000))
    assert "SAME_CONTENT" not in codes(describe(read_dataset(tmp_path)))


def rewrite(tree: Path, change: Callable[[dict[str, list[dict[str, object]]]], None]) -> None:
    path = tree / "jst_eh.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_sample_in_both_splits_is_a_leak(tree: Path) -> None:
    rewrite(tree, lambda lists: lists["test"].append(lists["train"].pop(0)))
    (finding,) = describe(read_dataset(tree)).findings
    assert (finding.level, finding.code) == ("error", "SPLIT_SAMPLE")
    assert finding.message.endswith("jst_eh/S0001")


def test_a_defective_image_in_training_is_told(tree: Path) -> None:
    rewrite(tree, lambda lists: lists["train"].extend(lists["test"][-2:]) or lists["test"].pop())
    assert "DEFECT_IN_TRAINING" in codes(describe(read_dataset(tree)))


def test_masks_are_missed_where_no_view_of_a_sample_has_one(tree: Path) -> None:
    def drop(lists: dict[str, list[dict[str, object]]]) -> None:
        for row in lists["test"]:
            if row["sample"] == "S0005" or (row["sample"], row["view"]) == ("S0006", "C2"):
                row["mask_path"] = None

    rewrite(tree, drop)
    (finding,) = describe(read_dataset(tree)).findings
    assert finding.code == "NO_MASK" and "jst_eh/S0005" in finding.message


def test_masks_that_mark_nothing_or_a_sound_image_are_told(tree: Path) -> None:
    paint = dataset_trees.Painter(tree)
    paint.mask(str(image(tree, "S0005", "MASK").relative_to(tree)), 0)
    marked = str(image(tree, "S0006", "MASK").relative_to(tree / "jst_eh"))

    def mark(lists: dict[str, list[dict[str, object]]]) -> None:
        lists["test"][0]["mask_path"] = marked

    rewrite(tree, mark)
    assert codes(describe(read_dataset(tree))) == ["SOUND_MASK", "EMPTY_MASK"]


def test_of_many_masks_some_are_measured_spread_over_all(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST_MASKS", 2)
    records = read_dataset(tree).records
    areas, masks = measure_masks(records, Tally())
    assert masks == 4
    masked = [record for record in records if record.mask]
    assert [area.record for area in areas] == [masked[0], masked[-1]]
    assert len(measure_masks(records, Tally(), every=True)[0]) == 4


def test_the_picture_is_drawn_with_and_without_defects(tree: Path) -> None:
    dataset = read_dataset(tree)
    plot_dataset(describe(dataset), tree / "a.png")
    for path in tree.glob("jst_eh/NG/**/*_MASK_*"):
        dataset_trees.Painter(tree).mask(str(path.relative_to(tree)), 0)
    plot_dataset(describe(dataset), tree / "b.svg")
    assert (tree / "a.png").stat().st_size > 10_000
    assert (tree / "b.svg").read_text().startswith("<?xml")
