"""One small file of every kind that is read, with the pixels it must give; odd sizes throughout."""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import imagecodecs
import numpy as np
import tifffile
from png_encoder import chunk

H, W = 37, 53


@dataclass(frozen=True)
class Sample:
    """Bytes of a file and the image it holds."""

    name: str
    data: bytes
    image: np.ndarray
    page: int = 0


def scene(dtype: str, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Smooth shading with noise, the full range of `dtype`."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:H, 0:W]
    waves = [np.sin(x / (9 + c)) * np.cos(y / (7 + c)) / 2 + 0.5 for c in range(channels)]
    values = np.clip(np.stack(waves, -1) + rng.normal(0, 0.02, (H, W, channels)), 0, 1)
    kind = np.dtype(dtype)
    full = 1.0 if kind.kind == "f" else np.iinfo(kind).max
    return np.squeeze((values * full).astype(kind))


def tiff(image: np.ndarray, **options: Any) -> bytes:
    """TIFF by tifffile; three or four samples a pixel are declared RGB."""
    stream = io.BytesIO()
    planar = options.get("planarconfig") == "separate"
    colour = image.ndim == 3 and image.shape[0 if planar else -1] in (3, 4)
    options.setdefault("photometric", "rgb" if colour else "minisblack")
    tifffile.imwrite(stream, image, **options)
    return stream.getvalue()


def tiff_by_hand(
    tags: dict[int, tuple[int, ...]], segments: list[bytes], order: str = "<"
) -> bytes:
    """Classic TIFF of LONG tags and strips, for what tifffile does not write."""
    counts = tuple(len(s) for s in segments)
    tags = {273: (0,) * len(segments), 279: counts, **tags}
    values_at = 8 + 2 + 12 * len(tags) + 4
    data_at = values_at + sum(4 * len(v) for v in tags.values() if len(v) > 1)
    tags[273] = tuple(data_at + sum(counts[:i]) for i in range(len(counts)))
    entries, values = b"", b""
    for tag in sorted(tags):
        value = tags[tag]
        field = value[0] if len(value) == 1 else values_at + len(values)
        entries += struct.pack(f"{order}HHII", tag, 4, len(value), field)
        if len(value) > 1:
            values += struct.pack(f"{order}{len(value)}I", *value)
    head = struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 8)
    count = struct.pack(f"{order}H", len(tags))
    return head + count + entries + bytes(4) + values + b"".join(segments)


def pack_bits(image: np.ndarray, bits: int) -> list[bytes]:
    """Rows of `bits`-bit samples, most significant bit first, each row padded to a byte."""
    rows = image.reshape(len(image), -1).astype(">u2")
    planes = np.unpackbits(rows.view(np.uint8).reshape(len(rows), -1, 2), axis=-1)
    return [np.packbits(row[:, 16 - bits :].reshape(-1)).tobytes() for row in planes]


def packed_tiff(image: np.ndarray, bits: int, rows_per_strip: int = 5, **extra: Any) -> bytes:
    """TIFF with samples of `bits` bits that cross byte borders."""
    rows = pack_bits(image, bits)
    strips = [b"".join(rows[i : i + rows_per_strip]) for i in range(0, len(rows), rows_per_strip)]
    samples = 1 if image.ndim == 2 else image.shape[2]
    tags = {256: (image.shape[1],), 257: (image.shape[0],), 258: (bits,), 259: (1,)}
    tags |= {262: (1 if samples == 1 else 2,), 277: (samples,), 278: (rows_per_strip,)}
    return tiff_by_hand(tags, strips, **extra)


def png_with(data: bytes, *chunks: bytes) -> bytes:
    """A PNG with chunks put after its header."""
    return data[:33] + b"".join(chunks) + data[33:]


