"""From normals to a height, its curvature and a mesh. What it computes: docs/surface.md."""

from mvps.surface.integrate import METHODS, Surface, integrate
from mvps.surface.job import SurfaceOptions, run_surface
from mvps.surface.slopes import Slopes, orthographic_slopes, perspective_slopes

__all__ = [
    "METHODS",
    "Slopes",
    "Surface",
    "SurfaceOptions",
    "integrate",
    "orthographic_slopes",
    "perspective_slopes",
    "run_surface",
]
