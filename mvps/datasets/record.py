"""One image of a detection data set, whatever the layout it was found in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mvps.errors import InputError

RGB, NORMALS = "rgb", "normals"  # the modalities
GOOD = "good"  # defect name of a sound part
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Record:
    """One view of one sample.

    Parameters
    ----------
    category : kind of part
    sample : name of the part, unique within its category
    view : name of the viewpoint; "" where there is one only
    split : "train", "validation" or "test"
    label : 0 sound, 1 defective
    defect : kind of the defect, :data:`GOOD` where there is none
    rgb : colour image, None where there is none
    normals : normal map, or organised points that :func:`mvps.datasets.read_record_normals` turns
        into one; None where there is none
    mask : image that is non-zero on the defect, None where nothing is marked
    convention : of the stored normals: opengl, directx or opencv; None: what the file says; xyz:
        the file holds points
    """

    category: str
    sample: str
    view: str
    split: str
    label: int
    defect: str
    rgb: Path | None
    normals: Path | None
    mask: Path | None = None
    convention: str | None = None

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise InputError(self.name, f"split {self.split!r} is unknown", f"use {SPLITS}")
        if self.rgb is None and self.normals is None:
            raise InputError(self.name, "has neither a colour image nor a normal map")

    @property
    def name(self) -> str:
        """Name to show, unique within a data set: category/sample/view."""
        return "/".join(part for part in (self.category, self.sample, self.view) if part)
