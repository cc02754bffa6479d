"""The contact sheet: where its pictures stand."""

from __future__ import annotations

import numpy as np

from mvps.synth.contact_sheet import SheetRow, contact_sheet


def plain(level: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.full(shape, level, np.uint8)


def row(base: int, masked: bool = True) -> SheetRow:
    triples = [
        (
            plain(base + 10 * view, (64, 64, 3)),
            plain(base + 10 * view + 1, (64, 64, 3)),
            plain(base + 10 * view + 2, (64, 64)) if masked else None,
        )
        for view in range(2)
    ]
    return SheetRow("bracket", "S0007 scratch", triples)


def test_every_picture_stands_on_the_sheet_in_its_row_and_order() -> None:
    sheet = contact_sheet([row(40), row(120)], ("top", "front"), tile=32)
    for base, other in ((40, 120), (120, 40)):
        levels = [base + 10 * view + kind for view in range(2) for kind in range(3)]
        columns = []
        for level in levels:
            rows, cols = np.nonzero((sheet == level).all(axis=2))
            assert len(rows) >= 32 * 32, level
            columns.append(np.median(cols))
        assert columns == sorted(columns), other


def test_a_sound_specimen_shows_a_black_tile_for_its_mask() -> None:
    with_mask = contact_sheet([row(40)], ("top", "front"), tile=32)
    without = contact_sheet([row(40, masked=False)], ("top", "front"), tile=32)
    assert with_mask.shape == without.shape
    assert (without == 0).all(axis=2).sum() == 2 * 32 * 32


def test_wide_pictures_keep_their_shape() -> None:
    wide = SheetRow("a", "OK", [(plain(50, (30, 60, 3)), plain(60, (30, 60, 3)), None)])
    sheet = contact_sheet([wide], ("top",), tile=40)
    rows, columns = np.nonzero((sheet == 50).all(axis=2))
    assert np.ptp(columns) + 1 == 40
    assert np.ptp(rows) + 1 == 20
