"""Given a tree of folders, discover finds the stacks, in natural order, and says what is wrong."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from captures import (
    DIRECTIONS,
    image,
    images,
    lp,
    names_of,
    numbered,
    only_fault,
    only_stack,
    table,
)

from mvps.capture import Fault, discover
from mvps.errors import InputError
from mvps.images import ImageRef, RawLayout


def test_a_diligent_folder_is_a_stack_with_its_mask_and_its_images_in_natural_order(tmp_path):
    folder = tmp_path / "ball"
    images(folder, numbered(12))
    rows = np.concatenate([DIRECTIONS, DIRECTIONS[:4] * [0.5, 0.5, 1]])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    (folder / "light_directions.txt").write_text(table(rows))
    image(folder / "mask.png")

    stack = only_stack(folder)

    assert (stack.name, stack.layout) == (".", "diligent")
    assert names_of(stack) == numbered(12)
    assert stack.mask == folder / "mask.png"
    assert stack.lights.directions == pytest.approx(rows, abs=1e-6)
    assert stack.infos == ()


def test_names_beside_the_lights_give_the_order(ball):
    order = numbered()[::-1]
    (ball / "filenames.txt").write_bytes("\r\n".join(order).encode())

    assert names_of(only_stack(ball)) == order


def test_pictures_that_are_no_photographs_are_left_out(ball):
    for name in ("Mask_2.png", "normal.png", "normal_gt.npy", "ball_gt.png", "Albedo.tif"):
        image(ball / name)
    image(ball / "preview.png")
    image(ball / "rgb.png")

    stack = only_stack(ball)

    assert names_of(stack) == numbered()
    assert stack.rgb == ball / "rgb.png"


def test_a_stack_may_bear_an_excluded_name_when_the_description_gives_it(tmp_path):
    names = [f"rgb_{i}.png" for i in range(8)]
    images(tmp_path, names)
    (tmp_path / "a.lp").write_text(lp(names))

    assert names_of(only_stack(tmp_path)) == names


def test_an_lp_file_gives_the_order_of_its_images(tmp_path):
    names = numbered()[::-1]
    images(tmp_path / "coin", names)
    (tmp_path / "coin" / "coin.lp").write_text(lp(names))

    stack = only_stack(tmp_path)

    assert (stack.name, stack.layout) == ("coin", "rti")
    assert names_of(stack) == names
    assert stack.findings == ()


@pytest.mark.parametrize(
    ("spell", "warns"),
    [
        (lambda i: rf"D:\RTI\coin one\img{i}.png", False),
        (lambda i: f"/home/someone/img{i}.png", False),
        (lambda i: f"IMG{i}.PNG", True),
        (lambda i: f"C:\\x\\img{i}.jpg", True),
        (lambda i: f"img{i}", True),
        (lambda i: f"img{i}.cr2", True),
    ],
)
def test_names_from_another_machine_are_matched_by_what_is_left_of_them(tmp_path, spell, warns):
    images(tmp_path, numbered())
    path = tmp_path / "a.lp"
    path.write_text(lp([spell(i) for i in range(8, 0, -1)]))

    stack = only_stack(tmp_path)

    assert names_of(stack) == numbered()[::-1]
    assert [finding.code for finding in stack.findings] == (["NAMES"] if warns else [])
    for finding in stack.findings:
        assert finding.level == "warning"
        assert finding.message.startswith(f"{path}: 8 names differ from the files, as ")


def test_images_that_the_description_does_not_name_are_said(tmp_path):
    images(tmp_path, numbered(9))
    (tmp_path / "a.lp").write_text(lp(numbered(8)))

    stack = only_stack(tmp_path)

    assert names_of(stack) == numbered(8)
    (finding,) = stack.findings
    assert finding.message == (
        f"{tmp_path}/a.lp: does not name 1 images of {tmp_path}, as img9.png"
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["gone.png"], "a.lp, row 3: names no image: 'gone.png' is not in "),
        (["img1.png"], "a.lp, row 3: names img1.png again, after row 1"),
    ],
)
def test_a_row_that_names_no_image_of_its_own_is_a_fault(tmp_path, names, message):
    images(tmp_path, numbered())
    rows = numbered()
    rows[2:3] = names
    (tmp_path / "a.lp").write_text(lp(rows))

    assert message in only_fault(tmp_path)


def test_a_stem_that_two_images_share_is_a_fault(tmp_path):
    images(tmp_path, [*numbered(), "img3.tif"])
    (tmp_path / "a.lp").write_text(lp([f"img{i}.jpg" for i in range(1, 9)]))

    assert "a.lp, row 3: 'img3.jpg' may be img3.png or img3.tif; write which" in only_fault(
        tmp_path
    )


def test_a_list_of_names_that_is_too_short_is_a_fault(ball):
    (ball / "filenames.txt").write_text("\n".join(numbered(7)))

    assert only_fault(ball) == (
        f"{ball}/filenames.txt: 7 names for 8 lights of {ball}/light_directions.txt"
    )


def test_a_name_of_the_list_that_is_missing_on_disk_is_a_fault(ball):
    (ball / "filenames.txt").write_text("\n".join(numbered()))
    (ball / "img4.png").unlink()

    assert f"{ball}/filenames.txt, row 4: names no image: 'img4.png'" in only_fault(ball)


def test_a_count_that_differs_is_a_fault_that_shows_both(ball):
    image(ball / "img9.png", 9)

    assert only_fault(ball) == (
        f"{ball}: 9 images for 8 lights of {ball}/light_directions.txt: img1.png to img9.png; "
        "name the images in filenames.txt"
    )


def test_mixed_endings_are_counted_when_the_count_differs(ball):
    image(ball / "img9.tif", 9)

    assert "img1.png to img9.tif (8 png, 1 tif)" in only_fault(ball)


def test_a_faulty_light_file_is_a_fault_of_its_stack_alone(ball, rewrite):
    other = ball.parent / "cup"
    images(other, numbered())
    (other / "light_directions.txt").write_text(table(DIRECTIONS).replace(".", ",", 1))

    found = discover(ball.parent)

    assert [stack.name for stack in found.stacks] == ["ball"]
    assert found.faults == (
        Fault(
            "cup",
            f"{other}/light_directions.txt, line 1: '0,600000' has a decimal comma, "
            "write '0.600000'",
        ),
    )


def test_lights_in_a_parent_serve_every_folder_of_images_below(tmp_path):
    for name in ("s2/top", "s10/top", "s10/side"):
        images(tmp_path / name, numbered())
    (tmp_path / "light_directions.txt").write_text(table(DIRECTIONS))

    found = discover(tmp_path)

    assert [stack.name for stack in found.stacks] == ["s2/top", "s10/side", "s10/top"]


def test_a_mask_beside_the_lights_serves_the_folders_below_that_have_none(tmp_path):
    for name in ("s1", "s2"):
        images(tmp_path / name, numbered())
    (tmp_path / "light_directions.txt").write_text(table(DIRECTIONS))
    shared, own = image(tmp_path / "mask.png"), image(tmp_path / "s2" / "mask.png")

    assert [stack.mask for stack in discover(tmp_path).stacks] == [shared, own]


def test_a_folder_below_a_stack_does_not_inherit_its_lights(ball):
    images(ball / "crops", ["a.png", "b.png"])

    found = discover(ball.parent)

    assert [stack.name for stack in found.stacks] == ["ball"]
    assert found.ignored == ("ball/crops",)


def test_the_nearest_lights_count(tmp_path):
    (tmp_path / "light_directions.txt").write_text(table(DIRECTIONS[:3]))
    images(tmp_path / "own", numbered())
    (tmp_path / "own" / "own.lp").write_text(lp(numbered()))
    images(tmp_path / "inherits", numbered(3))

    stacks = discover(tmp_path).stacks

    assert [(s.name, len(s.lights), s.layout) for s in stacks] == [
        ("inherits", 3, "diligent"),
        ("own", 8, "rti"),
    ]


def test_one_view_given_by_itself_finds_the_lights_above_it(tmp_path):
    images(tmp_path / "s1" / "top", numbered())
    (tmp_path / "light_directions.txt").write_text(table(DIRECTIONS))

    assert only_stack(tmp_path / "s1" / "top").lights.source == str(
        tmp_path / "light_directions.txt"
    )


def test_two_descriptions_in_one_folder_are_a_fault(ball):
    (ball / "a.lp").write_text(lp(numbered()))

    assert only_fault(ball) == (
        f"{ball}: 2 light descriptions: a.lp and light_directions.txt; give --lights"
    )


def test_lights_without_images_are_a_fault(ball):
    empty = ball.parent / "empty"
    empty.mkdir()
    (empty / "a.lp").write_text(lp(numbered()))

    (fault,) = discover(ball.parent).faults

    assert fault == Fault("empty", f"{empty}/a.lp: no image goes with these lights")


def test_one_tiff_of_many_pages_is_a_stack(tmp_path):
    image(tmp_path / "all.tif", shape=(8, 12, 16))
    (tmp_path / "light_directions.txt").write_text(table(DIRECTIONS))

    stack = only_stack(tmp_path)

    assert stack.images == tuple(ImageRef(tmp_path / "all.tif", page) for page in range(8))


def test_one_npy_stack_is_a_stack_whatever_an_lp_file_calls_its_images(tmp_path):
    image(tmp_path / "all.npy", shape=(8, 12, 16, 3))
    (tmp_path / "a.lp").write_text(lp(numbered()))

    stack = only_stack(tmp_path)

    assert [ref.page for ref in stack.images] == list(range(8))


def test_pages_that_do_not_match_the_lights_are_a_fault(tmp_path):
    image(tmp_path / "all.tif", shape=(7, 12, 16))
    (tmp_path / "light_directions.txt").write_text(table(DIRECTIONS))

    assert only_fault(tmp_path) == (
        f"{tmp_path}/all.tif: 7 pages for 8 lights of {tmp_path}/light_directions.txt"
    )


def test_headerless_frames_need_a_declared_layout(tmp_path):
    for i in range(8):
        (tmp_path / f"img{i}.raw").write_bytes(bytes([i]) * 288)
    (tmp_path / "light_directions.txt").write_text(table(DIRECTIONS))
    layout = RawLayout("mono12packed", 16, 12)

    assert {ref.raw for ref in only_stack(tmp_path, raw=layout).images} == {layout}
    assert "img0.raw: has no header; declare raw" in only_fault(tmp_path)


def test_hidden_folders_and_output_of_earlier_runs_are_passed_by(ball):
    root = ball.parent
    for name, mark in ((".trash", None), ("out", "manifest.jsonl"), ("done", "stack.json")):
        images(root / name / "x", numbered())
        (root / name / "x" / "light_directions.txt").write_text(table(DIRECTIONS))
        if mark:
            (root / name / mark).write_text("")

    assert [stack.name for stack in discover(root).stacks] == ["ball"]


def test_an_output_folder_given_as_the_capture_is_refused(ball):
    (ball / "manifest.jsonl").write_text("")

    with pytest.raises(InputError, match="holds maps that mvps wrote, not a capture"):
        discover(ball)


def test_symlink_loops_end_and_a_folder_goes_by_its_own_name(ball):
    root = ball.parent
    (root / "again").symlink_to(ball)
    (ball / "loop").symlink_to(root)
    (root / "self").symlink_to(root)
    (root / "gone").symlink_to(root / "nowhere")

    assert [stack.name for stack in discover(root).stacks] == ["ball"]


def test_a_linked_stack_elsewhere_is_found(ball, tmp_path):
    root = tmp_path / "links"
    root.mkdir()
    (root / "linked").symlink_to(ball)

    assert [stack.name for stack in discover(root).stacks] == ["linked"]


def test_a_folder_with_nothing_recognised_says_what_was_looked_for_and_found(tmp_path):
    with pytest.raises(InputError) as caught:
        discover(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: no rig.yml, light_directions.txt or .lp file and no image; "
        "give the folder of a capture"
    )

    images(tmp_path / "b", numbered(3))
    images(tmp_path / "c", numbered(2))
    with pytest.raises(InputError) as caught:
        discover(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: no rig.yml, light_directions.txt or .lp file, but 3 images in {tmp_path}/b "
        "and more in 1 other folders; add a light description or give --lights"
    )


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="none: no such folder; give the folder that holds"):
        discover(tmp_path / "none")


def test_thousands_of_stacks_are_found_with_one_scan_a_folder(tmp_path, monkeypatch):
    count = 1000
    text = table(DIRECTIONS)
    for i in range(count):
        folder = tmp_path / f"s{i}"
        folder.mkdir()
        (folder / "light_directions.txt").write_text(text)
        for k in range(8):
            (folder / f"{k}.png").touch()
    import mvps.capture.folders as folders

    scanned: list[Path] = []
    scan = folders.os.scandir
    monkeypatch.setattr(folders.os, "scandir", lambda path: scanned.append(path) or scan(path))

    start = time.perf_counter()
    found = discover(tmp_path)

    assert len(found.stacks) == count
    assert len(scanned) == len(set(scanned)) == count + 1
    # Measured: 0.5 s on two shared cores.
    assert time.perf_counter() - start < 10


@pytest.mark.data
def test_the_real_diligent_ball_is_one_stack_of_96_lights(test_data):
    stack = only_stack(test_data("diligent_ball"))

    assert names_of(stack) == [f"{i:03d}.png" for i in range(1, 97)]
    assert stack.lights.intensities[0].tolist() == [1.2909, 1.5776, 2.1336]
