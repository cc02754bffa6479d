"""Normal maps through every encoding and back, and maps that others wrote."""

from __future__ import annotations

import json
import pickle
import sys
import tracemalloc

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile

import mvps
from mvps.errors import ImageError, InputError, MissingExtraError, MvpsError
from mvps.images.encodings import CONVENTIONS, NORMAL_ENCODINGS
from mvps.images.maps import open_normals_writer, open_plane_writer, read_normals

ALL = sorted(NORMAL_ENCODINGS)
STATING = [name for name in ALL if name != "npy"]
# Mean angles in degrees over a sphere's cap: derived in test_encodings, measured here.
MEAN = {"uint16": 0.0007, "uint8": 0.18, "float16": 0.008, "float32": 0.0}


def cap(height=150, width=131) -> tuple[np.ndarray, np.ndarray]:
    """Normals of a sphere's cap (H, W, 3) float32, and where they are (H, W) uint8."""
    y, x = np.mgrid[1 : -1 : height * 1j, -1 : 1 : width * 1j]
    square = x**2 + y**2
    valid = square < 0.9
    normals = np.dstack([x, y, np.sqrt(np.maximum(0, 1 - square))]).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    normals[~valid] = 0
    return normals, valid.astype(np.uint8)


def write(path, encoding, normals, valid, chunk=64, **options):
    height, width = valid.shape
    writer = open_normals_writer(path, encoding, width, height, **options)
    for y in range(0, height, chunk):
        writer.write_rows(normals[y : y + chunk], valid[y : y + chunk])
    writer.finish()
    return path


def angles(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    across = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.degrees(np.arctan2(across, (a * b).sum(axis=-1)))


@pytest.mark.parametrize("encoding", ALL)
@pytest.mark.parametrize("chunk", [17, 150])
def test_a_round_trip_stays_within_the_bound_of_its_encoding(tmp_path, encoding, chunk):
    normals, valid = cap()

    path = write(tmp_path / "map.part", encoding, normals, valid, chunk)
    back, still_valid = read_normals(path)

    inside = valid != 0
    error = angles(normals[inside], back[inside])
    chosen = NORMAL_ENCODINGS[encoding]
    assert back.dtype == np.float32
    assert np.array_equal(still_valid, inside)
    assert not back[~inside].any()
    # float32 of both maps, 1e-7 rad, comes on top.
    assert error.max() <= chosen.max_error + 1.2e-5
    assert error.mean() <= MEAN[chosen.dtype] + 1.2e-5
    if chosen.dtype == "float32":
        assert np.array_equal(back, normals)
    else:
        assert error.max() > chosen.max_error / 4


@pytest.mark.parametrize("encoding", ALL)
@pytest.mark.parametrize("convention", sorted(CONVENTIONS))
def test_a_map_comes_back_in_the_house_frame_from_every_convention(tmp_path, encoding, convention):
    normals, valid = cap()
    path = write(tmp_path / "map", encoding, normals, valid, convention=convention)

    stated = convention if encoding == "npy" else None
    back, _ = read_normals(path, convention=stated)
    flipped, _ = read_normals(path, convention="opengl")

    inside = valid != 0
    limit = NORMAL_ENCODINGS[encoding].max_error + 1.2e-5
    assert angles(normals[inside], back[inside]).max() <= limit
    assert angles(normals[inside] * CONVENTIONS[convention], flipped[inside]).max() <= limit


def test_the_default_is_rgb_order_as_documented(tmp_path):
    normals, valid = cap()
    path = write(tmp_path / "normals.tif", "tiff", normals, valid)

    codes = tifffile.imread(path)
    inside = valid != 0

    assert codes.dtype == np.uint16
    assert np.abs(codes[inside] / 65535 * 2 - 1 - normals[inside]).max() <= 1 / 65535 + 1e-6
    assert np.array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1], codes)
    assert path.stat().st_size == pytest.approx(codes.nbytes, abs=1000)


