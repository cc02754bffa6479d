"""The VRML reader: what CAD libraries write is read, anything else is refused with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mvps.errors import InputError
from mvps.synth import vrml
from mvps.synth.mesh import Mesh, bounds, face_areas, face_normals, make_mesh, volume, weld
from mvps.synth.polygons import triangulate
from mvps.synth.vrml import VrmlMaterial, read_vrml

HEAD = "#VRML V2.0 utf8\n"
CUBE = """geometry IndexedFaceSet { solid TRUE creaseAngle 0.5
  coordIndex [0,2,3,1,-1, 4,5,7,6,-1, 0,1,5,4,-1, 2,6,7,3,-1, 0 4 6 2 -1 1 3 7 5]
  coord Coordinate { point [0 0 0, 1 0 0, 0 1 0, 1 1 0, 0 0 1, 1 0 1, 0 1 1, 1 1 1] } }"""
SHAPE = f"Shape {{ {CUBE} }}"


def reading(folder: Path, text: str, unit: float = 1.0) -> tuple[Mesh, dict[str, VrmlMaterial]]:
    path = folder / "part.wrl"
    path.write_text(text, encoding="utf-8")
    return read_vrml(path, unit)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        reading(folder, text)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


def test_a_cube_of_quadrangles_in_tenths_of_an_inch_is_a_closed_block(tmp_path: Path) -> None:
    mesh, materials = reading(tmp_path, HEAD + SHAPE, 2.54)

    assert volume(weld(mesh)) == pytest.approx(2.54**3)
    assert bounds(mesh).tolist() == [[0, 0, 0], [2.54] * 3]
    assert materials == {"default": VrmlMaterial()}
    assert np.array_equal(np.unique(mesh.surface), [0])


def test_materials_are_named_by_def_and_use_and_unnamed_ones_by_their_colour(
    tmp_path: Path,
) -> None:
    text = f"""{HEAD}
    Shape {{ appearance Appearance {{ material DEF TIN Material {{ # a comment
        diffuseColor 0.8, 0.8 0.7 shininess 0.5 emissiveColor 0 0 0 }} }} }}
    Shape {{ {CUBE} appearance Appearance {{ material USE TIN }} }}
    Shape {{ appearance Appearance {{ material Material {{ diffuseColor 1 0 .5 }} }} {CUBE} }}"""
    mesh, materials = reading(tmp_path, text)

    assert mesh.materials == ("TIN", "colour-ff0080")
    assert materials["TIN"] == VrmlMaterial((0.8, 0.8, 0.7), shininess=0.5)
    assert np.bincount(mesh.material).tolist() == [12, 12]
    assert np.bincount(mesh.surface).tolist() == [12, 12]


def test_one_name_for_two_materials_keeps_both(tmp_path: Path) -> None:
    look = "appearance Appearance {{ material DEF A Material {{ diffuseColor {} 0 0 }} }}"
    text = "".join(f"Shape {{ {look.format(red)} {CUBE} }}" for red in (1, 0.5))

    assert reading(tmp_path, HEAD + text)[0].materials == ("A", "A-2")


def test_transforms_scale_turn_and_shift_in_that_order(tmp_path: Path) -> None:
    """x to 2x, a quarter turn about z takes (2, 0) to (0, 2), the shift adds (10, 0, 1)."""
    text = f"""Transform {{ translation 10 0 1 rotation 0 0 1 1.5707963267948966 scale 2 1 1
    children [ Group {{ children DEF C {SHAPE} }} WorldInfo {{ title "a {"{"} in a text" }} ] }}
    Transform {{ center 1 1 0 rotation 0 0 2 3.14159265358979 children USE C }}"""
    mesh, _ = reading(tmp_path, HEAD + text)
    first, second = mesh.vertices[:8], mesh.vertices[8:]

    assert np.allclose([first.min(axis=0), first.max(axis=0)], [[9, 0, 1], [10, 2, 2]])
    assert np.allclose([second.min(axis=0), second.max(axis=0)], [[1, 1, 0], [2, 2, 1]])


def test_a_mirroring_scale_and_clockwise_faces_still_look_outward(tmp_path: Path) -> None:
    mirrored = f"Transform {{ scale -1 1 1 children {SHAPE} }}"
    assert volume(weld(reading(tmp_path, HEAD + mirrored)[0])) == pytest.approx(1)

    clockwise = SHAPE.replace("solid TRUE", "ccw FALSE")
    assert volume(weld(reading(tmp_path, HEAD + clockwise)[0])) == pytest.approx(-1)


def test_faces_without_a_crease_angle_are_of_no_smooth_cad_face(tmp_path: Path) -> None:
    flat = SHAPE.replace("creaseAngle 0.5", "")

    assert (reading(tmp_path, HEAD + flat)[0].surface == -1).all()


@pytest.mark.parametrize("seed", range(6))
def test_concave_polygons_in_any_plane_are_cut_into_triangles_of_their_area(seed: int) -> None:
    """Star-shaped about the origin, so their area is the sum of the wedges' areas."""
    rng = np.random.default_rng(seed)
    count = 5 + 7 * seed
    angle = np.sort([*rng.uniform(0, 2 * np.pi, count - 3), 0.1, 2.2, 4.3])
    radius = rng.uniform(0.2, 2.0, count)
    ring = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    frame = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    points = ring @ frame[:2]
    x, y = ring.T
    area = float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)

    mesh = make_mesh(points, triangulate(points, [np.arange(count)]))

    assert len(mesh.faces) == count - 2
    assert face_areas(mesh).sum() == pytest.approx(area)
    up = np.cross(frame[0], frame[1])
    assert (face_normals(mesh)[face_areas(mesh) > 1e-12] @ up > 0.99).all()


