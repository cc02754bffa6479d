"""Lights: their directions and intensities, the files that state them, and what corrects them."""

from __future__ import annotations

from mvps.lights.formats import read_lights, write_lights
from mvps.lights.inline import parse_lights
from mvps.lights.rig import LightRig, from_directions

__all__ = ["LightRig", "from_directions", "parse_lights", "read_lights", "write_lights"]