@pytest.mark.parametrize("encoding", ["png8", "png16"])
def test_png_maps_open_in_opencv(tmp_path, encoding):
    normals, valid = cap()
    path = write(tmp_path / "normals.png", encoding, normals, valid)

    codes = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]

    top = np.iinfo(NORMAL_ENCODINGS[encoding].dtype).max
    assert np.abs(codes / top * 2 - 1 - normals)[valid != 0].max() <= 1 / top + 1e-6


def test_a_numpy_map_is_an_array_that_numpy_loads(tmp_path):
    normals, valid = cap()
    path = write(tmp_path / "normals.npy", "npy", normals, valid, 40)

    assert np.array_equal(np.load(path), normals)


def test_a_jpeg_xl_map_opens_in_the_plain_decoder(tmp_path):
    normals, valid = cap()
    jxl = write(tmp_path / "normals.jxl", "jxl8", normals, valid, description="a < b & c")
    png = write(tmp_path / "normals.png", "png8", normals, valid)

    codes = imagecodecs.jpegxl_decode(jxl.read_bytes())

    assert np.array_equal(codes, imagecodecs.png_decode(png.read_bytes()))


@pytest.mark.parametrize("encoding", STATING)
def test_a_file_states_version_encoding_and_convention_beside_what_it_was_given(tmp_path, encoding):
    from mvps.images import maps

    given = json.dumps({"content": "normals <&> of a part"})
    path = write(tmp_path / "map", encoding, *cap(), convention="directx", description=given)

    _, text = maps._read_samples(path, 10**6)

    assert json.loads(text) == {
        "content": "normals <&> of a part",
        "mvps": mvps.__version__,
        "encoding": encoding,
        "convention": "directx",
    }


def test_a_convention_in_a_strangers_description_is_not_believed(tmp_path):
    codes = np.full((2, 2, 3), 65535, np.uint16)
    codes[...] = [32768, 52428, 59000]
    text = json.dumps({"convention": "directx"})
    tifffile.imwrite(tmp_path / "a.tif", codes, photometric="rgb", description=text)

    normals, _ = read_normals(tmp_path / "a.tif")

    assert normals[0, 0, 1] > 0


@pytest.mark.parametrize("encoding", ALL)
def test_a_map_above_the_size_limit_is_refused(tmp_path, encoding):
    path = write(tmp_path / "map", encoding, *cap())

    with pytest.raises(ImageError, match="map: is 131x150, above the limit"):
        read_normals(path, max_pixels=131 * 150 - 1)


@pytest.mark.parametrize("encoding", ALL)
@pytest.mark.parametrize("share", [0.02, 0.5, 0.98])
def test_a_truncated_map_is_told_in_one_line_that_names_the_file(tmp_path, encoding, share):
    path = write(tmp_path / "map.bin", encoding, *cap())
    data = path.read_bytes()
    path.write_bytes(data[: max(33, int(len(data) * share))])

    with pytest.raises(ImageError, match=r"map\.bin: ") as caught:
        read_normals(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ALL)
def test_an_aborted_map_is_gone(tmp_path, encoding):
    normals, valid = cap()
    writer = open_normals_writer(tmp_path / "map", encoding, 131, 150)
    writer.write_rows(normals[:70], valid[:70])
    writer.abort()

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("encoding", ALL)
def test_a_full_disk_is_told_in_one_line_that_names_the_file(tmp_path, encoding):
    (tmp_path / "map.full").symlink_to("/dev/full")

    with pytest.raises(MvpsError, match=r"map\.full: ") as caught:
        write(tmp_path / "map.full", encoding, *cap())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ALL)
def test_a_map_without_all_its_rows_is_not_finished(tmp_path, encoding):
    normals, valid = cap()
    writer = open_normals_writer(tmp_path / "map", encoding, 131, 150)
    writer.write_rows(normals[:70], valid[:70])

    with pytest.raises(ValueError, match="70 of 150 rows"):
        writer.finish()


