"""Whether a camera belongs to images of a size, and the camera of images that were cut or reduced.

A calibration holds for the pixels that it was made with; of images with another size it holds only
after the same crop, binning or scaling (principal point: c becomes s (c + 0.5) - 0.5).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mvps.calib.camera import Camera
from mvps.calib.geometry import label
from mvps.calib.transforms import bin_camera, crop_camera, resize_camera
from mvps.errors import InputError

Size = tuple[int, int]
_CROP = re.compile(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*")


@dataclass(frozen=True)
class CameraFit:
    """What happened to images after the size that a camera was calibrated with, in this order.

    Attributes
    ----------
    crop : x, y, width, height of the part of the calibrated image that was kept, or None
    bin : edge of the squares of pixels that were averaged
    scale : whether the images were then scaled, alike in both directions
    """

    crop: tuple[int, int, int, int] | None = None
    bin: int = 1
    scale: bool = False

    def __post_init__(self) -> None:
        if self.bin < 1:
            raise InputError("--camera-bin", f"{self.bin} is below 1", "1 keeps every pixel")

    def apply(self, camera: Camera, size: Size) -> Camera:
        """The camera of images of that size, as far as the fit goes.

        Raises
        ------
        InputError
            The crop leaves the calibrated image, or scaling would change the aspect ratio.
        """
        if self.crop is not None:
            camera = crop_camera(camera, *self.crop)
        if self.bin != 1:
            camera = bin_camera(camera, self.bin)
        if self.scale and not _same_aspect(camera.image_size, size):
            raise InputError(label(camera), size_fault(camera, size), fit_remedy(camera, size))
        return resize_camera(camera, size) if self.scale else camera


AS_CALIBRATED = CameraFit()


def parse_crop(text: str) -> tuple[int, int, int, int]:
    """``x,y,w,h`` in calibrated pixels.

    Raises
    ------
    InputError
        Not four whole numbers.
    """
    match = _CROP.fullmatch(text)
    if match is None:
        raise InputError("--camera-crop", f"{text!r} is not x,y,w,h in whole pixels")
    x, y, width, height = (int(group) for group in match.groups())
    return x, y, width, height


def check_size(
    camera: Camera, size: Size, where: str | Path, fit: CameraFit = AS_CALIBRATED
) -> None:
    """Refuse an image that is not of the camera's size, after the ``fit`` that made it so.

    Raises
    ------
    InputError
        With both sizes, the aspect ratios where they differ, and what to pass.
    """
    if fault := size_fault(camera, size):
        too_large = size[0] > camera.image_size[0] or size[1] > camera.image_size[1]
        cut = too_large and fit != AS_CALIBRATED
        remedy = "check --camera-crop and --camera-bin" if cut else fit_remedy(camera, size)
        raise InputError(where, fault, remedy)


def size_fault(camera: Camera, size: Size) -> str:
    """How the size of an image differs from the camera's, in words; empty where it does not."""
    if camera.image_size == size:
        return ""
    text = f"{_text(size)} px, but the camera of {label(camera)} has {_text(camera.image_size)} px"
    if _same_aspect(camera.image_size, size):
        return text
    if _same_aspect(camera.image_size, size[::-1]):
        return f"{text}: they are turned by 90 degrees"
    ours, theirs = size[0] / size[1], camera.image_size[0] / camera.image_size[1]
    turned = (ours > 1) != (theirs > 1)
    upright = f"{1 / ours:.4g} when turned and " if turned else ""
    off = abs((1 / ours if turned else ours) / theirs - 1)
    return f"{text}; the aspect ratios differ: {ours:.4g}, {upright}{theirs:.4g} ({off:.1%} apart)"


def fit_remedy(camera: Camera, size: Size) -> str:
    """What to pass on the command line so that the camera fits images of that size."""
    width, height = camera.image_size
    if _same_aspect(camera.image_size, size):
        factor, rest = divmod(width, size[0])
        binned = not rest and factor > 1 and height // factor == size[1]
        if binned:
            return f"pass --camera-bin {factor} where they were binned, --camera-scale where scaled"
        part = ", --camera-crop X,Y,W,H where they show a part" if size[0] < width else ""
        return f"pass --camera-scale where the images were scaled{part}"
    if _same_aspect(camera.image_size, size[::-1]):
        return "turn the images (or store them unturned), or calibrate from turned ones"
    return (
        f"pass --camera-crop X,Y,W,H, the part of the {_text(camera.image_size)} calibrated px "
        "that the images show, then --camera-bin N or --camera-scale where they were reduced; or "
        "another --camera"
    )


def _same_aspect(a: Size, b: Size) -> bool:
    """Whether one size is the other scaled, within a pixel."""
    off = min(abs(a[1] * b[0] / a[0] - b[1]), abs(a[0] * b[1] / a[1] - b[0]))
    return off <= 1


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
