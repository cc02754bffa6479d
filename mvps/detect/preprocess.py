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
from mvps.errors import ImageError, InputError
from mvps.images import DEFAULT_MAX_PIXELS, ImageRef, read_image

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
    """

    resize: int = 448
    crop: int = 392

    def __post_init__(self) -> None:
        if not 1 <= self.crop <= self.resize <= 8192:
            raise InputError(
                "--size", f"a crop of {self.crop} px from {self.resize} px", "give 1 to 8192 px"
            )

    @property
    def key(self) -> str:
        """What tells results of other settings apart."""
        return f"area-{self.resize}-{self.crop}"

    def window(self) -> slice:
        """Rows, and columns, of the square that are kept."""
        start = (self.resize - self.crop) // 2
        return slice(start, start + self.crop)


def load_planes(record: Record, modality: str, preprocess: Preprocess) -> Planes:
    """One modality of a record, ready for the encoder.

    Returns
    -------
    (3, S, S) float32, normalised by ImageNet's mean and deviation

    Raises
    ------
    InputError, ImageError
        The record lacks the modality, or its file cannot be used.
    """
    path = record.rgb if modality == RGB else record.normals
    if path is None:
        raise InputError(record.name, f"has no {modality}", "train with the other modality alone")
    if modality == RGB:
        return rgb_planes(read_colour(path), preprocess)
    normals, _ = read_record_normals(record)
    return normal_planes(normals, preprocess)


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


def mask_pixels(path: Path | None, preprocess: Preprocess) -> NDArray[np.bool_]:
    """Defect mask (S, S) as the anomaly map sees it: a pixel counts if its nearest one is not zero.

    Raises
    ------
    ImageError
        The file cannot be used.
    """
    if path is None:
        return np.zeros((preprocess.crop, preprocess.crop), bool)
    import cv2

    image = read_image(ImageRef(path))
    marked = (image if image.ndim == 2 else image.max(-1)) > 0
    side = (preprocess.resize, preprocess.resize)
    resized = cv2.resize(marked.astype(np.uint8), side, interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(resized[preprocess.window(), preprocess.window()], bool)


def _resized(image: NDArray[Any], preprocess: Preprocess) -> NDArray[Any]:
    import cv2

    side = (preprocess.resize, preprocess.resize)
    shrinks = min(image.shape[:2]) >= preprocess.resize
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(np.ascontiguousarray(image), side, interpolation=method))
    return resized[preprocess.window(), preprocess.window()]


def _normalised(image: Planes) -> Planes:
    return np.ascontiguousarray(((image - MEAN) / DEVIATION).transpose(2, 0, 1))
