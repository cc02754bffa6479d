"""Photographs of balls to lamps: rendered images through the whole of the measurement."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import rendered_balls as rb

from mvps.errors import InputError
from mvps.lights import sphere_rig
from mvps.lights.sphere import ProbeOptions, load_balls
from mvps.lights.sphere_ellipse import Ellipse
from mvps.lights.sphere_input import parse_ball, read_circles
from mvps.lights.sphere_model import sphere_centre, to_house
from mvps.lights.sphere_report import as_dict
from mvps.lights.sphere_rig import Probe, diffuse_probe, mirror_probe

VIEW = rb.camera(size=(800, 600), focal=1500.0)
BALLS = [(np.array([-90.0, 40.0, 700.0]), 25.0), (np.array([110.0, -55.0, 720.0]), 25.0)]
LIGHTS = np.array(
    [[-250.0, -300.0, 250.0], [300.0, -150.0, 100.0], [40.0, 310.0, 300.0], [-350.0, 60.0, 420.0]]
)
OPTIONS = ProbeOptions(camera=VIEW, radius_mm=25.0, count=2)
LAMPS = rb.unit(np.array([[0.3, -0.4, -1], [-0.6, 0.1, -1], [0.5, 0.5, -1], [0, 0.1, -1]]))
STRENGTH = np.array([[0.9, 0.8, 0.7], [0.6, 0.8, 0.9], [0.75, 0.75, 0.75], [1.4, 1.2, 1.1]])


@pytest.fixture(scope="module")
def mirrors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = rb.mirror_images(VIEW, BALLS, LIGHTS, sigma=2.5)
    return rb.write_images(tmp_path_factory.mktemp("mirrors"), images)


@pytest.fixture(scope="module")
def matt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = rb.matt_images(VIEW, BALLS, LAMPS, STRENGTH)
    return rb.write_images(tmp_path_factory.mktemp("matt"), images)


def measured(
    folder: Path, options: ProbeOptions = OPTIONS, given: tuple[Ellipse, ...] = ()
) -> Probe:
    return mirror_probe(load_balls([folder], given, options), options)


def degrees(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(2 * np.arcsin(np.linalg.norm(rb.unit(a) - rb.unit(b), axis=-1) / 2))


def test_directions_and_centres_come_from_photographs(mirrors: Path) -> None:
    """Measured: 0.051 degrees and 0.08 mm at most; balls of 53 px radius, saturated spots."""
    probe = measured(mirrors)

    assert probe.findings == ()
    for seen, (centre, radius) in zip(probe.balls, BALLS, strict=True):
        assert seen.ball.cone is not None
        assert sphere_centre(seen.ball.cone.m, radius) == pytest.approx(centre, abs=0.15)
        for k, light in enumerate(LIGHTS):
            truth = to_house(light - rb.mirror_point(centre, radius, light))
            assert degrees(seen.directions[k], truth) < 0.1


def test_positions_come_from_photographs_and_say_how_sure_they_are(mirrors: Path) -> None:
    """Measured: 2.1 mm at most, 0.4 to 0.9 m from the balls; nothing is noisy here but pixels."""
    probe = measured(mirrors)

    assert probe.positions is not None
    assert probe.rig is not None
    off = probe.positions.points - to_house(LIGHTS)
    square = np.einsum("ki,kij,kj->k", off, np.linalg.inv(probe.positions.covariances), off)
    assert np.linalg.norm(off, axis=1).max() < 4
    assert square.max() < 16.3  # 99.9% of a chi-square of three
    assert probe.rig.positions == pytest.approx(probe.positions.points)
    middle = np.mean([to_house(centre) for centre, _ in BALLS], axis=0)
    assert degrees(probe.rig.directions, to_house(LIGHTS) - middle).max() < 0.1


def test_without_a_camera_the_error_is_within_what_is_stated(mirrors: Path) -> None:
    """40.4 degrees across the diagonal, given the principal point's place off the middle."""
    probe = measured(mirrors, ProbeOptions(count=2, view_degrees=41.0))

    assert {finding.code for finding in probe.findings} >= {"PARALLEL", "APART"}
    for seen, (centre, radius) in zip(probe.balls, BALLS, strict=True):
        assert seen.bounds is not None
        for k, light in enumerate(LIGHTS):
            truth = to_house(light - rb.mirror_point(centre, radius, light))
            error = degrees(seen.directions[k], truth)
            assert 0.1 < error < seen.bounds[k]


def test_outlines_may_be_given_and_refined(mirrors: Path) -> None:
    rough = tuple(
        parse_ball("{:.1f},{:.1f},{:.1f}".format(*(rb.pixels(VIEW, centre) + 0.6), 54.5))
        for centre, _ in BALLS
    )
    found = measured(mirrors)

    refined = measured(mirrors, ProbeOptions(camera=VIEW, radius_mm=25.0, refine=True), rough)
    given = measured(mirrors, ProbeOptions(camera=VIEW, radius_mm=25.0), rough)

    assert refined.positions is not None
    assert found.positions is not None
    assert refined.positions.points == pytest.approx(found.positions.points, abs=0.2)
    assert as_dict(given)["balls"][0]["outline"]["given"] is True


def test_matt_balls_give_directions_and_colours(matt: Path) -> None:
    """The last lamp saturates what faces it. Measured: 0.006 degrees and 0.015% at most."""
    balls = load_balls([matt], (), OPTIONS)
    probe = diffuse_probe(balls, OPTIONS)

    assert probe.rig is not None
    assert degrees(probe.rig.directions, to_house(LAMPS)).max() < 0.02
    assert probe.rig.intensities == pytest.approx(STRENGTH / STRENGTH.mean(), rel=5e-4)
    assert probe.agreement.max() < 0.02


