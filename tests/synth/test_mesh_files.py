"""Mesh files of every format, and the one line that each kind of bad file gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.synth import mesh_files
from mvps.synth.mesh import Mesh, bounds, join, make_mesh, take_faces, volume, weld
from mvps.synth.mesh_files import check_mesh, read_mesh
from mvps.synth.shapes import plate

trimesh = pytest.importorskip("trimesh")

BLOCK = plate(16, 12, 5, 0.8)


def written(folder: Path, mesh: Mesh, name: str) -> Path:
    body = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    if name.endswith(".gltf"):
        for part, data in body.export(file_type="gltf").items():
            (folder / part).write_bytes(data)
        return (folder / "model.gltf").rename(folder / name)
    body.export(folder / name)
    return folder / name


def codes(mesh: Mesh) -> list[str]:
    return [finding.code for finding in check_mesh(mesh)]


@pytest.mark.parametrize("name", ["a.ply", "a.obj", "a.stl", "a.glb", "a.gltf", "A.STL"])
def test_every_format_gives_the_same_block(tmp_path: Path, name: str) -> None:
    mesh = weld(read_mesh(written(tmp_path, BLOCK, name), "mm"), 1e-4)

    assert np.allclose(bounds(mesh), bounds(BLOCK), atol=1e-5)
    assert volume(mesh) == pytest.approx(volume(BLOCK), rel=1e-5)
    assert len(mesh.vertices) == len(BLOCK.vertices)
    assert codes(mesh) == []


def test_vrml_is_read_without_trimesh(tmp_path: Path) -> None:
    text = "Shape { geometry IndexedFaceSet { coordIndex [0 1 2] coord Coordinate { point [0 0 0"
    (tmp_path / "a.wrl").write_text(f"#VRML V2.0 utf8\n{text}, 10 0 0, 0 10 0] }} }} }}")

    assert bounds(read_mesh(tmp_path / "a.wrl", "tenth-inch"))[1].tolist() == [25.4, 25.4, 0]


def test_gltf_is_in_metres_where_no_unit_is_stated(tmp_path: Path) -> None:
    """The glTF standard fixes the metre; the other formats have no unit, and CAD thinks in mm."""
    small = replace(BLOCK, vertices=BLOCK.vertices / 1000)

    assert bounds(read_mesh(written(tmp_path, small, "a.glb")))[1] == pytest.approx([8, 6, 5])
    assert bounds(read_mesh(written(tmp_path, BLOCK, "a.ply")))[1] == pytest.approx([8, 6, 5])
    assert bounds(read_mesh(tmp_path / "a.ply", "inch"))[1, 2] == pytest.approx(127)


@pytest.mark.parametrize(("factor", "code"), [(1e-3, "small"), (1e3, "large"), (1, None)])
def test_a_part_of_an_unlikely_size_is_warned_about(factor: float, code: str | None) -> None:
    findings = check_mesh(replace(BLOCK, vertices=BLOCK.vertices * factor))

    assert [finding.code for finding in findings] == ([code] if code else [])
    if code:
        assert "16 mm: state the unit" in findings[0].message


def test_non_manifold_open_and_inside_out_meshes_are_warned_about() -> None:
    fin = make_mesh(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1]], [[0, 1, 2], [1, 0, 3], [0, 1, 4]]
    )
    flipped = replace(BLOCK, faces=np.ascontiguousarray(BLOCK.faces[:, ::-1]))

    assert codes(fin) == ["non-manifold", "open"]
    assert codes(take_faces(BLOCK, np.arange(1, len(BLOCK.faces)))) == ["open"]
    assert codes(flipped) == ["inside-out"]
    assert "14.29% of the edges" in check_mesh(fin)[0].message  # one of seven


def test_faces_without_area_are_warned_about() -> None:
    thread = make_mesh([[0, 0, 0], [1, 0, 0], [2, 0, 0]], [[0, 1, 2]])

    assert "degenerate" in codes(join([BLOCK, thread, thread]))
    assert codes(thread) == ["flat"]


def test_a_mesh_without_faces_or_with_a_vertex_that_is_no_number_is_an_error() -> None:
    empty = take_faces(BLOCK, np.zeros(len(BLOCK.faces), np.bool_))
    broken = replace(
        BLOCK,
        vertices=np.where(np.arange(len(BLOCK.vertices))[:, None] == 3, np.nan, BLOCK.vertices),
    )

    for mesh, code in ((empty, "no-faces"), (broken, "not-finite")):
        (finding,) = check_mesh(mesh)
        assert (finding.level, finding.code) == ("error", code)


PLY = "ply\nformat ascii 1.0\nelement vertex 3\n" + "".join(
    f"property float {axis}\n" for axis in "xyz"
)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("points.ply", f"{PLY}end_header\n0 0 0\n1 0 0\n0 1 0\n", "has no faces"),
        ("empty.stl", "solid x\nendsolid x\n", "has no faces"),
        ("nan.obj", "v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "are not numbers"),
        ("flat.obj", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "no face of the mesh has an area"),
        ("index.obj", "v 0 0 0\nf 1 2 9\n", "cannot be read as a mesh"),
        ("noise.glb", "noise", "cannot be read as a mesh"),
        ("nothing.ply", "", "cannot be read as a mesh"),
        ("other.step", "", "not a mesh's name"),
        ("plain.wrl", "solid", "does not start with '#VRML V2.0 utf8'"),
    ],
)
def test_a_bad_file_gets_one_line(tmp_path: Path, name: str, data: str, expected: str) -> None:
    (tmp_path / name).write_text(data)
    with pytest.raises(InputError, match=expected) as caught:
        read_mesh(tmp_path / name)

    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_missing_files_unknown_units_and_huge_meshes_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_mesh(tmp_path / "none.ply")
    with pytest.raises(InputError, match="no such unit"):
        read_mesh(tmp_path / "none.ply", "furlong")
    path = written(tmp_path, BLOCK, "a.ply")
    monkeypatch.setattr(mesh_files, "MAX_FACES", 100)
    with pytest.raises(InputError, match="more than 100 triangles"):
        read_mesh(path)
    monkeypatch.setattr(mesh_files, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="larger than 0 MiB"):
        read_mesh(path)
