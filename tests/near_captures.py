"""Captures under near lamps on disk, and runs of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile
from near_scenes import DISTANCE, MM_PER_PX

from mvps.calib.formats.mvps_yaml import write_mvps_yaml
from mvps.capture import Overrides
from mvps.lights.yaml_format import write_light_yaml
from mvps.pipeline.near_options import NearOptions
from mvps.pipeline.options import RunOptions, Schedule
from mvps.pipeline.plan import make_plan
from mvps.pipeline.run import run_plan
from mvps.stereo import get_backend

SIZE = (192, 144)


RIG = """\
version: 1
units: mm
views:
  top:
    images: "{sample}/L{light:02d}.tif"
    lights: lights.yml
    mask: mask.tif
"""


def write_capture(raw: Path, scene, *, seen_by=None) -> Path:
    """16-bit images of the scene, its lamps and mask, and where one is given its camera."""
    (raw / "part").mkdir(parents=True)
    for k, image in enumerate(scene.images(0.8, dtype="uint16"), start=1):
        tifffile.imwrite(raw / "part" / f"L{k:02d}.tif", image, rowsperstrip=16)
    tifffile.imwrite(raw / "mask.tif", scene.mask.astype(np.uint8) * 255)
    write_light_yaml(scene.rig, raw / "lights.yml")
    text = RIG
    if seen_by is not None:
        write_mvps_yaml([seen_by], raw / "camera.yml")
        text += "    camera: camera.yml\n"
    (raw / "rig.yml").write_text(text)
    return raw


def run(raw: Path, out: Path, near: NearOptions, **options):
    """Result, normals (H, W, 3) and record of the only stack."""
    wanted = RunOptions(near=near, encoding="f32", preview=False, **options)
    plan = make_plan(raw, out, Overrides(), wanted, Schedule())
    (result,) = run_plan(plan, get_backend("auto"), lambda pixels: None, debug=True)
    folder = out / "part" / "top"
    record = json.loads((folder / "stack.json").read_text())
    return result, tifffile.imread(folder / "normals.tif"), record


STATED = NearOptions(distance_mm=DISTANCE, mm_per_px=MM_PER_PX)


PLACE = f"    near:\n      distance_mm: {DISTANCE}\n      mm_per_px: {MM_PER_PX}\n"


def failure(raw: Path, tmp_path: Path, near: NearOptions, **options) -> str:
    plan = make_plan(raw, tmp_path / "out", Overrides(), RunOptions(near=near, **options))
    (fault,) = plan.failures
    return fault.message