@pytest.mark.parametrize("encoding", [n for n in ALL if NORMAL_ENCODINGS[n].streamed])
def test_memory_does_not_grow_with_the_height(tmp_path, encoding):
    normals = np.zeros((100, 500, 3), np.float32)
    normals[..., 2] = 1
    valid = np.ones((100, 500), np.uint8)
    write(tmp_path / "warm", encoding, normals, valid)
    writer = open_normals_writer(tmp_path / "map", encoding, 500, 4000)
    tracemalloc.start()
    for _ in range(40):
        writer.write_rows(normals, valid)
    writer.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # 64 rows of float32 have 384 kB; the map 24 MB.
    assert peak < 5 * 384_000


def test_planes_of_one_three_and_other_numbers(tmp_path):
    rows = np.random.default_rng(0).random((70, 20, 3)).astype(np.float32)
    for channels in (1, 2, 3):
        path = tmp_path / f"{channels}.tif"
        writer = open_plane_writer(path, 20, 70, channels, np.float32, "albedo")
        writer.write_rows(rows[..., :channels])
        writer.finish()

    assert np.array_equal(tifffile.imread(tmp_path / "1.tif"), rows[..., 0])
    assert np.array_equal(tifffile.imread(tmp_path / "2.tif"), np.moveaxis(rows[..., :2], 2, 0))
    assert np.array_equal(tifffile.imread(tmp_path / "3.tif"), rows)


def test_the_benchmarks_truth_reads_alike_from_matlab_and_numpy(test_data):
    folder = test_data("diligent_ball")
    top, bottom, left, right = json.loads((folder / "crop.json").read_text())["crop_y0y1x0x1"]

    full, full_valid = read_normals(folder / "Normal_gt_full.mat")
    crop, crop_valid = read_normals(folder / "normal_gt.npy")

    assert full.shape == (512, 612, 3)
    assert np.array_equal(full_valid[top:bottom, left:right], crop_valid)
    assert np.abs(full[top:bottom, left:right] - crop).max() < 1e-6
    assert full_valid.sum() == crop_valid.sum() > 15_000


def test_a_matlab_file_may_name_its_only_map_as_it_likes_but_not_hold_two(tmp_path):
    scipy_io = pytest.importorskip("scipy.io", reason="SciPy reads .mat files")
    normals, _ = cap(20, 30)
    scipy_io.savemat(tmp_path / "one.mat", {"N": normals, "mask": np.ones((20, 30))})
    scipy_io.savemat(tmp_path / "two.mat", {"N": normals, "M": normals})
    scipy_io.savemat(tmp_path / "none.mat", {"N": normals[..., 0]})

    assert np.array_equal(read_normals(tmp_path / "one.mat")[0], normals)
    with pytest.raises(ImageError, match=r"two\.mat: has no variable Normal_gt.*found: N, M"):
        read_normals(tmp_path / "two.mat")
    with pytest.raises(ImageError, match=r"none\.mat: has no variable Normal_gt.*found: none"):
        read_normals(tmp_path / "none.mat")
    with pytest.raises(ImageError, match="is 30x20, above the limit of 599"):
        read_normals(tmp_path / "one.mat", max_pixels=599)


def test_a_matlab_file_of_the_hdf5_kind_or_a_damaged_one_is_told(tmp_path):
    pytest.importorskip("scipy.io", reason="SciPy reads .mat files")
    head = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\x02IM"
    (tmp_path / "new.mat").write_bytes(head + bytes(600))
    (tmp_path / "bad.mat").write_bytes(
        b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\x01IM" + b"\xff" * 99
    )

    with pytest.raises(ImageError, match=r"new\.mat: .*save it with -v7"):
        read_normals(tmp_path / "new.mat")
    with pytest.raises(ImageError, match=r"bad\.mat: "):
        read_normals(tmp_path / "bad.mat")


def test_arrays_that_are_no_maps_are_refused_and_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "grey.npy", np.zeros((4, 5)))
    np.save(tmp_path / "stack.npy", np.zeros((2, 4, 5, 3), np.float32))
    np.save(tmp_path / "int.npy", np.zeros((4, 5, 3), np.int64))
    np.save(tmp_path / "object.npy", np.array([[[print] * 3]]), allow_pickle=True)
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps([1, 2, 3]))

    for name, fault in {
        "grey.npy": r"has shape \(4, 5\)",
        "stack.npy": r"has shape \(2, 4, 5, 3\)",
        "int.npy": "holds int64 samples",
        "object.npy": "is damaged",
        "pickle.npy": "",
        "gone.npy": "no such file",
    }.items():
        with pytest.raises(ImageError, match=f"{name}: .*{fault}"):
            read_normals(tmp_path / name)


