"""Sign conventions of normals and lights, relative to the camera frame of this project.

That frame is x right, y up, z towards the camera (DiLiGenT, OpenGL). Multiplying by a convention's
signs converts in either direction.
"""

from __future__ import annotations

CONVENTIONS: dict[str, tuple[float, float, float]] = {
    "opengl": (1.0, 1.0, 1.0),  # x right, y up, z to the camera
    "directx": (1.0, -1.0, 1.0),  # y down
    "opencv": (1.0, -1.0, -1.0),  # y down, z away from the camera
}
