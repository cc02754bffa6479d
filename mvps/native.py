"""The compiled core: the shared library built from ``kernels/``, and where such resources lie.

The library holds every kernel once an instruction set; the best one that this processor runs is
taken. ``MVPS_NATIVE=off`` turns it off, ``MVPS_ISA=avx512|avx2|baseline`` forces a variant.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from mvps.errors import MvpsError

VARIANTS = ("avx512", "avx2", "baseline")  # best first
_PACKAGE = Path(__file__).resolve().parent
_LIBRARY = _PACKAGE / ("_native.dll" if sys.platform == "win32" else "_native.so")

_P, _I, _N, _F = ctypes.c_void_p, ctypes.c_int, ctypes.c_int64, ctypes.c_float
# image, plane, pixels, lights, table, clamp, floor^2, mask, normals, albedo, valid
_SOLVE = (_P, _N, _N, _I, _P, _F, _F, _P, _P, _P, _P)
_SOLVE_FULL = (*_SOLVE, _P, _F, _F, _P, _P)  # directions, low, high, residual, used
_SOLVE_ROBUST = (*_SOLVE_FULL, _P, _P)  # fallback, settings
# condition, deviation, saturated, shadowed, pinv, model
_SOLVE_EXAMINED = (*_SOLVE_ROBUST, *(_P,) * 6)
# image, plane, pixels, lights, table, sight, lobes, limits, floor^2, width, y0, lateral, depth,
# mask, normals, albedo, valid, residual, used, fallback, condition, deviation, saturated, shadowed,
# model
_NEAR = (_P, _N, _N, _I, _P, _P, _P, _P, _F, _N, _N, *(_P,) * 14)
_QUANTISE = (_P, _P, _N, _F, _F, _F, _P)  # normals, valid, pixels, signs of x y z, out
_UNFILTER = (_P, _N, _N, _I, _I, _P, _P)  # filtered, rows, width, samples, bytes, lines, out
# source, mask, window, model, map, u0, v0, columns, rows, and then
_REMAP = (_P, _P, _P, _P, _P, _I, _I, _I, _I)
_REMAP_IMAGE = (*_REMAP, _I, _P, _P)  # nearest, out, valid
_REMAP_NORMALS = (*_REMAP, _P, _P, _P)  # rotation, out, valid
_POSITIONS = (_P, _I, _I, _I, _I, _I, _I, _P, _P)  # model, region, width, height, map, range
_SCORE_COUNTS = (_P, _N, _P, _P, _P)  # scores, count, starts, bits, counts
# rows, floats apart, valid, bytes apart, count, width, channels, factor, tall, inside, last, down,
# sums
_BLOCK_SUMS = (_P, _N, _P, *(_N,) * 7, _I, _P, _P)
_FILTER_UP = (_P, _N, _N, _I, _P, _P)  # rows, count, bytes of a row and a sample, above, filtered


class Library:
    """One variant of the compiled core.

    Its C functions are attributes under their names without the variant; every pointer is passed as
    an address (``array.ctypes.data``) or None, and the GIL is released during a call:

    - ``mvps_quantise_u8``, ``mvps_quantise_u16`` (normals float32 n x 3, valid uint8 n, n, sx, sy,
      sz, out n x 3): trunc(n * s * max/2 + (max/2 + 1/2)), 0 where invalid; the same bytes as NumPy
      in float32, product and sum rounded one after the other.
    - ``mvps_ls_<u8|u16|f32>_<grey|rgb|channels>[_full]`` and ``mvps_rb_`` and ``mvps_rq_`` with
      the same types and modes: called by :mod:`mvps.stereo.cpu`.
    - ``mvps_near_<u8|u16|f32>``: called by :mod:`mvps.stereo.near_kernel`.
    - ``mvps_png_unfilter``, ``mvps_png_filter_up``: called by :mod:`mvps.images.png_rows` and
      :mod:`mvps.images.png_writer`; the first returns the rows it could do.
    - ``mvps_remap_<u8|u16|f32>_<1|3>``, ``mvps_remap_normals``, ``mvps_remap_positions``: called by
      :mod:`mvps.calib.resample`.
    - ``mvps_score_counts``: called by :mod:`mvps.metrics.bins`.
    - ``mvps_block_sums``: called by :mod:`mvps.images.preview`.

    Parameters
    ----------
    library : the loaded shared library
    instruction_set : one of ``VARIANTS``
    """

    def __init__(self, library: ctypes.CDLL, instruction_set: str) -> None:
        self.instruction_set = instruction_set
        self._library = library

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if not name.startswith("mvps_"):
            raise AttributeError(name)
        function: Any = getattr(self._library, f"{name}_{self.instruction_set}")
        function.restype = _N if name == "mvps_png_unfilter" else None
        function.argtypes = _argument_types(name)
        setattr(self, name, function)
        return function  # type: ignore[no-any-return]


def _argument_types(name: str) -> tuple[Any, ...]:
    special = {
        "mvps_png_unfilter": _UNFILTER,
        "mvps_remap_normals": _REMAP_NORMALS,
        "mvps_remap_positions": _POSITIONS,
        "mvps_score_counts": _SCORE_COUNTS,
        "mvps_block_sums": _BLOCK_SUMS,
    }
    families = {
        "mvps_quantise": _QUANTISE,
        "mvps_png": _FILTER_UP,
        "mvps_remap": _REMAP_IMAGE,
        "mvps_near": _NEAR,
        "mvps_rb": _SOLVE_ROBUST,
        "mvps_rq": _SOLVE_EXAMINED,
    }
    if name in special:
        return special[name]
    for family, types in families.items():
        if name.startswith(family):
            return types
    return _SOLVE_FULL if name.endswith("_full") else (*_SOLVE, _I)


def library() -> Library | None:
    """The compiled core, or None where it is absent or off; see :func:`reason`."""
    return _loaded()[0]


def instruction_set() -> str | None:
    """Variant in use: "avx512", "avx2" or "baseline"; None without a compiled core."""
    core = library()
    return core.instruction_set if core else None


def reason() -> str:
    """Why there is no compiled core; empty where there is one."""
    return _loaded()[1]


def variants() -> tuple[Library, ...]:
    """Every variant that was built and that this processor runs, best first."""
    loaded = _load()
    if isinstance(loaded, str):
        return ()
    return tuple(Library(loaded, name) for name in VARIANTS if _runs(loaded, name))


def resource_dir(name: str) -> Path:
    """Folder of the package's ``kernels`` or ``calib`` files, installed or in a checkout.

    Raises
    ------
    MvpsError
        It is in neither place.
    """
    places = (_PACKAGE / "data" / name, _PACKAGE.parent / name)
    for place in places:
        if place.is_dir():
            return place
    raise MvpsError(f"the folder {name!r} of mvps is missing from {places[0]}; reinstall mvps")


@cache
def _loaded() -> tuple[Library | None, str]:
    if os.environ.get("MVPS_NATIVE", "").lower() == "off":
        return None, "MVPS_NATIVE=off"
    loaded = _load()
    if isinstance(loaded, str):
        return None, loaded
    found = variants()
    wanted = os.environ.get("MVPS_ISA")
    if not wanted:
        return found[0], ""
    for variant in found:
        if variant.instruction_set == wanted:
            return variant, ""
    names = ", ".join(variant.instruction_set for variant in found)
    return None, f"MVPS_ISA={wanted} is not among what runs here: {names}"


@cache
def _load() -> ctypes.CDLL | str:
    """The shared library, or why there is none."""
    if not _LIBRARY.exists():
        return "not built: no working C++ compiler when mvps was installed"
    try:
        return ctypes.CDLL(str(_LIBRARY))
    except OSError as error:
        return f"{_LIBRARY.name} cannot be loaded: {error}"


def _runs(loaded: ctypes.CDLL, name: str) -> bool:
    built = hasattr(loaded, f"mvps_ls_u8_grey_{name}")
    return built and bool(getattr(loaded, f"mvps_runs_{name}")())
