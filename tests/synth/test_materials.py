"""Materials: presets, limits, and that none sends back more light than it gets."""

from __future__ import annotations

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.synth.materials import PRESETS, Grain, Material, preset
from mvps.synth.renderer_lobes import cosine_direction, reflect
from mvps.synth.renderer_ops import NumpyOps
from mvps.synth.renderer_surface import make_tables, surface
from mvps.synth.renderer_trace import Hit

OPS = NumpyOps()


def _patch(look: Material, slant_deg: float, count: int = 40_000):
    """Equal hits on a triangle facing up, seen at a slant, and the direction to the viewer."""
    corners = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0]]], float)
    tables = make_tables(OPS, corners, np.full((1, 3, 3), [0, 0, 1.0]), np.zeros(1, int), [look])
    none = np.zeros(count, np.float32)
    hit = Hit(np.ones(count, bool), np.zeros(count, np.uint32), none + 0.3, none + 0.3)
    slant = np.radians(slant_deg)
    viewer = np.array([[np.sin(slant)], [0.0], [np.cos(slant)]]) + np.zeros(count)
    viewer = viewer.astype(np.float32)
    return surface(OPS, tables, hit, viewer, grain=False), viewer


@pytest.mark.parametrize("slant", [0.0, 45.0, 75.0])
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_no_surface_sends_back_more_light_than_it_gets(name: str, slant: float) -> None:
    """Light of radiance 1 all round: what comes back is at most 1, and at least a third of albedo.

    ``reflect`` is for an irradiance of pi, cosine included: over directions as dense as the cosine,
    the mean of reflect / cosine is the reflectance.
    """
    look = preset(name)
    at, viewer = _patch(look, slant)
    rng = np.random.default_rng(3)
    way = cosine_direction(OPS, at.normal, *rng.random((2, viewer.shape[1])).astype(np.float32))
    matt, glossy = reflect(OPS, at, viewer, way)
    share = ((matt + glossy) / np.maximum(way[2], 1e-3)).mean(axis=1)
    assert share.max() < 1.03  # the mean of 40,000 sharp lobes scatters by about 1%
    assert (share > 0.3 * np.array(look.colour)).all()


def test_a_lambertian_surface_reflects_its_albedo_exactly_and_nothing_else() -> None:
    at, viewer = _patch(preset("lambertian"), 30.0, 8)
    towards = np.array([[0.0], [0.6], [0.8]], np.float32) + np.zeros(8, np.float32)
    matt, glossy = reflect(OPS, at, viewer, towards)
    assert np.allclose(matt, 0.6 * 0.8, atol=1e-6) and not glossy.any()


def test_light_and_viewer_can_change_places() -> None:
    """Helmholtz: reflect / cosine is the same both ways."""
    at, viewer = _patch(preset("brushed_metal"), 50.0, 4)
    towards = np.array([[0.2], [-0.5], [0.843]], np.float32) + np.zeros(4, np.float32)
    towards /= np.linalg.norm(towards, axis=0)
    there = sum(reflect(OPS, at, viewer, towards)) / towards[2]
    back = sum(reflect(OPS, at, towards, viewer)) / viewer[2]
    assert np.allclose(there, back, rtol=1e-4)


def test_brushed_metal_spreads_light_across_its_grain() -> None:
    at, viewer = _patch(preset("brushed_metal"), 0.0, 4)
    for lean in (0.3, 0.5):
        along = np.array([[lean], [0.0], [np.sqrt(1 - lean**2)]], np.float32) + np.zeros(4)
        across = along[[1, 0, 2]]
        assert (
            reflect(OPS, at, viewer, across)[1] > 1.5 * reflect(OPS, at, viewer, along)[1]
        ).all()


def test_colour_is_changed_alone() -> None:
    red = preset("plastic").coloured((0.5, 0.1, 0.1))
    assert red.colour == (0.5, 0.1, 0.1) and red.roughness == preset("plastic").roughness


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "glass"},
        {"colour": (0.5, 1.2, 0.5)},
        {"colour": (0.5, 0.5)},
        {"roughness": 0.01},
        {"roughness": 1.5},
        {"metallic": 2.0},
        {"anisotropy": 0.95},
    ],
)
def test_senseless_materials_are_refused(wrong: dict) -> None:
    with pytest.raises(InputError, match="material"):
        Material(**{"kind": "plastic", "colour": (0.5, 0.5, 0.5)} | wrong)


def test_senseless_grain_and_unknown_presets_are_refused() -> None:
    for wrong in ({"amplitude": -0.1}, {"size_mm": 0.0}, {"stretch": 0.5}, {"relief": 1.0}):
        with pytest.raises(InputError, match="grain"):
            Grain(**wrong)
    with pytest.raises(InputError, match="use lambertian, plastic"):
        preset("gold")
