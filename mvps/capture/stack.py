"""Stack: the photographs of one view of one sample under K lights, and all that belongs to them.

A stack is known from names and headers alone; no pixel is decoded to make one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mvps.calib import Camera
from mvps.calib.fit import AS_CALIBRATED, CameraFit
from mvps.capture.near_place import NearPlace
from mvps.errors import InputError
from mvps.findings import Finding
from mvps.images.info import Alignment, ImageInfo, ImageRef, RawLayout, SampleFormat
from mvps.images.probe import is_image_name
from mvps.lights import LightRig

HEADERLESS = frozenset({".raw", ".bin"})
BAYER_PATTERNS = ("rggb", "bggr", "grbg", "gbrg")


@dataclass(frozen=True)
class Fault:
    """A stack that cannot be planned: its name and one line that says why."""

    stack: str
    message: str


@dataclass(frozen=True)
class Overrides:
    """What the user states for every stack, in place of what lies on disk; None leaves it.

    Attributes
    ----------
    flat : path, or pattern with ``{light}``, of the flat fields
    convention : frame of the light description, "opengl", "directx" or "opencv"
    camera, camera_name : calibration file, and which camera of several in it
    camera_fit : what happened to the images after the size that the camera was calibrated with
    """

    lights: Path | None = None
    mask: Path | None = None
    dark: Path | None = None
    ambient: Path | None = None
    flat: str | None = None
    response: str | None = None
    bits: int | None = None
    align: Alignment | None = None
    bayer: str | None = None
    raw: RawLayout | None = None
    convention: str | None = None
    camera: Path | None = None
    camera_name: str | None = None
    camera_fit: CameraFit = AS_CALIBRATED


@dataclass(frozen=True)
class Stack:
    """K images under K lights.

    Attributes
    ----------
    name : where its maps go below the output folder, "sample/view"; "." for the root itself
    images : K images in the order of the lights
    lights : K lights
    layout : "diligent", "rti" or "rig"
    sample_format : depth and alignment that were stated
    infos : headers of the images, once they have been probed
    mask, dark, ambient, rgb : files, or None
    flats : K flat fields (one file K times where all lights share it), or none
    camera : calibration of the view, or None; as in its file until the stack is inspected, then
        that of the raw images, by way of ``camera_fit``
    response : "linear", "srgb", "gamma=X" or the path of a table
    bayer : pattern of a mosaic, "rggb" and so on, or None
    raw : layout of headerless files, or None
    near : where the part lies, as the rig file states it, or None
    depth : depth map that it names, or None
    findings : warnings of the search, one line each

    Raises
    ------
    InputError
        The number of images or flat fields is not that of the lights, or the pattern is unknown.
    """

    name: str
    images: tuple[ImageRef, ...]
    lights: LightRig
    layout: str
    sample_format: SampleFormat = field(default_factory=SampleFormat)
    infos: tuple[ImageInfo, ...] = ()
    mask: Path | None = None
    dark: Path | None = None
    ambient: Path | None = None
    flats: tuple[ImageRef, ...] = ()
    camera: Camera | None = None
    camera_fit: CameraFit = AS_CALIBRATED
    rgb: Path | None = None
    response: str = "linear"
    bayer: str | None = None
    raw: RawLayout | None = None
    near: NearPlace | None = None
    depth: Path | None = None
    findings: tuple[Finding, ...] = ()

    def __post_init__(self) -> None:
        where = self.lights.source or self.name
        if len(self.images) != len(self.lights):
            raise InputError(where, f"{len(self.images)} images for {len(self.lights)} lights")
        if len(self.flats) not in (0, len(self.lights)):
            raise InputError(where, f"{len(self.flats)} flat fields for {len(self.lights)} lights")
        if self.bayer is not None and self.bayer not in BAYER_PATTERNS:
            known = ", ".join(BAYER_PATTERNS)
            raise InputError(where, f"unknown Bayer pattern {self.bayer!r}", f"known are {known}")

    @property
    def title(self) -> str:
        """Name for messages: the folder's own name where the root is the stack."""
        return self.images[0].path.absolute().parent.name if self.name == "." else self.name

    def ref(self, path: Path) -> ImageRef:
        """Reference to another frame of the same camera, with the raw layout where it needs one."""
        return image_ref(path, self.raw)


def image_ref(path: Path, raw: RawLayout | None, page: int = 0) -> ImageRef:
    """Reference to an image; a headerless file takes the declared layout.

    Raises
    ------
    InputError
        The file has no header and no layout is declared.
    """
    if is_image_name(path) and path.suffix.lower() not in HEADERLESS:
        return ImageRef(path, page)
    if raw is None:
        raise InputError(path, "has no header", "declare raw: packing, width and height")
    return ImageRef(path, page, raw)
