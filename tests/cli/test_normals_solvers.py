"""``mvps normals --solver``: words, record and what is solved again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from glossy import Look, render
from running import mvps, only_error
from scenes import degrees_between, write_directions, write_image


def write_glossy(folder: Path, lights: int = 24) -> np.ndarray:
    """A stack of a glossy part in DiLiGenT's layout; its true normals."""
    capture = render(Look(shape="part", lights=lights, gloss=0.04, roughness=0.2, bits=8))
    folder.mkdir(parents=True)
    for number, image in enumerate(capture.images, start=1):
        write_image(folder / f"{number:03d}.png", image)
    write_directions(folder, capture.directions)
    return capture.normals


def normals_of(folder: Path) -> np.ndarray:
    return np.load(folder / "normals.npy")


def record_of(folder: Path) -> dict:
    return json.loads((folder / "stack.json").read_text())


def test_auto_says_what_it_chose_and_why_and_comes_closer(tmp_path: Path) -> None:
    truth = write_glossy(tmp_path / "raw")
    mvps("normals", tmp_path / "raw", tmp_path / "ls", "--format", "npy")
    result = mvps(
        "normals", tmp_path / "raw", tmp_path / "out", "--solver", "auto", "--format", "npy"
    )

    assert result.returncode == 0
    assert "solver trimmed: " in result.stderr
    record = record_of(tmp_path / "out")
    assert record["solver"]["name"] == "trimmed"
    assert record["solver"]["trim"] == [0.3, 0.4]
    assert record["solver"]["auto"]["highlights"] > 0.04
    assert record["figures"]["fallback"] < 0.05 * record["figures"]["valid"]
    plain, robust = (
        degrees_between(normals_of(tmp_path / name), truth).mean() for name in ("ls", "out")
    )
    assert robust < 0.5 * plain


TINT = np.array([1.0, 0.55, 0.3])


def write_tinted(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """A matt part of one colour with white highlights under 24 lights; its normals and albedo."""
    matt, glossy = (
        render(Look(shape="part", lights=24, gloss=gloss, roughness=0.2, bits=16))
        for gloss in (0.0, 0.04)
    )
    folder.mkdir(parents=True)
    exposure = [image[:, image.shape[1] // 2].mean() for image in (matt.images, glossy.images)]
    shine = np.maximum(glossy.images * (exposure[0] / exposure[1]) - matt.images, 0)
    images = 0.6 * (matt.images[..., None] * TINT + shine[..., None])
    for number, image in enumerate(np.clip(images, 0, 65535), start=1):
        write_image(folder / f"{number:03d}.png", np.rint(image).astype(np.uint16))
    write_directions(folder, matt.directions)
    return matt.normals, TINT


@pytest.mark.parametrize("solver", ["gated", "trimmed", "irls", "auto"])
def test_one_normal_and_a_colour_come_of_all_channels(tmp_path: Path, solver: str) -> None:
    truth, tint = write_tinted(tmp_path / "raw")
    words = ("normals", tmp_path / "raw")
    flags = ("--grey", "channels", "--format", "npy", "--no-light-check")
    for name in ("ls", solver):
        done = mvps(*words, tmp_path / name, "--solver", name, *flags)
        assert done.returncode == 0, done.stderr

    albedo = tifffile.imread(tmp_path / solver / "albedo.tif")
    assert albedo.shape == (*truth.shape[:2], 3)
    assert np.isfinite(albedo).all() and (albedo >= 0).all()
    ratio = np.median(albedo[..., 1:] / albedo[..., :1], axis=(0, 1))
    np.testing.assert_allclose(ratio, tint[1:], atol=0.03)
    plain, robust = (
        degrees_between(normals_of(tmp_path / name), truth).mean() for name in ("ls", solver)
    )
    assert robust < (0.95 if solver == "gated" else 0.5) * plain  # it leaves highlights in


def test_the_quality_map_shows_where_a_solver_fell_back(tmp_path: Path) -> None:
    write_glossy(tmp_path / "raw", lights=6)
    mvps("normals", tmp_path / "raw", tmp_path / "out", "--solver", "trimmed", "--quality")
    residual, used, *_ = tifffile.imread(tmp_path / "out" / "quality.tif")
    assert np.count_nonzero(used < 0) == record_of(tmp_path / "out")["figures"]["fallback"] > 0
    assert set(np.unique(np.abs(used))) <= {0, 3, 4, 5, 6}  # four, and what ties with them
    assert residual.max() > 0


def test_parameters_are_recorded_and_changing_one_solves_again(tmp_path: Path) -> None:
    write_glossy(tmp_path / "raw", lights=8)
    words = ("normals", tmp_path / "raw", tmp_path / "out", "--solver", "irls")
    mvps(*words)
    first = record_of(tmp_path / "out")
    assert first["solver"] == {
        "name": "irls", "loss": "cauchy", "iterations": 5, "epsilon": 0.01, "tuning": 0.5,
        "shadow": 0.1,
    }  # fmt: skip

    assert "1 done before" in mvps(*words).stderr.replace("\n", " ")
    assert "1 stack done" in mvps(*words, "--loss", "tukey", "--iterations", "3").stderr
    again = record_of(tmp_path / "out")
    assert (again["solver"]["loss"], again["solver"]["iterations"]) == ("tukey", 3)
    assert again["fingerprint"] != first["fingerprint"]


@pytest.mark.parametrize(
    "words,message",
    [
        (("--solver", "robust"), "--solver: 'robust' is none of ls, gated, trimmed, irls, auto"),
        (("--loss", "l3"), "--loss: 'l3' is none of cauchy, huber, tukey, l1"),
        (("--iterations", "0"), "--iterations: 0 is not 1 to 100"),
        (("--trim", "0.5"), "--trim: '0.5' is not LOW,HIGH"),
        (("--trim", "0.7,0.4"), "--trim: 0.7,0.4 leaves nothing"),
    ],
)
def test_words_that_cannot_be_are_refused(tmp_path: Path, words, message) -> None:
    write_glossy(tmp_path / "raw", lights=4)
    result = mvps("normals", tmp_path / "raw", tmp_path / "out", *words)
    assert result.returncode == 2
    assert message in only_error(result)


def test_a_sample_that_is_not_a_number_costs_its_pixel_alone(tmp_path: Path) -> None:
    capture = render(Look(shape="bumps", lights=8, gloss=0.04))
    raw = tmp_path / "raw"
    raw.mkdir()
    images = (capture.images / capture.white).astype(np.float32)
    images[3, 10, 20] = np.nan
    for number, image in enumerate(images, start=1):
        tifffile.imwrite(raw / f"{number:03d}.tif", image)
    write_directions(raw, capture.directions)

    for solver in ("auto", "gated", "trimmed", "irls"):
        out = tmp_path / solver
        mvps("normals", raw, out, "--solver", solver, "--format", "npy")
        normals = normals_of(out)
        assert not normals[10, 20].any()
        assert record_of(out)["figures"]["degenerate"] == 1
