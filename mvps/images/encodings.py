"""How unit normals become samples of a file and back, and how far an encoding turns them.

A component n in -1..1 is stored as round((n + 1) / 2 * max); an invalid pixel as 0, 0, 0, which
no unit vector reaches. Error bounds follow from half a quantisation step in each component.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mvps import native
from mvps.errors import InputError
from mvps.frames import CONVENTIONS

Signs = tuple[float, float, float]

BLOCK_ROWS = 64
# Lengths outside these are no direction: zero, mid-grey or black backgrounds, white ones.
SHORTEST = 0.1
LONGEST_QUANTISED = 1.5
# A float vector that is unit up to rounding is handed back to the last bit.
UNIT_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Encoding:
    """One way to store a normal map.

    Parameters
    ----------
    name : as the option ``--format`` takes it; ``tiff`` is the default
    suffix : ending of the file, with its dot
    dtype : of the stored samples: uint8, uint16, float16 or float32
    container : the file format that holds them
    compressed : whether the container compresses (always without further loss)
    streamed : rows go to disk as they come; otherwise the whole map is gathered in memory
    summary : one phrase for help texts
    """

    name: str
    suffix: str
    dtype: str
    container: str
    compressed: bool
    streamed: bool
    summary: str

    def __post_init__(self) -> None:
        if self.dtype not in {"uint8", "uint16", "float16", "float32"}:
            raise ValueError(f"no encoding stores {self.dtype}")

    @property
    def max_error(self) -> float:
        """Largest angle in degrees by which this encoding can turn a unit normal.

        Integers: an error of half a step, 1 / max, in each of three components, all of it across
        the normal. Half floats: 2^-11 of each component. float32: none.
        """
        if self.dtype == "float32":
            return 0.0
        if self.dtype == "float16":
            return math.degrees(math.asin(2.0**-11))
        return math.degrees(math.asin(math.sqrt(3.0) / np.iinfo(self.dtype).max))


NORMAL_ENCODINGS: Mapping[str, Encoding] = MappingProxyType(
    {
        encoding.name: encoding
        for encoding in (
            Encoding("tiff", ".tif", "uint16", "tiff", False, True, "16-bit TIFF, uncompressed"),
            Encoding("zstd", ".tif", "uint16", "tiff", True, True, "16-bit TIFF, zstd"),
            Encoding("f32", ".tif", "float32", "tiff", False, True, "float TIFF, exact"),
            Encoding("png16", ".png", "uint16", "png", True, True, "16-bit PNG"),
            Encoding("png8", ".png", "uint8", "png", True, True, "8-bit PNG"),
            Encoding("jxl8", ".jxl", "uint8", "jxl", True, False, "8-bit JPEG XL"),
            Encoding("exr", ".exr", "float16", "exr", True, False, "half-float OpenEXR"),
            Encoding("npy", ".npy", "float32", "npy", False, True, "NumPy array, exact"),
        )
    }
)


def get_encoding(name: str) -> Encoding:
    """Encoding of that name.

    Raises
    ------
    InputError
        There is none; the message lists those that are.
    """
    try:
        return NORMAL_ENCODINGS[name]
    except KeyError:
        known = ", ".join(NORMAL_ENCODINGS)
        raise InputError(name, "no such format of normal maps", f"take one of {known}") from None


def convention_signs(name: str) -> Signs:
    """Factors of x, y and z between the house frame and a named convention, either way.

    Raises
    ------
    InputError
        There is no such convention.
    """
    try:
        return CONVENTIONS[name]
    except KeyError:
        known = ", ".join(CONVENTIONS)
        raise InputError(name, "no such convention of signs", f"take one of {known}") from None


def quantise(
    normals: NDArray[np.float32],
    valid: NDArray[Any],
    dtype: DTypeLike,
    out: NDArray[Any] | None = None,
    *,
    signs: Signs = (1.0, 1.0, 1.0),
) -> NDArray[Any]:
    """Unit normals as integers: round((n + 1) / 2 * max), 0, 0, 0 where invalid.

    The compiled core does the work where it is there; NumPy gives the same bits.

    Parameters
    ----------
    normals : (n, W, 3) float32, house frame, components in -1..1
    valid : (n, W) bool or uint8
    dtype : uint8 or uint16
    out : (n, W, 3) of that dtype, C-contiguous; a new array by default
    signs : factors of x, y and z, see `CONVENTIONS`

    Returns
    -------
    out
    """
    dtype = np.dtype(dtype)
    if normals.shape != (*valid.shape, 3):
        raise ValueError(f"normals {normals.shape} do not fit valid {valid.shape}")
    if out is None:
        out = np.empty(normals.shape, dtype)
    if out.shape != normals.shape or out.dtype != dtype or not out.flags.c_contiguous:
        raise ValueError("out must be a C-contiguous array of the same shape and of the dtype")
    core = native.library()
    if core is None:
        _quantise_numpy(normals, valid, out, signs)
    else:
        _quantise_compiled(core, normals, valid, out, signs)
    return out


def _quantise_compiled(
    core: native.Library,
    normals: NDArray[np.float32],
    valid: NDArray[Any],
    out: NDArray[Any],
    signs: Signs,
) -> None:
    vectors = np.ascontiguousarray(normals, np.float32)
    inside = np.ascontiguousarray(valid).astype(np.uint8, copy=False)
    call = core.mvps_quantise_u8 if out.dtype == np.uint8 else core.mvps_quantise_u16
    call(vectors.ctypes.data, inside.ctypes.data, inside.size, *signs, out.ctypes.data)


def _quantise_numpy(
    normals: NDArray[np.float32], valid: NDArray[Any], out: NDArray[Any], signs: Signs
) -> None:
    top = np.iinfo(out.dtype).max
    scale = _along_row(np.array(signs) * (top / 2), normals)
    offset = np.float32(top / 2 + 0.5)
    for y in range(0, len(normals), BLOCK_ROWS):
        rows = slice(y, y + BLOCK_ROWS)
        levels = normals[rows].reshape(-1, scale.size) * scale
        levels += offset
        np.clip(levels, 0, top, out=levels)
        _clear(levels.reshape(normals[rows].shape), valid[rows])
        out[rows] = levels.reshape(normals[rows].shape)


def _along_row(factors: Any, normals: NDArray[Any]) -> NDArray[np.float32]:
    """Factors of x, y, z repeated over a row: NumPy is slow where its inner loop has length 3."""
    return np.tile(np.asarray(factors, np.float32), normals.shape[1])


def _clear(samples: NDArray[Any], valid: NDArray[Any]) -> None:
    if not valid.all():
        samples[np.asarray(valid) == 0] = 0


def dequantise(
    codes: NDArray[Any], *, signs: Signs = (1.0, 1.0, 1.0)
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Integers back to unit normals.

    Parameters
    ----------
    codes : (n, W, 3) uint8 or uint16
    signs : factors of x, y and z, see `CONVENTIONS`

    Returns
    -------
    normals : (n, W, 3) float32, unit length, zero where invalid
    valid : (n, W) bool; False where the code is 0, 0, 0 or any other that no unit vector has
        (mid-grey and white backgrounds)
    """
    shift = _along_row(signs, codes)
    factor = shift * np.float32(2 / np.iinfo(codes.dtype).max)
    normals = np.empty(codes.shape, np.float32)
    valid = np.empty(codes.shape[:2], np.bool_)
    for y in range(0, len(codes), BLOCK_ROWS):
        rows = slice(y, y + BLOCK_ROWS)
        block = normals[rows]
        flat = block.reshape(-1, shift.size)
        np.multiply(codes[rows].reshape(flat.shape), factor, out=flat)
        flat -= shift
        length = np.sqrt(np.einsum("...c,...c->...", block, block))
        valid[rows] = (length > SHORTEST) & (length < LONGEST_QUANTISED)
        block /= np.where(valid[rows], length, np.inf)[..., None]
    return normals, valid