def test_a_numpy_header_that_promises_terabytes_takes_no_memory(tmp_path):
    with (tmp_path / "bomb.npy").open("wb") as file:
        shape = (1 << 20, 1 << 20, 3)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)

    with pytest.raises(ImageError, match=r"bomb\.npy: "):
        read_normals(tmp_path / "bomb.npy")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2", "u1", ">u2"])
def test_numpy_truth_of_any_plain_type_and_order_is_read(tmp_path, order, dtype):
    normals, valid = cap(40, 30)
    stored = normals
    if "u" in dtype:
        stored = np.where(valid[..., None], (normals + 1) / 2 * np.iinfo(dtype).max + 0.5, 0)
    np.save(tmp_path / "truth.npy", np.asarray(stored.astype(dtype), order=order))

    back, still_valid = read_normals(tmp_path / "truth.npy")

    assert np.array_equal(still_valid, valid != 0)
    assert np.abs(back - normals).max() < 0.006


def test_grey_images_are_no_normal_maps(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 5), np.uint8))

    with pytest.raises(ImageError, match=r"a\.png: .*three channels"):
        read_normals(tmp_path / "a.png")


def test_a_missing_package_names_its_extra(tmp_path, monkeypatch):
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 MAT-file".ljust(200))
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    monkeypatch.setitem(sys.modules, "scipy.io", None)

    with pytest.raises(MissingExtraError, match=r"mvps\[exr\]"):
        open_normals_writer(tmp_path / "a.exr", "exr", 4, 4)
    with pytest.raises(MissingExtraError, match=r"mvps\[mat\]"):
        read_normals(tmp_path / "a.mat")
    assert not (tmp_path / "a.exr").exists()


def test_unknown_names_are_refused_before_a_file_is_made(tmp_path):
    with pytest.raises(InputError, match="no such format"):
        open_normals_writer(tmp_path / "a", "webp", 4, 4)
    with pytest.raises(InputError, match="no such convention"):
        open_normals_writer(tmp_path / "a", "tiff", 4, 4, convention="maya")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (8, 8), (24, 16), (256, 256), (300, 200), (7, 600), (9000, 3)]
)
def test_the_size_of_a_jpeg_xl_map_is_known_from_its_header(tmp_path, width, height):
    normals = np.zeros((height, width, 3), np.float32)
    normals[..., 2] = 1
    path = write(tmp_path / "a.jxl", "jxl8", normals, np.ones((height, width), np.uint8))
    (tmp_path / "bare.jxl").write_bytes(
        imagecodecs.jpegxl_encode(np.full(normals.shape, 200, "u1"))
    )

    for name in (path, tmp_path / "bare.jxl"):
        assert read_normals(name, max_pixels=width * height)[0].shape == normals.shape
        with pytest.raises(ImageError, match=f"is {width}x{height}, above the limit"):
            read_normals(name, max_pixels=width * height - 1)


def test_an_openexr_map_of_another_program_needs_float_r_g_and_b(tmp_path):
    openexr = pytest.importorskip("OpenEXR", reason="OpenEXR reads .exr files")
    normals, valid = cap(20, 30)
    planes = {name: np.ascontiguousarray(normals[..., i]) for i, name in enumerate("RGB")}
    depth = np.ones((20, 30), np.float32)
    openexr.File({}, {**planes, "Z": depth}).write(str(tmp_path / "good.exr"))
    openexr.File({}, {"Z": depth}).write(str(tmp_path / "depth.exr"))

    back, still_valid = read_normals(tmp_path / "good.exr")

    assert np.array_equal(back, normals)
    assert np.array_equal(still_valid, valid != 0)
    with pytest.raises(ImageError, match=r"depth\.exr: has the channels Z"):
        read_normals(tmp_path / "depth.exr")
