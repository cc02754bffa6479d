"""Output folders as runs leave them, made without solving anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mvps.images.maps import open_plane_writer
from mvps.images.preview import PreviewAccumulator, write_png


def record(name: str = "a", **figures: Any) -> dict[str, Any]:
    """A record with the keys that the report reads."""
    counted = {"pixels": 1000, "valid": 750, "masked": 200, "degenerate": 50}
    shares = {"mean_albedo": 0.4, "residual_rms": 0.02, "saturated_share": 0.01}
    return {
        "schema": 1,
        "stack": name,
        "finished": "2026-03-04T05:06:07+00:00",
        "inputs": [{"role": role} for role in ("light", "light", "light", "mask", "dark")],
        "size": {"width": 40, "height": 25},
        "options": {"encoding": "tiff", "bin": 1, "black": None, "quality": True},
        "outputs": {"files": {}, "albedo_scale": 1.0},
        "figures": counted | shares | {"black_share": 0.0} | figures,
        "warnings": [],
        "device": {"name": "cpu", "instruction set": "avx2"},
        "versions": {"mvps": "0.1.0"},
        "timings": {"read": 0.25, "solve": 0.125, "total": 0.5},
    }


def manifest_line(name: str, status: str = "done", **more: Any) -> str:
    """One line of the manifest, with its line feed."""
    line = {"stack": name, "folder": name, "status": status, "error": "", "warnings": []}
    return json.dumps(line | more) + "\n"


def write_maps(folder: Path, width: int = 40, height: int = 25) -> None:
    """Maps of a tilted plane, its left half valid, albedo .5 and a residual that grows down."""
    folder.mkdir(parents=True, exist_ok=True)
    valid = np.zeros((height, width), np.uint8)
    valid[:, : width // 2] = 1
    normals = np.broadcast_to(np.float32([0.6, 0, 0.8]), (height, width, 3))
    preview = PreviewAccumulator(width, height)
    preview.add_rows(np.ascontiguousarray(normals), valid)
    write_png(folder / "preview.png", preview.finish())
    down = np.linspace(0.01, 0.05, height, dtype=np.float32)[:, None]
    planes = {
        "albedo.tif": (0.5 * valid)[..., None],
        "quality.tif": np.stack([down * valid, 3.0 * valid], axis=-1),
    }
    for name, plane in planes.items():
        writer = open_plane_writer(folder / name, width, height, plane.shape[2], np.float32)
        writer.write_rows(plane.astype(np.float32))
        writer.finish()


def write_stack(out: Path, name: str, **figures: Any) -> None:
    """A stack that is done: maps and record."""
    write_maps(out / name)
    (out / name / "stack.json").write_text(json.dumps(record(name, **figures)))
