"""Images and normal maps as an encoder wants them: square, of one size, normalised like ImageNet.

Colour is averaged over the pixels that fall together. Normals are averaged as vectors and brought
back to unit length; averaging their colours instead would shorten them wherever a surface bends.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.datasets.normals import read_record_normals
from mvps.datasets.record import RGB, Record
from mvps.detect.tiling import Tiling
from mvps.errors import ImageError, InputError
from mvps.images import DEFAULT_MAX_PIXELS, ImageRef, Window, probe, read_image

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)
NO_NORMAL = 0.5  # the grey of a zero vector

Planes = NDArray[np.float32]


@dataclass(frozen=True)
class Preprocess:
    """From the pixels of a file to those of the encoder.

    Parameters
    ----------
    resize : side in px of the square that the whole image is brought to
    crop : side of the centre of it that is kept; equal to ``resize`` keeps all
    tile : side in px of the file of overlapping tiles, each of which is brought to ``crop`` px by
        itself; 0 takes the image whole
    overlap : of neighbouring tiles in px of the file, at least
    """

    resize: int = 448
    crop: int = 392
    tile: int = 0
    overlap: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.crop <= self.resize <= 8192:
            raise InputError(
                "--size", f"a crop of {self.crop} px from {self.resize} px", "give 1 to 8192 px"
            )
        if self.tile:
            Tiling((1, 1), self.tile, self.overlap)  # refuses what no tiling can have
        elif self.overlap:
            raise InputError("--overlap", "says nothing without --tile", "give both")

    @property
    def key(self) -> str:
        """What tells results of other settings apart."""
        if self.tile:
            return f"area-tile-{self.crop}"  # its place and size are of the window
        return f"area-{self.resize}-{self.crop}"

    def tiling(self, record: Record) -> Tiling:
        """Tiles of a record's images, from the header of one of them.

        Raises
        ------
        ImageError
            The file cannot be used.
        """
        path = record.rgb or record.normals
        assert path is not None  # a record has one of them
        info = probe(ImageRef(path))
        return Tiling((info.width, info.height), self.tile, self.overlap)

    def window(self) -> slice:
        """Rows, and columns, of the square that are kept."""
        start = (self.resize - self.crop) // 2
        return slice(start, start + self.crop)


def load_planes(record: Record, modality: str, preprocess: Preprocess) -> Planes:
    """One modality of a record, whole and ready for the encoder.

    Returns
    -------
    (3, S, S) float32, normalised by ImageNet's mean and deviation

    Raises
    ------
    InputError, ImageError
        The record lacks the modality, or its file cannot be used.
    """
    return planes_of(load_pixels(record, modality), modality, preprocess)


def load_pixels(record: Record, modality: str) -> NDArray[Any]:
    """One modality of a record as its file has it.

    Returns
    -------
    (H, W, 3), colour in uint8 or uint16, or normals in float32, zero where invalid

    Raises
    ------
    InputError, ImageError
        As :func:`load_planes`.
    """
    path = record.rgb if modality == RGB else record.normals
    if path is None:
        raise InputError(record.name, f"has no {modality}", "train with the other modality alone")
    return read_colour(path) if modality == RGB else read_record_normals(record)[0]


def planes_of(
    pixels: NDArray[Any], modality: str, preprocess: Preprocess, window: Window | None = None
) -> Planes:
    """Planes (3, S, S) float32 of an image, or of the tile of it that a window shows."""
    if window is not None:
        pixels = pixels[window.y : window.y + window.height, window.columns]
    return (rgb_planes if modality == RGB else normal_planes)(pixels, preprocess)


def read_colour(path: Path, max_pixels: int = DEFAULT_MAX_PIXELS) -> NDArray[Any]:
    """Colour image (H, W, 3) uint8 or uint16; grey is repeated.

    Raises
    ------
    ImageError
        Missing, damaged, too large or of floating point.
    """
    image = read_image(ImageRef(path), max_pixels=max_pixels)
    if image.dtype.kind == "f":
        raise ImageError(path, "floating-point colour has no known range", "give 8 or 16 bits")
    return image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)


def rgb_planes(image: NDArray[Any], preprocess: Preprocess) -> Planes:
    """Planes (3, S, S) float32 of a colour image (H, W, 3) of integers over their whole range."""
    top = np.iinfo(image.dtype).max
    return _normalised(_resized(image, preprocess).astype(np.float32) / np.float32(top))


def normal_planes(normals: Planes, preprocess: Preprocess) -> Planes:
    """Planes (3, S, S) float32 of a normal map (H, W, 3), house frame, zero where invalid."""
    vectors = _resized(normals, preprocess)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-6)
    return _normalised(unit / 2 + NO_NORMAL)


def mask_pixels(
    path: Path | None, preprocess: Preprocess, shape: tuple[int, int] | None = None
) -> NDArray[np.bool_]:
    """Defect mask as the anomaly map sees it: a pixel counts if its nearest one is not zero.

    Parameters
    ----------
    path : of the mask; None is a mask without a defect
    preprocess : of the images
    shape : (H, W) of the map where images are tiled; the map then has the pixels of the file

    Returns
    -------
    (S, S) bool, or (H, W)

    Raises
    ------
    ImageError
        The file cannot be used.
    """
    if preprocess.tile > 0 and shape is not None:
        return sized_mask(path, shape)
    side = preprocess.resize
    return sized_mask(path, (side, side))[preprocess.window(), preprocess.window()]


def sized_mask(path: Path | None, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Defect mask (H, W) of a shape: a pixel counts if its nearest one is not zero.

    Raises
    ------
    ImageError
        The file cannot be used.
    """
    if path is None:
        return np.zeros(shape, bool)
    import cv2

    image = read_image(ImageRef(path))
    marked = (image if image.ndim == 2 else image.max(-1)) > 0
    method = cv2.INTER_NEAREST_EXACT
    return np.asarray(cv2.resize(marked.astype(np.uint8), shape[::-1], interpolation=method), bool)


def _resized(image: NDArray[Any], preprocess: Preprocess) -> NDArray[Any]:
    import cv2

    side = preprocess.crop if preprocess.tile else preprocess.resize
    shrinks = min(image.shape[:2]) >= side
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    size = (side, side)
    resized = np.asarray(cv2.resize(np.ascontiguousarray(image), size, interpolation=method))
    return resized if preprocess.tile else resized[preprocess.window(), preprocess.window()]


def _normalised(image: Planes) -> Planes:
    return np.ascontiguousarray(((image - MEAN) / DEVIATION).transpose(2, 0, 1))