def test_a_concave_quadrangle_is_parted_within_itself() -> None:
    points = np.array([[0, 0, 0], [2, 0, 0], [0.5, 0.5, 0], [0, 2, 0.0]])
    mesh = make_mesh(points, triangulate(points, [np.roll(np.arange(4), 1)]))

    assert face_areas(mesh).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "line 1: does not start with '#VRML V2.0 utf8'"),
        ("#VRML V1.0 ascii\n", "line 1: VRML 1.0, not VRML 2"),
        (HEAD + "\nShape {\n geometry Box { size 1 1 1 } }", "line 4: the geometry Box"),
        (HEAD + 'Inline { url "http://a/b.wrl" }', "line 2: the node Inline is not understood"),
        (HEAD + "PROTO A [ ] { }", "line 2: PROTO is not understood"),
        (HEAD + "ROUTE A.b TO C.d", "line 2: ROUTE is not understood"),
        (HEAD + "Shape {\n geometry USE NONE }", "line 3: USE 'NONE' names no node"),
        (HEAD + "DEF A Group { children USE A }", "line 2: USE 'A' names no node"),
        (HEAD + "Shape {", "line 2: the file ends within a node"),
        (HEAD + "Shape { geometry }", "'}' stands where a node is due"),
        (HEAD + "Shape { 12 }", "'12' stands where a field is due"),
        (HEAD + SHAPE.replace("1 3 7 5", "1 3 7 8"), "corner 8, but the points are 0 to 7"),
        (HEAD + SHAPE.replace("1 1 1]", "1 1]"), "23 numbers of points"),
        (HEAD + SHAPE.replace("1 1 1]", "1 1 1e999]"), "line 4: '1e999' is too large"),
        (HEAD + SHAPE.replace("1 1 1]", "1 1 0x1]"), "line 4: '0x1' is not a number"),
        (HEAD + SHAPE.replace("solid", "ccw 1 solid"), "the field ccw is due TRUE or FALSE"),
        (HEAD + 'WorldInfo { title "abc }', "line 2: a text without its closing"),
        (HEAD + f"Transform {{ scale 0 1 1 children {SHAPE} }}", "a scale of zero"),
        (HEAD + f"Transform {{ rotation 0 0 1 children {SHAPE} }}", "rotation is due 4 numbers"),
        (HEAD + "Group { children [" * 70, "line 2: more than 64 nodes within each other"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line_with_its_place(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert expected in refusal(tmp_path, text)


def test_a_few_lines_that_unfold_without_end_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten groups of ten groups each, ten times over."""
    monkeypatch.setattr(vrml, "MAX_SHAPES", 500)
    lines = [f"DEF G0 {SHAPE}"]
    lines += [f"DEF G{k} Group {{ children [ {f'USE G{k - 1} ' * 10} ] }}" for k in range(1, 11)]

    assert "more than 500 shapes and groups" in refusal(tmp_path, HEAD + "\n".join(lines))


WORDS = """Shape Group Transform geometry children coord coordIndex point IndexedFaceSet Coordinate
DEF USE A B NULL TRUE { } [ ] { } [ ] -1 0 1 2 3 1.5 1e9 nan , # " Material Appearance appearance
material diffuseColor scale rotation"""
TOKENS = st.sampled_from([*WORDS.split(), "\n"])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.lists(TOKENS, max_size=60).map(" ".join), st.text(max_size=80)))
def test_no_text_breaks_the_reader(tmp_path: Path, text: str) -> None:
    path = tmp_path / "any.wrl"
    path.write_bytes((HEAD + text).encode("utf-8", "replace"))
    try:
        mesh, _ = read_vrml(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(mesh.vertices).all()


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, len(SHAPE) - 1), st.sampled_from(list('{}[]",#-9eE. \n')))
def test_a_changed_letter_breaks_nothing_but_the_file(tmp_path: Path, at: int, letter: str) -> None:
    path = tmp_path / "any.wrl"
    path.write_text(HEAD + SHAPE[:at] + letter + SHAPE[at + 1 :])
    try:
        read_vrml(path)
    except InputError as error:
        assert "\n" not in str(error)