def png_head(width: int, height: int, bits: int = 8, colour: int = 0) -> bytes:
    """A PNG that claims a size and holds ten bytes of pixels."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(10))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + body


def bmp(image: np.ndarray, *, top_down: bool = False, bits: int = 24) -> bytes:
    """RGB bitmap by hand, 24 or 32 bits a pixel."""
    height, width = image.shape[:2]
    pixels = image[..., ::-1]
    if bits == 32:
        pixels = np.concatenate([pixels, np.full((height, width, 1), 7, np.uint8)], -1)
    stride = -(-width * bits // 32) * 4
    rows = np.zeros((height, stride), np.uint8)
    rows[:, : width * bits // 8] = pixels.reshape(height, -1)
    body = (rows if top_down else rows[::-1]).tobytes()
    signed = -height if top_down else height
    info = struct.pack("<IiiHHIIiiII", 40, width, signed, 1, bits, 0, len(body), 0, 0, 0, 0)
    return struct.pack("<2sIHHI", b"BM", 54 + len(body), 0, 0, 54) + info + body


def npy(array: np.ndarray) -> bytes:
    """An NPY file."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _tiffs() -> Iterator[Sample]:
    for dtype in ("u1", "u2", "f4"):
        for channels in (1, 3):
            image = scene(dtype, channels)
            name = f"tiff-{dtype}x{channels}"
            yield Sample(f"{name}-strips", tiff(image, rowsperstrip=5), image)
            yield Sample(f"{name}-big-endian", tiff(image, rowsperstrip=5, byteorder=">"), image)
            for code in ("lzw", "zlib", "zstd", "packbits"):
                yield Sample(f"{name}-{code}", tiff(image, rowsperstrip=7, compression=code), image)
            for order in "<>":
                options = {"compression": "zlib", "predictor": True, "byteorder": order}
                yield Sample(
                    f"{name}-predictor{order}", tiff(image, rowsperstrip=7, **options), image
                )
            yield Sample(f"{name}-tiles", tiff(image, tile=(16, 32)), image)
            yield Sample(
                f"{name}-tiles-zstd", tiff(image, tile=(16, 32), compression="zstd"), image
            )
    rgb, planes = scene("u2", 3), np.moveaxis(scene("u2", 3), -1, 0).copy()
    for name, options in {
        "raw": {"rowsperstrip": 5},
        "lzw": {"rowsperstrip": 5, "compression": "lzw", "predictor": True},
        "tiles": {"tile": (16, 16), "compression": "zlib", "byteorder": ">"},
    }.items():
        yield Sample(f"tiff-planar-{name}", tiff(planes, planarconfig="separate", **options), rgb)
    yield Sample("tiff-bigtiff", tiff(rgb, rowsperstrip=5, bigtiff=True), rgb)
    yield Sample("tiff-bigtiff->", tiff(rgb, rowsperstrip=5, bigtiff=True, byteorder=">"), rgb)
    yield Sample("tiff-one-strip", tiff(rgb, compression="zlib"), rgb)
    wide = scene("f8")
    yield Sample("tiff-f8", tiff(wide, rowsperstrip=5), wide.astype("f4"))
    alpha = scene("u2", 4)
    yield Sample("tiff-rgba", tiff(alpha, rowsperstrip=5), alpha[..., :3])
    yield Sample("tiff-rgba-lzw", tiff(alpha, rowsperstrip=5, compression="lzw"), alpha[..., :3])
    for bits in (10, 12, 14):
        for channels in (1, 3):
            image = scene("u2", channels) >> (16 - bits)
            yield Sample(f"tiff-{bits}bit-x{channels}", packed_tiff(image, bits), image)
    stack = np.stack([scene("u2", seed=s) for s in range(3)])
    yield Sample("tiff-page-2", tiff(stack, rowsperstrip=5), stack[2], page=2)


def _others() -> Iterator[Sample]:
    for dtype in ("u1", "u2"):
        for channels in (1, 2, 3, 4):
            image = scene(dtype, channels)
            kept = image[..., 0] if channels == 2 else image[..., :3] if channels == 4 else image
            yield Sample(f"png-{dtype}x{channels}", imagecodecs.png_encode(image), kept)
    for channels in (1, 3):
        code = cv2.imencode(".jpg", scene("u1", channels))[1]
        seen = cv2.imdecode(code, cv2.IMREAD_UNCHANGED)
        yield Sample(
            f"jpeg-x{channels}", code.tobytes(), seen if channels == 1 else seen[..., ::-1]
        )
    grey, rgb = scene("u1"), scene("u1", 3)
    yield Sample("bmp-grey", cv2.imencode(".bmp", grey)[1].tobytes(), grey)
    yield Sample("bmp-24-opencv", cv2.imencode(".bmp", rgb[..., ::-1])[1].tobytes(), rgb)
    for bits in (24, 32):
        yield Sample(f"bmp-{bits}", bmp(rgb, bits=bits), rgb)
        yield Sample(f"bmp-{bits}-top-down", bmp(rgb, bits=bits, top_down=True), rgb)
    for dtype in ("u1", "<u2", ">u2", "<f4", ">f4"):
        for channels in (1, 3):
            image = scene(dtype[-2:], channels)
            yield Sample(f"npy-{dtype}x{channels}", npy(image.astype(dtype)), image)
    yield Sample("npy-f8", npy(scene("f8")), scene("f8").astype("f4"))
    stack = np.stack([scene("u2", 3, seed=s) for s in range(3)])
    yield Sample("npy-plane-1", npy(stack), stack[1], page=1)


@functools.cache
def corpus() -> dict[str, Sample]:
    """Every sample by name."""
    return {sample.name: sample for sample in (*_tiffs(), *_others())}
