"""mvps: raw multi-light photographs to calibrated surface normals.

The names below are the public face; each is imported when it is first used, so that
``import mvps`` stays quick and needs neither torch nor cupy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mvps.calib import Camera, read_camera
    from mvps.lights import LightRig, read_lights
    from mvps.stereo import Solution, solve
    from mvps.surface.near import solve_near

__version__ = "0.1.0"

__all__ = [
    "Camera",
    "LightRig",
    "Solution",
    "__version__",
    "read_camera",
    "read_lights",
    "solve",
    "solve_near",
]

_HOMES = {
    "Camera": "mvps.calib",
    "read_camera": "mvps.calib",
    "LightRig": "mvps.lights",
    "read_lights": "mvps.lights",
    "Solution": "mvps.stereo",
    "solve": "mvps.stereo",
    "solve_near": "mvps.surface.near",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mvps' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
