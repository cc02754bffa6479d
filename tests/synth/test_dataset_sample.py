"""Which defects a data set takes."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("mitsuba", reason="rendering needs the extra 'synth'")


def area(pixels: int) -> np.ndarray:
    mask = np.zeros(1000, np.bool_)
    mask[:pixels] = True
    return mask.reshape(25, 40)


@pytest.mark.parametrize(
    ("areas", "taken"),
    [((0, 24), True), ((23, 23), False), ((0, 401), False), ((400, 0), True), ((0, 0), False)],
)
def test_a_defect_shows_somewhere_and_never_is_most_of_the_part(
    areas: tuple[int, int], taken: bool
) -> None:
    from mvps.synth.sample import _fitting

    assert _fitting([area(pixels) for pixels in areas], [area(1000)] * 2) is taken
