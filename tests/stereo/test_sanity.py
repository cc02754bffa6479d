"""Wrong lights are noticed and named, right ones are not suspected."""

from __future__ import annotations

import numpy as np
import pytest
from scenes import bumps, ring

from mvps.stereo.curl import bends
from mvps.stereo.hypotheses import likely_orders
from mvps.stereo.sanity import Patch, judge

EXCHANGE = [1, 0, 2]


def hills(
    directions: np.ndarray, *, slope: float = 0.3, noise: float = 0.002, seed: int = 0
) -> Patch:
    """Crossing waves, whose twist z_xy is not zero, under the given lights, with sensor noise."""
    rng = np.random.default_rng(seed)
    y, x = -np.mgrid[:96, :112].astype(float)
    x = -x
    first, second = 0.11 * x + 0.05 * y, 0.03 * x - 0.13 * y
    p = slope * (0.9 * np.cos(first) + 0.2 * np.cos(second))
    q = slope * (0.9 * 0.05 / 0.11 * np.cos(first) - 0.2 * 0.13 / 0.03 * np.cos(second))
    normals = np.dstack([-p, -q, np.ones_like(p)])
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    albedo = 0.7 + 0.2 * np.sin(x / 4) * np.sin(y / 3)
    values = np.maximum(np.einsum("hwc,kc->khw", normals, directions), 0) * albedo
    values += rng.normal(0, noise, values.shape)
    return Patch(values.astype(np.float32), np.ones(albedo.shape, bool))


def dome(lights: int) -> np.ndarray:
    """Directions without any symmetry."""
    rng = np.random.default_rng(lights)
    polar, turn = rng.uniform(0.35, 0.8, lights), np.arange(lights) * 2.4
    return np.stack(
        [np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=1
    )


@pytest.mark.parametrize("lights", [4, 5, 8, 13])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda L: np.roll(L, 1, axis=0), "rolled by one (image 1 with row 2)"),
        (lambda L: np.roll(L, -1, axis=0), "rolled by one the other way (image 2 with row 1)"),
        (lambda L: L[[0, 3, 2, 1, *range(4, len(L))]], "with rows 2 and 4 swapped"),
        (lambda L: L[::-1], "in reversed order"),
        (lambda L: L * [1, -1, 1], "with y flipped"),
        (lambda L: L * [-1, 1, 1], "with y flipped"),
        (lambda L: L[:, EXCHANGE], "with x and y exchanged"),
    ],
)
def test_a_wrong_light_file_is_noticed_and_named(lights: int, fault, words: str) -> None:
    L = dome(lights)

    verdict = judge([hills(L)], fault(L))

    assert verdict.answer == "wrong"
    assert verdict.words.startswith(f"the lights fit better {words}")


@pytest.mark.parametrize("lights", [3, 4, 8, 16, 96])
def test_right_lights_are_not_suspected(lights: int) -> None:
    verdict = judge([hills(dome(lights))], dome(lights))

    assert verdict.answer == "right"
    assert verdict.best == verdict.given


def test_a_regular_ring_that_is_rolled_shows_in_the_curl_alone() -> None:
    L = ring(8, slant=40)[::2]  # one slant: a roll is a quarter turn, and the residual stays
    L = np.concatenate([L, L @ np.array([[0.8, 0.6, 0], [-0.6, 0.8, 0], [0, 0, 1]])])[
        [0, 4, 1, 5, 2, 6, 3, 7]
    ]

    verdict = judge([hills(L)], np.roll(L, 2, axis=0))

    assert verdict.answer == "wrong"
    assert abs(verdict.best.residual_gain) < 0.01
    assert "curl" in verdict.words
    assert verdict.best.curl < 0.5 * verdict.given.curl


def test_half_a_turn_cannot_be_seen() -> None:
    L = dome(8)

    assert judge([hills(L)], L * [-1, -1, 1]).answer == "right"


@pytest.mark.parametrize("fault", [lambda L: L, lambda L: L * [1, -1, 1], lambda L: L[::-1]])
def test_a_flat_plate_is_inconclusive_and_no_alarm(fault) -> None:
    L = ring(8)[::2]

    assert judge([hills(L, slope=0.0)], fault(L)).answer == "inconclusive"


def test_a_surface_without_twist_does_not_show_a_flip() -> None:
    scene = bumps(96, 96)  # z = f(x) + g(y)
    patch = Patch(scene.shading().astype(np.float32), np.ones((96, 96), bool))

    assert judge([patch], scene.directions).answer == "inconclusive"
    assert judge([patch], scene.directions * [1, -1, 1]).answer == "inconclusive"


def test_unequal_lamps_are_no_wrong_order() -> None:
    L = ring(6)
    for seed in range(20):
        patch = hills(L, slope=0.01, seed=seed)
        gains = np.random.default_rng(seed).uniform(0.95, 1.05, (6, 1, 1)).astype(np.float32)

        assert judge([Patch(patch.values * gains, patch.usable)], L).answer != "wrong"


def test_rows_that_move_with_their_intensities_are_noticed() -> None:
    L = dome(6)
    true = np.array([1.0, 2.0, 0.7, 1.4, 1.1, 0.5])
    raw = hills(L).values * true[:, None, None].astype(np.float32)
    stated = np.roll(true, 1)
    patch = Patch((raw / stated[:, None, None]).astype(np.float32), np.ones(raw.shape[1:], bool))

    verdict = judge([patch], np.roll(L, 1, axis=0), stated)

    assert verdict.answer == "wrong"
    assert "rolled by one (image 1 with row 2)" in verdict.words


def test_a_dark_image_says_nothing() -> None:
    patch = Patch(np.zeros((4, 96, 96), np.float32), np.zeros((96, 96), bool))

    assert judge([patch], dome(4)).words == "too few pixels are lit"


def test_the_closed_form_of_a_swap_is_the_residual_of_the_swapped_lights() -> None:
    rng = np.random.default_rng(1)
    L, v = dome(7), rng.uniform(0.2, 1, (7, 500))

    orders = likely_orders(L, np.ones(7), v @ v.T, keep=40)

    def left(order: tuple[int, ...]) -> float:
        lights = L[list(order)]
        return float(np.square(v - lights @ np.linalg.lstsq(lights, v, rcond=None)[0]).sum())

    others = [left(h.order) for h in orders[1:]]
    assert len({h.order for h in orders}) == len(orders)
    assert others == sorted(others) or np.allclose(others, sorted(others), rtol=1e-3)
    every = [
        left(tuple(j if k == i else i if k == j else k for k in range(7)))
        for i in range(7)
        for j in range(i + 1, 7)
    ]
    assert min(others) <= min(every) + 1e-9


def test_the_four_derivatives_of_a_bowl_are_where_they_should_be() -> None:
    """z = -(x^2 + y^2)/2r: p = -x/r, q = -y/r, so the Laplacian is -2/r and the rest is zero."""
    y, x = np.mgrid[7:-9:-2, -7:9:2].astype(float)
    normals = np.dstack([x / 50, y / 50, np.ones_like(x)])
    values = np.einsum("hwc,kc->khw", normals, dome(4))[None]

    found = bends(values, np.ones((1, 8, 8), bool), dome(4))

    # 4 / 50, because a cell is two units wide.
    assert found == pytest.approx(np.array([[0, 2 * 2 / 50, 0, 0]]), abs=1e-6)
