"""What the user states on the command line, in place of what lies on disk."""

from __future__ import annotations

import pytest
from captures import (
    DIRECTIONS,
    image,
    lp,
    names_of,
    numbered,
    only_fault,
    only_stack,
)


def test_what_the_user_states_replaces_what_lies_there(ball, tmp_path):
    lights = tmp_path / "other.lp"
    lights.write_text(lp(numbered()[::-1]))
    dark = image(tmp_path / "dark.png")
    for i in range(1, 9):
        image(tmp_path / f"flat{i}.png")

    stack = only_stack(
        ball,
        lights=lights,
        mask=dark,
        dark=dark,
        ambient=dark,
        flat=str(tmp_path / "flat{light}.png"),
        response="gamma=2.2",
        bits=12,
        align="right",
        bayer="rggb",
        convention="directx",
    )

    assert names_of(stack) == numbered()[::-1]
    assert stack.lights.directions == pytest.approx(DIRECTIONS * [1, -1, 1], abs=1e-6)
    assert (stack.mask, stack.dark, stack.ambient) == (dark, dark, dark)
    assert [ref.path.name for ref in stack.flats] == [f"flat{i}.png" for i in range(1, 9)]
    assert (stack.response, stack.bayer) == ("gamma=2.2", "rggb")
    assert (stack.sample_format.bits, stack.sample_format.align) == (12, "right")


@pytest.mark.parametrize("option", ["mask", "dark", "ambient"])
def test_a_stated_file_that_is_missing_is_a_fault(ball, option):
    assert only_fault(ball, **{option: ball / "no.png"}) == (
        f"{ball}/no.png: no such file; check the name"
    )


def test_a_stated_flat_field_that_is_missing_is_a_fault(ball):
    assert f"{ball}/f1.png: no such file" in only_fault(ball, flat=str(ball / "f{light}.png"))
    assert f"{ball}/f.png: no such file" in only_fault(ball, flat=str(ball / "f.png"))
