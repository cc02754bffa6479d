"""What counts as a picture that a well-set camera could have taken."""

from __future__ import annotations

import numpy as np

from mvps.synth.histograms import diffuse_faults, histogram, stack_faults


def scene(rng: np.random.Generator, low: int = 20, high: int = 220) -> np.ndarray:
    ramp = np.linspace(low, high, 64)
    picture = np.broadcast_to(ramp, (64, 64))[..., None] + rng.normal(0, 2, (64, 64, 3))
    return np.clip(picture, 0, 255).round().astype(np.uint8)


def test_an_ordinary_picture_has_no_fault() -> None:
    assert diffuse_faults(histogram(scene(np.random.default_rng(0)), 255)) == ()


def test_clipped_black_flat_and_dim_pictures_are_told() -> None:
    rng = np.random.default_rng(0)
    clipped, black = scene(rng), scene(rng)
    clipped[:4] = 255  # 4 of 64 rows are 6%
    black[:8] = 0
    assert diffuse_faults(histogram(clipped, 255)) == ("6.2% clipped",)
    assert diffuse_faults(histogram(black, 255)) == ("12.5% black",)
    assert "contrast" in diffuse_faults(histogram(scene(rng, 100, 101), 255))[-1]
    assert any("mean level" in fault for fault in diffuse_faults(histogram(scene(rng, 1, 9), 255)))


def test_fireflies_are_single_pixels_and_highlights_are_not() -> None:
    rng = np.random.default_rng(0)
    lit, sparks = scene(rng, 20, 80), scene(rng, 20, 80)
    lit[20:24, 20:24] = 250
    sparks[20, 20] = sparks[40, 9] = sparks[50, 50] = 250  # 3 of 4096 pixels are 0.07%
    assert diffuse_faults(histogram(lit, 255)) == ()
    assert diffuse_faults(histogram(sparks, 255)) == ("0.07% fireflies",)


def test_a_stack_may_be_dark_under_one_light_but_not_under_all() -> None:
    dark, bright = np.zeros((32, 32), np.uint16), np.full((32, 32), 2000, np.uint16)
    bright[:4] = 4000
    assert stack_faults([histogram(dark, 4095), histogram(bright, 4095)]) == ()
    assert stack_faults([histogram(dark, 4095)] * 3) == ("no light reaches 0.15 of full scale",)
    burnt = np.full((32, 32), 4095, np.uint16)
    assert stack_faults([histogram(burnt, 4095)]) == ("light 1: 100.0% clipped",)


def test_black_is_counted_from_the_black_level() -> None:
    raw = np.full((16, 16), 64, np.uint16)
    assert histogram(raw, 4095, black=64).black == 1.0
    assert histogram(raw, 4095).black == 0.0
