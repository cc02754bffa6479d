"""Every warp on the CPU by a sanitised build of remap.cpp, in a process of its own.

python remap_sanitized.py LIBRARY VARIANT
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from remap_cases import TYPES, assert_image, make_case, unit_case, warps

from mvps.calib.resample import Source, normal_rows, position_rows, remap_rows
from mvps.native import Library


def main(path: str, variant: str) -> None:
    core = Library(ctypes.CDLL(path), variant)
    for name, warp in warps().items():
        for dtype in TYPES:
            for channels in (1, 3):
                images(core, make_case(name, dtype, channels))
        case = unit_case(name)
        normal_rows(warp, case.source(masked=True), 0, *case.outputs(), core=core)
        position_rows(warp, 0, warp.size[1], core=core)


def images(core: Library, case) -> None:
    for nearest in (False, True):
        out, valid = case.outputs()
        options = {"nearest": nearest, "core": core}
        remap_rows(case.warp, case.source(masked=True), 0, out, valid, **options)
        assert_image(case, out, valid, masked=True, nearest=nearest)
        height = len(case.image)
        for y0, y1 in ((0, 1), (height // 2, height), (height - 1, height)):
            band = Source(case.image[y0:y1].copy(), case.mask[y0:y1].copy(), y0)
            remap_rows(case.warp, band, 0, out, valid, **options)


if __name__ == "__main__":
    main(*sys.argv[1:])
