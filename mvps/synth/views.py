"""Views of a rig in software: a camera in the world of the plate, and the lights it carries.

The world has z up, the plate at z = 0 and the part about its origin, in mm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mvps.calib import Camera, published_cameras, read_camera
from mvps.calib.geometry import label, pose, project, unproject
from mvps.calib.transforms import NORMAL_FLIP, resize_camera
from mvps.errors import InputError
from mvps.lights import LightRig, from_directions
from mvps.synth.mesh import Mesh

FRAME = "plate"
FIVE = ("top", "front", "back", "left", "right")
AZIMUTHS = {"front": -90.0, "back": 90.0, "left": 180.0, "right": 0.0}  # degrees from x to y
TILT_DEG = 50.0  # of the side views from the vertical
MARGIN = 1.12  # field of view in spans of the part
DISTANCE = 14.0  # of a camera in sizes of the part, when none is stated
FEW = 4096  # vertices of a part at which a view is tried first
BOX_RAYS = 32  # a side, of the lines of sight at which it is tried last
LIGHTS, SLANT_DEG = 4, 45.0  # of the rig when none is stated: Paper, section 3.1


@dataclass(frozen=True, eq=False)
class View:
    """A camera and the lights that stand with it.

    Attributes
    ----------
    name : of the view
    camera : with a pose in the world of the plate
    lights : house frame of this camera; positions in mm from its centre
    """

    name: str
    camera: Camera
    lights: LightRig


def ring(count: int = LIGHTS, slant_deg: float = SLANT_DEG, first_deg: float = 45.0) -> LightRig:
    """Distant lights of intensity 1 round the optical axis, ``slant_deg`` away from it."""
    turn = np.radians(first_deg + 360.0 * np.arange(count) / count)
    slant = math.radians(slant_deg)
    across = math.sin(slant)
    return from_directions(
        np.column_stack(
            [across * np.cos(turn), across * np.sin(turn), np.full(count, math.cos(slant))]
        )
    )


def five_views(
    part_size_mm: float,
    image_size: tuple[int, int] = (512, 512),
    *,
    lights: LightRig | None = None,
    tilt_deg: float = TILT_DEG,
    distance_mm: float | None = None,
    centre_height_mm: float | None = None,
) -> tuple[View, ...]:
    """Top, front, back, left and right views of a part that stands at the origin.

    Parameters
    ----------
    part_size_mm : diameter of the ball that holds the part; it fills the shorter side to 89%
    image_size : (width, height) px
    lights : of every camera, carried with it; four distant ones in a ring at 45 degrees when None
    tilt_deg : of the side views, from the vertical
    distance_mm : of the cameras from the middle of the part; 14 sizes when None
    centre_height_mm : of the point that the cameras look at, above the plate; a third of the
        part's size when None

    Raises
    ------
    InputError
        A size or distance that is not positive, or a tilt that is not in 0 to 85 degrees.
    """
    if not part_size_mm > 0 or (distance_mm is not None and not distance_mm > part_size_mm):
        what = f"a part of {part_size_mm} mm seen from {distance_mm} mm"
        raise InputError("five views", what, "sizes are positive, and cameras stand off the part")
    if not 0 < tilt_deg <= 85:
        raise InputError("five views", f"a tilt of {tilt_deg:g} degrees is not in 0 to 85")
    distance = distance_mm or DISTANCE * part_size_mm
    focal = min(image_size) * distance / (MARGIN * part_size_mm)
    middle = part_size_mm / 3 if centre_height_mm is None else centre_height_mm
    rig = lights or ring()
    views = []
    for name in FIVE:
        tilt, azimuth = (tilt_deg, AZIMUTHS[name]) if name in AZIMUTHS else (0.0, -90.0)
        camera = look_at(
            np.array([0, 0, middle]), distance, tilt, azimuth, focal=focal, image_size=image_size
        )
        views.append(View(name, replace(camera, name=name), rig))
    return tuple(views)


def look_at(
    target: NDArray[np.float64],
    distance_mm: float,
    tilt_deg: float,
    azimuth_deg: float,
    *,
    focal: float,
    image_size: tuple[int, int],
) -> Camera:
    """Camera without distortion that looks at a point, its image's upper side up or to the back.

    Parameters
    ----------
    target : (3,) mm, world
    tilt_deg, azimuth_deg : where the camera stands: away from the vertical, and from x to y
    focal : px
    """
    tilt, azimuth = math.radians(tilt_deg), math.radians(azimuth_deg)
    back = np.array(
        [math.sin(tilt) * math.cos(azimuth), math.sin(tilt) * math.sin(azimuth), math.cos(tilt)]
    )
    right = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    rotation = np.stack([right, np.cross(-back, right), -back])
    matrix = np.array(
        [[focal, 0, (image_size[0] - 1) / 2], [0, focal, (image_size[1] - 1) / 2], [0, 0, 1.0]]
    )
    translation = -rotation @ (np.asarray(target) + distance_mm * back)
    return Camera(matrix, np.zeros(12), image_size, rotation, translation, frame_id=FRAME)


def camera_in_world(camera: Camera) -> Camera:
    """A camera calibrated on a board, in the world whose plate is that board.

    The world has z up. A board whose z axis points away from the camera, as the published ones do,
    is turned by diag(1, -1, -1); one whose z axis points to the camera is that world already. The
    homography is turned alike.

    Raises
    ------
    InputError
        No pose, or a camera in the plane of its board.
    """
    rotation, _ = pose(camera)
    height = float(camera.centre()[2])
    if abs(height) < 1e-6:
        raise InputError(label(camera), "lies in the plane of its board, so it cannot see it")
    if height > 0:
        return camera
    homography = camera.homography
    if homography is not None:
        homography = homography @ np.diag([1.0, -1.0, 1.0])
    return replace(camera, rotation=rotation @ NORMAL_FLIP, homography=homography)


def published_views(
    lights: LightRig | None = None, image_size: tuple[int, int] | None = None
) -> tuple[View, ...]:
    """Views of the four published cameras, each above its own board, which is the plate.

    Parameters
    ----------
    lights : of every camera; four distant ones in a ring at 45 degrees when None
    image_size : (width, height) px to which the cameras are resized; their own when None
    """
    views = []
    for name, path in published_cameras().items():
        camera = camera_in_world(read_camera(path))
        if image_size is not None:
            camera = resize_camera(camera, image_size)
        views.append(View(name, replace(camera, name=name), lights or ring()))
    return tuple(views)


def check_view(view: View, part: Mesh) -> None:
    """InputError in one line where a camera does not see the part or stands below the plate.

    The part is seen when a vertex of it falls into the image, or a line of sight, one of 32 x 32,
    meets its box: it may be larger than the image.
    """
    where = f"view {view.name}"
    if view.camera.centre()[2] <= 0:
        what = "the camera stands below the ground plate"
        raise InputError(where, what, "a world with z up is needed; see camera_in_world")
    few = part.vertices[:: max(1, len(part.vertices) // FEW)]
    seen = share_inside(view.camera, few) or share_inside(view.camera, part.vertices)
    if not seen and not _meets_box(view.camera, part):
        low, high = part.vertices.min(axis=0), part.vertices.max(axis=0)
        box = " to ".join(
            "(" + ", ".join(f"{v:.1f}" for v in corner) + ")" for corner in (low, high)
        )
        what = f"the camera does not see the part, which is at {box} mm"
        raise InputError(where, what, "move the part or the camera")


def share_inside(camera: Camera, points: NDArray[np.float64]) -> float:
    """Share of points (N, 3) in mm that fall into the picture."""
    pixels, valid = project(camera, points)
    width, height = camera.image_size
    inside = valid & (pixels > -0.5).all(axis=1)
    inside &= (pixels[:, 0] < width - 0.5) & (pixels[:, 1] < height - 0.5)
    return float(inside.mean())


def _meets_box(camera: Camera, part: Mesh) -> bool:
    width, height = camera.image_size
    axes = np.linspace(0, width - 1, BOX_RAYS), np.linspace(0, height - 1, BOX_RAYS)
    rays, _ = unproject(camera, np.stack(np.meshgrid(*axes), axis=-1))
    world = rays @ pose(camera)[0]
    corners = np.stack([part.vertices.min(axis=0), part.vertices.max(axis=0)])
    with np.errstate(all="ignore"):
        lengths = (corners[:, None, None] - camera.centre()) / world
        near, far = lengths.min(axis=0).max(axis=-1), lengths.max(axis=0).min(axis=-1)
    return bool(((near <= far) & (far > 0)).any())
