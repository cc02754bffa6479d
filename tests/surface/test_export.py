"""Files of heights and meshes, read back by the libraries that others use."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from reliefs import sphere

from mvps.errors import InputError
from mvps.images.maps import read_statement
from mvps.surface.export import write_height, write_height_png
from mvps.surface.mesh import surface_mesh, write_mesh
from mvps.surface.relief import Relief, orthographic_relief

SCALE = 0.05


@pytest.fixture
def relief() -> Relief:
    height = sphere(64)[0].astype(np.float32)
    height[:5, :9] = np.nan
    return orthographic_relief(height, SCALE)


def test_the_float_tiff_holds_millimetres_and_says_so(tmp_path: Path, relief: Relief) -> None:
    write_height(tmp_path / "height.tif", relief)
    read = tifffile.imread(tmp_path / "height.tif")
    said = read_statement(tmp_path / "height.tif")
    np.testing.assert_array_equal(read, relief.height)
    assert (said["content"], said["unit"], said["unit_per_px"]) == ("height", "mm", SCALE)


def test_the_16_bit_png_gives_the_height_back_by_its_scale(tmp_path: Path, relief: Relief) -> None:
    import cv2

    scale = write_height_png(tmp_path / "height.png", relief)
    read = cv2.imread(str(tmp_path / "height.png"), cv2.IMREAD_UNCHANGED)
    said = read_statement(tmp_path / "height.png")
    assert read.dtype == np.uint16
    assert {key: said[key] for key in scale} == scale
    known = np.isfinite(relief.height)
    assert np.array_equal(read > 0, known)
    back = scale["offset"] + scale["step"] * (read[known].astype(float) - 1)
    assert np.abs(back - relief.height[known]).max() <= 0.51 * scale["step"] + 1e-6
    assert np.ptp(read[known]) == 65534


@pytest.mark.parametrize(
    ("ending", "unit", "factor"), [("ply", "mm", 1), ("obj", "mm", 1), ("glb", "m", 1e-3)]
)
def test_a_mesh_has_the_size_of_the_surface(
    tmp_path: Path, relief: Relief, ending: str, unit: str, factor: float
) -> None:
    import trimesh

    path = tmp_path / f"part.{ending}"
    mesh = surface_mesh(relief, faces=20_000)
    assert write_mesh(path, mesh, relief.unit) == unit
    read = trimesh.load(path, force="mesh")
    width = 63 * SCALE
    size = np.array([width, width, np.nanmax(relief.height) - np.nanmin(relief.height)])
    np.testing.assert_allclose(read.extents, size * factor, rtol=1e-4)
    assert len(read.faces) == 2 * (63 * 63 - 5 * 9)
    assert (read.face_normals[:, 2] > 0).all()


def test_thinning_keeps_to_the_number_of_faces_and_near_the_surface(relief: Relief) -> None:
    mesh = surface_mesh(relief, faces=600)
    assert mesh.step == 2
    assert 300 < len(mesh.faces) <= 600
    # The vertices of a thinned sphere stay near it: 1% of its radius of 0.8 * 64 px.
    radius = np.linalg.norm(mesh.vertices, axis=1)
    np.testing.assert_allclose(radius, 0.8 * 64 * SCALE, rtol=0.01)


def test_no_triangle_joins_two_regions(relief: Relief) -> None:
    regions = np.ones((64, 64), np.int32)
    regions[:, 32:] = 2
    mesh = surface_mesh(relief, regions, faces=50_000)
    left = mesh.vertices[:, 0] < 0
    assert all(len(set(left[face])) == 1 for face in mesh.faces)


def test_names_and_counts_that_make_no_mesh_are_refused(tmp_path: Path, relief: Relief) -> None:
    mesh = surface_mesh(relief, faces=100)
    with pytest.raises(InputError, match=r"not a mesh's name; end it in \.ply, \.obj, \.glb"):
        write_mesh(tmp_path / "part.stl", mesh, "mm")
    with pytest.raises(InputError, match="make no surface"):
        surface_mesh(relief, faces=3)
    dots = np.where(np.indices((6, 6)).sum(axis=0) % 2, np.nan, 1).astype(np.float32)
    with pytest.raises(InputError, match="no four neighbouring pixels"):
        surface_mesh(Relief(dots, "px", 1.0))


def test_a_failed_write_leaves_nothing(tmp_path: Path, relief: Relief) -> None:
    (tmp_path / "height.tif").mkdir()
    with pytest.raises(OSError, match=r"height\.tif"):
        write_height(tmp_path / "height.tif", relief)
    assert [path.name for path in tmp_path.iterdir()] == ["height.tif"]