def test_a_matt_ball_without_a_camera_is_within_what_is_stated(matt: Path) -> None:
    options = ProbeOptions(count=2, view_degrees=41.0)
    probe = diffuse_probe(load_balls([matt], (), options), options)

    for seen in probe.balls:
        assert seen.bounds is not None
        error = degrees(seen.directions, to_house(LAMPS))
        assert (error > 1).all()
        assert (error < seen.bounds).all()


def test_a_lamp_that_no_ball_shows_leaves_no_rig(tmp_path: Path) -> None:
    images = rb.mirror_images(VIEW, BALLS, LIGHTS[:3])
    folder = rb.write_images(tmp_path, [*images[:2], images[-1], images[2], images[-1]])

    probe = measured(folder)

    assert probe.rig is None
    assert [(f.level, f.code) for f in probe.findings if f.code == "MISSING"] == [
        ("error", "MISSING")
    ] * 2
    assert "3.png" in probe.findings[0].message


def test_a_highlight_beside_the_given_circle_is_named(mirrors: Path) -> None:
    x, y = rb.pixels(VIEW, BALLS[0][0])
    wrong = parse_ball(f"{x + 30:.1f},{y + 25:.1f},30")

    probe = measured(mirrors, ProbeOptions(camera=VIEW), (wrong,))

    assert ("error", "OUTSIDE") in {(f.level, f.code) for f in probe.findings}
    assert probe.rig is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2", "2 numbers"),
        ("1,2,-3", "not positive"),
        ("1,2,x", "'x' is not a number"),
        ("1 2 3 4 5 6", "6 numbers"),
    ],
)
def test_a_bad_outline_is_said_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "circles.txt").write_text(f"# balls\n10 10 5\n{text}\n")

    with pytest.raises(InputError, match=said) as fault:
        read_circles(tmp_path / "circles.txt")
    assert "line 3" in str(fault.value)


def broken(folder: Path, probe: Path, fault: str) -> list[Path]:
    """Folders of photographs with a fault."""
    import cv2

    raw = folder / "raw"
    shutil.copytree(probe, raw)
    if fault == "missing":
        return [folder / "nowhere"]
    if fault == "empty":
        (folder / "empty").mkdir()
        return [folder / "empty"]
    if fault == "few":
        (raw / "3.png").unlink()
        (raw / "4.png").unlink()
    if fault == "sizes":
        cv2.imwrite(str(raw / "2.png"), np.zeros((50, 60), np.uint8))
    if fault == "no ball":
        for path in raw.iterdir():
            cv2.imwrite(str(path), np.full((480, 640), 40, np.uint8))
    if fault == "counts":
        shutil.copytree(raw, folder / "other")
        (folder / "other" / "4.png").unlink()
        return [raw, folder / "other"]
    return [raw]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("missing", "no such folder"),
        ("empty", "holds no images"),
        ("few", "2 images, at least 3 are needed"),
        ("sizes", "60x50, but 1.png is 800x600"),
        ("counts", "3 images, but 4 in"),
        ("no ball", "0 of 1 balls found; give each as --ball x,y,r"),
    ],
)
def test_a_faulty_folder_is_one_line_with_a_remedy(
    mirrors: Path, tmp_path: Path, fault: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        load_balls(broken(tmp_path, mirrors, fault), (), ProbeOptions())


@pytest.mark.parametrize(
    ("options", "ball", "said"),
    [
        (ProbeOptions(reference="room.png"), None, "--reference names one"),
        (ProbeOptions(), "5000,5000,40", "lies outside the image"),
        (ProbeOptions(refine=True), "420,60,30", "no outline near the ball"),
        (ProbeOptions(camera=rb.camera()), None, "images of 800x600, .* 1200x900"),
    ],
)
def test_a_statement_that_does_not_fit_is_one_line(
    mirrors: Path, options: ProbeOptions, ball: str | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        load_balls([mirrors], [parse_ball(ball)] if ball else [], options)


def test_a_missing_file_of_circles_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_circles(tmp_path / "nowhere.txt")


def test_lamps_too_far_for_a_position_are_taken_as_distant(tmp_path: Path) -> None:
    lamps = 1e5 * LAMPS[:3]
    probe = measured(rb.write_images(tmp_path, rb.mirror_images(VIEW, BALLS, lamps, sigma=2.5)))

    assert [finding.code for finding in probe.findings] == ["FAR"] * 3
    assert probe.rig is not None
    assert probe.rig.positions is None
    middle = np.mean([centre for centre, _ in BALLS], axis=0)
    assert degrees(probe.rig.directions, to_house(lamps - middle)).max() < 0.1


def test_a_second_reflection_is_named(tmp_path: Path) -> None:
    images = rb.mirror_images(VIEW, BALLS, LIGHTS, sigma=2.5)
    other = rb.mirror_images(VIEW, BALLS, -LIGHTS * [1, 1, -1], sigma=2.0)
    both = [np.maximum(images[0], other[0]), *images[1:]]

    probe = measured(rb.write_images(tmp_path, both))

    assert [f.code for f in probe.findings] == ["RIVAL"] * 2
    assert all("1.png" in f.message for f in probe.findings)


def test_every_finding_is_in_the_documentation() -> None:
    source = Path(sphere_rig.__file__).read_text("utf-8")
    codes = set(re.findall(r'Finding\(\s*(?:level|"\w+"),\s*"([A-Z]+)"', source))
    docs = Path(__file__).resolve().parents[2] / "docs/light_probes.md"

    assert codes == set(re.findall(r"^\| `([A-Z]+)` \|", docs.read_text("utf-8"), re.MULTILINE))
    assert len(codes) == 7
