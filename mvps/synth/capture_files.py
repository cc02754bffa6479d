"""A capture on disk: raw stacks that ``mvps normals`` reads, cameras, lights, and the truth.

The truth mirrors what a run writes, so ``mvps evaluate normals OUT --truth`` finds it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.calib import write_cameras
from mvps.files import write_text
from mvps.lights.yaml_format import write_light_yaml
from mvps.synth.image_files import write_normals, write_pages, write_picture, write_plane
from mvps.synth.sensor import Sensor
from mvps.synth.shot import Shot
from mvps.synth.truth import Truth
from mvps.synth.views import View

RIG = "rig.yml"


def write_rig(
    folder: Path,
    views: tuple[View, ...],
    sensor: Sensor,
    *,
    sample: bool,
) -> None:
    """Write ``rig.yml``, the cameras, the lights, and a dark frame where the sensor has one.

    Parameters
    ----------
    sample : the stacks of many specimens lie in a folder each
    """
    above = "{sample}/" if sample else ""
    lines = ["version: 1", "units: mm", "views:"]
    for view in views:
        (folder / "lights").mkdir(parents=True, exist_ok=True)
        target = folder / "calib" / f"{view.name}.yml"
        write_cameras([view.camera], target, "mvps", overwrite=True)
        write_light_yaml(view.lights, folder / "lights" / f"{view.name}.yml")
        entry = {
            "images": f"{above}{view.name}/L{{light:02d}}.tif",
            "rgb": f"{above}{view.name}/rgb.png",
            "camera": f"calib/{view.name}.yml",
            "lights": f"lights/{view.name}.yml",
        }
        if sensor.black_level_dn:
            entry["dark"] = f"dark/{view.name}.tif"
            write_plane(folder / entry["dark"], _dark_frame(view, sensor))
        lines.append(f"  {_quoted(view.name)}:")
        lines += [f"    {key}: {_quoted(value)}" for key, value in entry.items()]
        if sensor.bits == 12:
            lines += ["    bits: 12", "    align: right"]
        towards = view.camera.translation
        if view.lights.positions is not None and towards is not None:
            # Near lamps need to know where the part is: the plate's middle is the origin.
            lines.append(f"    near: {{distance_mm: {float(towards[2]):.3f}}}")
    if sample:
        lines.append('samples: "*"')
    write_text(folder / RIG, "\n".join(lines) + "\n")


def write_stack(folder: Path, shot: Shot, *, compressed: bool = False) -> tuple[Path, ...]:
    """Write the raw stack and the diffuse picture of one view into its folder."""
    paths = []
    for number, raw in enumerate(shot.raw, 1):
        paths.append(folder / f"L{number:02d}.tif")
        write_plane(paths[-1], raw, compressed=compressed)
    paths.append(folder / "rgb.png")
    write_picture(paths[-1], shot.picture)
    return tuple(paths)


def write_truth(
    folder: Path, truth: Truth, mask: NDArray[np.bool_] | None = None
) -> tuple[Path, ...]:
    """Write everything that is known of one view into its folder.

    Normals are those of the part alone, so that errors are told over the part.

    Parameters
    ----------
    mask : (H, W) where a defect can be seen; not written when None
    """
    files = {name: folder / name for name in _TRUTH_NAMES}
    said = json.dumps({"truth": True, "covers": "the part"})
    write_normals(files["normals.tif"], truth.normals, truth.part, "tiff", said)
    write_plane(files["depth.tif"], truth.depth, "mm along the optical axis, NaN off surfaces")
    write_plane(files["height.tif"], truth.height, "mm above the ground plate, NaN off surfaces")
    albedo = (np.clip(truth.albedo, 0, 1) * 65535).round().astype(np.uint16)
    write_plane(files["albedo.tif"], albedo, "linear R, G, B; 65535 is 1")
    write_pages(files["shadow.tif"], truth.shadow)
    write_pages(files["highlight.tif"], truth.highlight)
    write_picture(files["mask.png"], bits(truth.part))
    paths = list(files.values())
    if mask is not None:
        paths.append(folder / "defect.png")
        write_picture(paths[-1], bits(mask))
    return tuple(paths)


def bits(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A mask as a picture of 0 and 255."""
    return np.where(mask, np.uint8(255), np.uint8(0))


_TRUTH_NAMES = (
    "normals.tif",
    "depth.tif",
    "height.tif",
    "albedo.tif",
    "shadow.tif",
    "highlight.tif",
    "mask.png",
)


def _dark_frame(view: View, sensor: Sensor) -> NDArray[Any]:
    """What the sensor reads in darkness, averaged over many frames."""
    width, height = view.camera.image_size
    kind = np.uint8 if sensor.bits == 8 else np.uint16
    return np.full((height, width), round(sensor.black_level_dn), kind)


def _quoted(text: str) -> str:
    return json.dumps(text)
