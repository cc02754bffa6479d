"""Given rig.yml, its samples and views are found; a fault names file, line and key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from captures import DIRECTIONS, RIG, image, images, lp, numbered, table
from rig_texts import only_fault, root_fault, view, write

from mvps.capture import Overrides, discover
from mvps.images import ImageRef, RawLayout, SampleFormat

CALIB = Path(__file__).resolve().parents[2] / "calib"


def test_every_sample_is_found_in_natural_order_with_its_lights_and_mask(rig):
    found = discover(rig)

    assert found.faults == ()
    assert [stack.name for stack in found.stacks] == ["a2/top", "a10/top"]
    stack = found.stacks[1]
    assert stack.layout == "rig"
    assert stack.images == tuple(
        ImageRef(rig / "a10" / "top" / f"L{i:02d}.tif") for i in range(1, 9)
    )
    assert stack.mask == rig / "masks" / "top.png"
    assert stack.lights.directions == pytest.approx(DIRECTIONS, abs=1e-6)
    assert stack.lights is found.stacks[0].lights
    assert stack.findings == ()


def test_the_place_of_the_part_belongs_to_its_view(rig):
    text = "near:\n  distance_mm: 280\n  plane: [10.5, 90]\n  intensities: reference"
    write(rig, view(text + "\n  depth: 'depth/{sample}.tif'\n  mm_per_px: 0.012"))

    stacks = discover(rig).stacks

    place = stacks[0].near
    assert (place.distance_mm, place.plane) == (280, "10.5,90.0")
    assert (place.mm_per_px, place.intensities) == (0.012, "reference")
    assert [stack.depth for stack in stacks] == [
        rig / f"depth/{name}.tif" for name in ("a2", "a10")
    ]
    assert place.key.endswith("rig.yml, line 8: views.top.near")


def test_five_views_make_five_stacks_a_sample(rig):
    text = RIG
    for name in ("front", "back", "left", "right"):
        text += RIG.split("views:\n")[1].replace("top", name)
        image(rig / "masks" / f"{name}.png")
        (rig / "lights" / f"{name}.lp").write_text(lp(numbered()))
        for sample in ("a2", "a10"):
            images(rig / sample / name, [f"L{i:02d}.tif" for i in range(1, 9)])
    write(rig, text)

    found = discover(rig)

    assert found.faults == ()
    assert [stack.name for stack in found.stacks] == [
        f"{sample}/{name}"
        for sample in ("a2", "a10")
        for name in ("top", "front", "back", "left", "right")
    ]


def test_a_view_that_one_sample_lacks_is_a_fault_of_that_stack_alone(rig):
    (rig / "lights" / "side.lp").write_text(lp(numbered()))
    images(rig / "a2" / "side", [f"{i}.tif" for i in range(8)])
    write(
        rig, RIG + '  side:\n    images: "{sample}/side/{light}.tif"\n    lights: lights/side.lp\n'
    )

    found = discover(rig)

    assert [stack.name for stack in found.stacks] == ["a2/top", "a2/side", "a10/top"]
    assert only_fault(rig, "a10/side") == (
        f"{rig}/a10/side/1.tif: no such file; {rig}/rig.yml, line 8: views.side.images asks for it"
    )


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ('"*"', ["a2/top", "a10/top"]),
        ('"a1*"', ["a10/top"]),
        ('"a[0-9]"', ["a2/top"]),
        ("a10", ["a10/top"]),
        ("[a10, a2]", ["a2/top", "a10/top"]),
        ("[a10]", ["a10/top"]),
    ],
)
def test_samples_are_a_glob_or_a_list(rig, samples, expected):
    write(rig, f"{RIG}samples: {samples}\n")

    assert [stack.name for stack in discover(rig).stacks] == expected


def test_a_listed_sample_without_images_is_a_fault(rig):
    write(rig, f"{RIG}samples: [a2, a3]\n")

    assert only_fault(rig, "a3/top").startswith(f"{rig}/a3/top/L01.tif: no such file; ")


def test_a_sample_name_stays_the_text_that_it_is(rig):
    images(rig / "007" / "top", [f"L{i:02d}.tif" for i in range(1, 9)])
    write(rig, f"{RIG}samples: [007]\n")

    assert [stack.name for stack in discover(rig).stacks] == ["007/top"]


@pytest.mark.parametrize(
    "pattern",
    [
        "{sample}/L{light:02d}/top.tif",
        "{sample}_{light}.tif",
        "{light:03d}-{sample}.tif",
        "flat/{sample}-{light:d}.tif",
        "x{sample}y/{sample}/{light:04d}_{sample}.tif",
        "../elsewhere/{sample}/{light}.tif",
        "/{root}/abs/{sample}/{light}.tif",
    ],
)
def test_sample_and_light_may_stand_anywhere_in_a_pattern(tmp_path, pattern):
    root = tmp_path / "raw"
    pattern = pattern.replace("/{root}", str(tmp_path))
    for sample in ("one", "two_2"):
        for i in range(8):
            image(root / pattern.format(sample=sample, light=i), i)
    root.mkdir(exist_ok=True)
    (root / "l.lp").write_text(lp(numbered()))
    write(root, f'version: 1\nviews:\n  v:\n    images: "{pattern}"\n    lights: l.lp\n')

    found = discover(root)

    assert found.faults == ()
    assert [stack.name for stack in found.stacks] == ["one/v", "two_2/v"]
    for stack, sample in zip(found.stacks, ("one", "two_2"), strict=True):
        assert [ref.path for ref in stack.images] == [
            root / pattern.format(sample=sample, light=i) for i in range(8)
        ]


def test_a_pattern_without_a_sample_is_one_stack_named_by_its_view(rig, rewrite):
    rewrite(rig / "rig.yml", "{sample}/top", "a2/top")

    assert [stack.name for stack in discover(rig).stacks] == ["top"]


def test_one_file_of_many_pages_needs_no_light_in_its_pattern(rig, rewrite):
    rewrite(rig / "rig.yml", "top/L{light:02d}.tif", "all.tif")
    image(rig / "a2" / "all.tif", shape=(8, 12, 16))
    image(rig / "a10" / "all.tif", shape=(12, 16))

    (stack,) = discover(rig).stacks

    assert stack.images == tuple(ImageRef(rig / "a2" / "all.tif", page) for page in range(8))
    assert only_fault(rig, "a10/top") == (
        f"{rig}/a10/all.tif: 1 image for 8 lights of {rig}/lights/top.lp; put {{light}} into images"
    )


def test_a_gap_in_the_numbers_names_the_missing_file(rig):
    (rig / "a2" / "top" / "L05.tif").unlink()

    assert only_fault(rig, "a2/top") == (
        f"{rig}/a2/top/L05.tif: no such file, but light 6 is there as L06.tif"
    )
    assert [stack.name for stack in discover(rig).stacks] == ["a10/top"]


def test_numbers_that_do_not_start_at_0_or_1_name_the_first_missing_file(rig):
    for i in (1, 2):
        (rig / "a2" / "top" / f"L0{i}.tif").unlink()

    assert only_fault(rig, "a2/top") == (
        f"{rig}/a2/top/L01.tif: no such file, but light 3 is there as L03.tif"
    )


@pytest.mark.parametrize(("last", "count"), [(9, 9), (7, 7)])
def test_a_count_that_differs_from_the_lights_is_stated(rig, last, count):
    if last == 9:
        image(rig / "a2" / "top" / "L09.tif", 9)
    else:
        (rig / "a2" / "top" / "L08.tif").unlink()

    assert only_fault(rig, "a2/top") == (
        f"{rig}/a2/top/L01.tif to L0{last}.tif: {count} images for 8 lights of {rig}/lights/top.lp"
    )


def test_a_number_counts_only_when_it_is_spelt_as_the_format_spells_it(rig):
    image(rig / "a2" / "top" / "L1.tif", 20)
    image(rig / "a2" / "top" / "L001.tif", 21)

    assert len(discover(rig).stacks) == 2


def test_names_of_the_light_file_give_the_order_when_they_are_those_of_the_images(rig):
    order = [f"C:\\x\\L{i:02d}.jpg" for i in range(8, 0, -1)]
    (rig / "lights" / "top.lp").write_text(lp(order))

    stack = discover(rig).stacks[0]

    assert [ref.path.name for ref in stack.images] == [f"L{i:02d}.tif" for i in range(8, 0, -1)]
    assert [finding.code for finding in stack.findings] == ["NAMES"]


def test_other_names_out_of_natural_order_are_a_warning(rig):
    (rig / "lights" / "top.lp").write_text(lp(numbered()[::-1]))

    stack = discover(rig).stacks[0]

    assert stack.images[0].path.name == "L01.tif"
    (finding,) = stack.findings
    assert finding.level == "warning"
    assert finding.message.startswith(
        f"{rig}/lights/top.lp: names other images than L01.tif, and not in natural order"
    )


def test_lights_may_be_a_pair_or_stand_in_the_file(rig, rewrite):
    (rig / "lights" / "d.txt").write_text(table(DIRECTIONS))
    (rig / "lights" / "i.txt").write_text("2\n" * 8)
    rewrite(rig / "rig.yml", "lights/top.lp", "[lights/d.txt, lights/i.txt]")
    assert discover(rig).stacks[0].lights.intensities.tolist() == [2] * 8

    rows = ", ".join(f"[{x:.17g}, {y:.17g}, {z:.17g}]" for x, y, z in DIRECTIONS)
    rewrite(rig / "rig.yml", "[lights/d.txt, lights/i.txt]", f"[{rows}]")
    assert discover(rig).stacks[0].lights.directions == pytest.approx(DIRECTIONS, abs=1e-15)

    rows = ", ".join(f"{{azimuth: {45 * i}, slant: 20, intensity: {i + 1}}}" for i in range(8))
    rewrite(
        rig / "rig.yml",
        (rig / "rig.yml").read_text().split("lights: ")[1].split("\n")[0],
        f"[{rows}]",
    )
    lights = discover(rig).stacks[0].lights
    assert lights.directions[2] == pytest.approx(
        [0, np.sin(np.radians(20)), np.cos(np.radians(20))]
    )
    assert lights.intensities.tolist() == list(range(1, 9))


def test_a_faulty_inline_light_names_file_key_and_row(rig, rewrite):
    rewrite(rig / "rig.yml", "lights/top.lp", "[[0, 0, 1], [0, 0.6, 0.9], [0.6, 0, 0.8]]")

    assert only_fault(rig, "a2/top").startswith(
        f"{rig}/rig.yml, line 4: views.top.lights: row 2: the direction has length 1.082"
    )


def test_everything_that_a_view_may_state_reaches_its_stacks(rig):
    for name in ("dark", "ambient", "rgb"):
        image(rig / f"{name}.tif")
    for i in range(1, 9):
        image(rig / "flat" / f"{i}.tif", i)
    lines = [
        f"camera: {CALIB / 'cam3.yml'}",
        "dark: dark.tif",
        "ambient: ambient.tif",
        "rgb: rgb.tif",
        'flat: "flat/{light}.tif"',
        "response: gamma=2.2",
        "bits: 12",
        "align: left",
        "bayer: grbg",
        "lights_convention: directx",
        "raw: {packing: mono12p, width: 16, height: 12, offset: 8}",
    ]
    write(rig, view("\n".join(lines)))

    stack = discover(rig).stacks[0]

    assert stack.camera is not None and stack.camera.image_size == (4096, 3000)
    assert (stack.dark, stack.ambient) == (rig / "dark.tif", rig / "ambient.tif")
    assert stack.rgb == rig / "rgb.tif"
    assert [ref.path.name for ref in stack.flats] == [f"{i}.tif" for i in range(1, 9)]
    assert stack.response == "gamma=2.2"
    assert stack.sample_format == SampleFormat(12, "left")
    assert stack.bayer == "grbg"
    assert stack.raw == RawLayout("mono12p", 16, 12, 8)
    assert stack.lights.directions == pytest.approx(DIRECTIONS * [1, -1, 1], abs=1e-6)
    assert stack.ref(rig / "x.raw").raw == stack.raw


def test_one_flat_field_serves_every_light_and_a_mask_may_belong_to_its_sample(rig, rewrite):
    image(rig / "flat.tif")
    for sample in ("a2", "a10"):
        image(rig / sample / "mask.png")
    rewrite(rig / "rig.yml", "masks/top.png", '"{sample}/mask.png"\n    flat: flat.tif')

    stack = discover(rig).stacks[1]

    assert stack.mask == rig / "a10" / "mask.png"
    assert stack.flats == (ImageRef(rig / "flat.tif"),) * 8


def test_a_response_table_is_found_beside_the_rig_file(rig):
    (rig / "curve.txt").write_text("0\n1\n4\n")
    write(rig, view("response: curve.txt"))

    assert discover(rig).stacks[0].response == str(rig / "curve.txt")


@pytest.mark.parametrize("key", ["dark", "ambient", "flat", "mask"])
def test_a_named_file_that_is_missing_is_a_fault(rig, key, rewrite):
    text = RIG.replace("    mask: masks/top.png\n", "") + f"    {key}: gone.tif\n"
    write(rig, text)

    assert only_fault(rig, "a2/top").startswith(f"{rig}/gone.tif: no such file")


def test_a_missing_flat_field_of_one_light_is_named(rig):
    image(rig / "flat" / "1.tif")
    write(rig, view('flat: "flat/{light}.tif"'))

    assert only_fault(rig, "a2/top").startswith(f"{rig}/flat/2.tif: no such file; ")


def test_a_missing_colour_image_is_only_a_warning(rig):
    write(rig, view('rgb: "{sample}/rgb.png"'))

    (finding,) = discover(rig).stacks[0].findings

    assert (finding.level, finding.code) == ("warning", "RGB")
    assert finding.message.startswith(f"{rig}/a2/rgb.png: no such file")


def test_lights_or_a_camera_that_cannot_be_read_are_a_fault_of_every_stack(rig, rewrite):
    rewrite(rig / "lights" / "top.lp", "8\n", "9\n")

    assert [fault.message for fault in discover(rig).faults] == [
        f"{rig}/lights/top.lp, line 1: the count says 9 lights, but 8 rows follow"
    ] * 2

    rewrite(rig / "lights" / "top.lp", "9\n", "8\n")
    write(rig, view("camera: gone.yml"))
    assert only_fault(rig, "a2/top") == f"{rig}/gone.yml: no such file; check the name"


def test_what_the_user_states_replaces_what_the_rig_file_says(rig, tmp_path):
    mask = image(tmp_path / "m.png")
    (tmp_path / "three.lp").write_text(lp(numbered()))
    write(rig, view("response: srgb\nbits: 12\nalign: left"))
    given = Overrides(
        mask=mask, response="linear", bits=10, lights=tmp_path / "three.lp", flat=str(mask)
    )

    stack = discover(rig, given).stacks[0]

    assert (stack.mask, stack.response) == (mask, "linear")
    assert stack.sample_format == SampleFormat(10, "left")
    assert stack.lights.source == str(tmp_path / "three.lp")
    assert len(stack.flats) == 8


def test_a_rig_file_at_the_root_decides_alone(rig):
    images(rig / "ball", numbered())
    (rig / "ball" / "a.lp").write_text(lp(numbered()))

    assert [stack.name for stack in discover(rig).stacks] == ["a2/top", "a10/top"]


def test_two_rig_files_are_refused(rig):
    (rig / "rig.yaml").write_text(RIG)

    assert root_fault(rig) == f"{rig}: holds both rig.yml and rig.yaml; keep one of them"


def test_no_image_at_all_says_what_was_looked_for(rig, rewrite):
    rewrite(rig / "rig.yml", ".tif", ".png")

    assert root_fault(rig) == (
        f"{rig}/rig.yml: no image matches '{{sample}}/top/L{{light:02d}}.png'; "
        f"images are looked for below {rig}"
    )


def test_thousands_of_samples_in_one_folder_are_found_by_one_scan(tmp_path):
    for i in range(1000):
        for k in range(3):
            (tmp_path / f"s{i}_{k}.tif").touch()
    (tmp_path / "l.lp").write_text(lp(numbered(3), DIRECTIONS[:3]))
    write(tmp_path, 'version: 1\nviews:\n  v: {images: "{sample}_{light}.tif", lights: l.lp}\n')

    assert len(discover(tmp_path).stacks) == 1000
