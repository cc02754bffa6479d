"""A white target under each light: from photographs to intensities, fields and true normals."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from running import mvps, only_error
from scenes import bumps, degrees_between, write_directions, write_image

from mvps.errors import InputError
from mvps.images.maps import read_normals
from mvps.lights import read_lights
from mvps.lights.fields import LowPass
from mvps.pipeline.flatwriter import measure_flats
from mvps.pipeline.whitetarget import find_target

H, W, K = 96, 144, 8
DARK = 400
RGB = np.array([1.0, 0.8, 0.5])


@dataclass(frozen=True)
class Bench:
    """A rendered capture and target under lights of uneven strength, with vignetting."""

    raw: Path
    white: Path
    dark: Path
    lights: Path
    normals: np.ndarray
    strength: np.ndarray


def bench(
    folder: Path,
    *,
    colour: str = "grey",
    tilt: tuple[float, float, float] = (0, 0, 1),
    dust: bool = False,
) -> Bench:
    rng = np.random.default_rng(5)
    scene = bumps(H, W, K)
    strength = rng.uniform(0.5, 1.0, K)
    y, x = np.mgrid[:H, :W]
    u, v = (2 * x - W + 1) / (W - 1), (2 * y - H + 1) / (H - 1)
    normal = np.array(tilt) / np.linalg.norm(tilt)
    for name in ("raw", "white"):
        (folder / name).mkdir(parents=True)
    for k, light in enumerate(scene.directions):
        # Vignetting of the lens and a light that is nearer to its own side.
        field = (1 - 0.3 * (u**2 + 0.6 * v**2)) * (1 + 0.2 * (light[0] * u - light[1] * v))
        plane = np.full((H, W), 0.8 * (light @ normal))
        if dust:
            plane[20:22, 30:50] *= 0.5
        for name, shade in (("raw", scene.shading()[k]), ("white", plane)):
            linear = 50_000 * strength[k] * field * shade
            image = linear if colour == "grey" else linear[..., None] * RGB
            if colour == "rggb":
                image = np.where(
                    y % 2, *(np.where(x % 2, image[..., c + 1], image[..., c]) for c in (1, 0))
                )
            write_image(folder / name / f"{k + 1:03d}.tif", np.rint(image + DARK).astype(np.uint16))
    shape = (H, W, 3) if colour == "rgb" else (H, W)
    write_image(folder / "dark.tif", np.full(shape, DARK, np.uint16))
    write_directions(folder / "raw", scene.directions)
    lights = folder / "raw/light_directions.txt"
    paths = (folder / "raw", folder / "white", folder / "dark.tif", lights)
    return Bench(*paths, scene.normals, strength)


def measured(made: Bench, out: Path, **options):
    rig = read_lights(made.lights)
    target, _ = find_target(made.white, rig, dark=made.dark)
    return measure_flats(target, out, rig=rig, **options)


@pytest.mark.parametrize("colour", ["grey", "rgb", "rggb"])
def test_normals_are_right_after_lights_flat_and_wrong_before(tmp_path, colour):
    made = bench(tmp_path, colour=colour)

    flat = mvps(
        *("lights", "flat", made.white, tmp_path / "out", "--lights", made.lights),
        *("--dark", made.dark, "--plot", tmp_path / "fields.png", "--json"),
        *(bayer := ("--bayer", colour) if colour == "rggb" else ()),
    )
    assert flat.returncode == 0, flat.stderr
    words = json.loads(flat.stdout)
    given = ("--dark", made.dark, "--format", "f32", "--no-light-check", *bayer)
    corrected = mvps(
        *("normals", made.raw, tmp_path / "maps", "--lights", words["lights"]),
        *("--flat", words["flat"], *given),
    )
    assert corrected.returncode == 0, corrected.stderr
    assert mvps("normals", made.raw, tmp_path / "plain", *given).returncode == 0

    def mean_error(name: str) -> float:
        normals, valid = read_normals(tmp_path / name / "normals.tif")
        assert valid.all()
        return float(degrees_between(normals, made.normals).mean())

    # Rounding to 16 bits leaves 0.001; interpolating a mosaic of slopes costs more.
    assert mean_error("maps") < (0.5 if bayer else 0.01)
    assert mean_error("plain") > 5
    values = np.array([image["intensity"] for image in words["images"]])
    expected = made.strength if colour == "grey" else np.outer(made.strength, RGB)
    assert values == pytest.approx(expected / expected.mean(), rel=5e-3)
    assert (tmp_path / "fields.png").read_bytes().startswith(b"\x89PNG")


def test_a_flat_field_is_float32_of_mean_1_whatever_the_low_pass(tmp_path):
    made = bench(tmp_path, dust=True)
    for text in ("polynomial", "gaussian", "none"):
        result = measured(made, tmp_path / text, low_pass=LowPass(text, 4))
        field = tifffile.imread(result.flats[0].flat)

        assert field.dtype == np.float32
        assert field.mean(dtype=np.float64) == pytest.approx(1, abs=1e-4)
        depth = field[21, 40] / field[16, 40]
        # Dust is no light: only the photographs themselves show it.
        assert (depth < 0.6) == (text == "none")


def test_a_tilted_target_needs_its_normal(tmp_path):
    made = bench(tmp_path, tilt=(0.2, 0.1, 1))
    normal = np.array([0.2, 0.1, 1]) / np.linalg.norm([0.2, 0.1, 1])
    expected = made.strength / made.strength.mean()

    told = measured(made, tmp_path / "told", normal=normal).intensities
    untold = measured(made, tmp_path / "untold").intensities

    assert told == pytest.approx(expected, rel=5e-3)
    assert np.abs(untold / expected - 1).max() > 0.1


def test_without_lights_the_levels_are_written_and_it_is_said(tmp_path):
    made = bench(tmp_path)
    target, _ = find_target(made.white, None, dark=made.dark)

    result = measure_flats(target, tmp_path / "out")

    assert result.lights.name == "light_intensities.txt"
    assert [finding.code for finding in result.findings] == ["FORESHORTENED"]
    assert np.loadtxt(result.lights) == pytest.approx(result.intensities)


def test_frames_called_dark_and_ambient_are_subtracted_and_are_no_lights(tmp_path):
    made = bench(tmp_path)
    made.dark.rename(made.white / "dark.tif")

    target, _ = find_target(made.white, read_lights(made.lights))

    assert len(target.images) == K
    assert target.offset.path.name == "dark.tif"


def test_names_of_the_lights_decide_which_image_is_whose(tmp_path):
    made = bench(tmp_path)
    rows = made.lights.read_text("utf-8").splitlines()
    lines = [f"{k + 1:03d}.tif {row}" for k, row in enumerate(rows)]
    lp = tmp_path / "a.lp"
    lp.write_text(f"{K}\n" + "\n".join(lines[::-1]), "utf-8")

    target, _ = find_target(made.white, read_lights(lp), dark=made.dark)

    assert target.images[0].path.name == "008.tif"
    (made.white / "003.tif").unlink()
    with pytest.raises(InputError, match=r"a\.lp, row 6: names no image: '003\.tif'"):
        find_target(made.white, read_lights(lp), dark=made.dark)


def spoil(made: Bench, image: np.ndarray) -> None:
    write_image(made.white / "003.tif", image)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((H, W), 65535, np.uint16), "003.tif: 1e+02% of the pixels are saturated, at most"),
        (np.full((H, W), DARK + 9, np.uint16), "003.tif: the target shows 0.014% of full scale"),
        (np.full((H, W), DARK - 9, np.uint16), "003.tif: the target shows 0% of full scale"),
        (np.full((H, W + 1), 9999, np.uint16), "003.tif: has 145x96 px, dark.tif has 144x96"),
        (np.full((H, W), 99, np.uint8), "003.tif: has 255 full scale, dark.tif has 65535"),
    ],
)
def test_an_image_that_cannot_be_used_stops_before_anything_is_written(tmp_path, image, message):
    made = bench(tmp_path)
    spoil(made, image)

    result = mvps(
        *("lights", "flat", made.white, tmp_path / "out", "--lights", made.lights),
        *("--dark", made.dark),
    )

    assert result.returncode == 2
    assert message in only_error(result)
    assert not (tmp_path / "out").exists()


def test_a_little_saturation_and_a_dim_image_are_warned_about(tmp_path):
    made = bench(tmp_path)
    image = tifffile.imread(made.white / "003.tif")
    image[0, :9] = 65535
    spoil(made, image)
    dim = np.full((H, W), DARK + 2000, np.uint16)
    write_image(made.white / "004.tif", dim)

    codes = [finding.code for finding in measured(made, tmp_path / "out").findings]

    assert codes == ["SATURATED", "DIM"]


def test_float_images_with_a_dark_frame_are_warned_about(tmp_path):
    made = bench(tmp_path)
    for path in (*made.white.iterdir(), made.dark):
        write_image(path, tifffile.imread(path).astype(np.float32) / 65535)

    result = measured(made, tmp_path / "out")

    assert [finding.code for finding in result.findings] == ["FLOAT"]
    assert result.intensities == pytest.approx(made.strength / made.strength.mean(), rel=5e-3)


def test_what_an_earlier_run_wrote_is_kept_unless_told_otherwise(tmp_path):
    made = bench(tmp_path)
    measured(made, tmp_path / "out")

    with pytest.raises(InputError, match="holds flat fields already; pass --overwrite"):
        measured(made, tmp_path / "out")
    measured(made, tmp_path / "out", overwrite=True)
    record = json.loads((tmp_path / "out/flat.json").read_text("utf-8"))
    assert record["low_pass"] == "polynomial=4"
    assert "l_k . n" in record["model"]