def encode_floats(
    normals: NDArray[np.float32], valid: NDArray[Any], out: NDArray[Any], signs: Signs
) -> None:
    """Unit normals as float16 or float32 into ``out``, zero where invalid."""
    factors = _along_row(signs, normals)
    flat = (-1, factors.size)
    np.multiply(normals.reshape(flat), factors, out=out.reshape(flat), casting="same_kind")
    _clear(out, valid)


def decode_floats(
    vectors: NDArray[Any], *, signs: Signs = (1.0, 1.0, 1.0)
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Float vectors of any length to unit normals.

    Parameters
    ----------
    vectors : (n, W, 3) of a float dtype
    signs : factors of x, y and z, see `CONVENTIONS`

    Returns
    -------
    normals : (n, W, 3) float32, unit length, zero where invalid; vectors that are unit up to
        rounding keep their bits
    valid : (n, W) bool; False where a vector is not finite or shorter than 0.1
    """
    normals = np.empty(vectors.shape, np.float32)
    valid = np.empty(vectors.shape[:2], np.bool_)
    factor = np.array(signs, np.float32)
    for y in range(0, len(vectors), BLOCK_ROWS):
        rows = slice(y, y + BLOCK_ROWS)
        block = vectors[rows].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            length = np.sqrt(np.einsum("...c,...c->...", block, block))
            valid[rows] = (length > SHORTEST) & np.isfinite(length)
            off = valid[rows] & (np.abs(length - 1) > UNIT_TOLERANCE)
            block[off] /= length[off][:, None]
            block[~valid[rows]] = 0
        np.multiply(block, factor, out=normals[rows], casting="same_kind")
    return normals, valid
