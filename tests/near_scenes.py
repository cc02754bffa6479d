"""Exact renderings under near lamps: a plane and a ball, seen by a camera or along parallels.

Points of each pixel are found in closed form, normals are exact, and light follows Queau et al.
(JMIV 2018) written out anew, so that nothing here shares code with what it tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mvps.calib import Camera
from mvps.lights import LightRig
from mvps.stereo.near_view import NearView, Plane

MM_PER_PX = 0.25
DISTANCE = 300.0
FLIP = np.array([1.0, -1.0, -1.0])


@dataclass(frozen=True)
class NearScene:
    """Points (H, W, 3) mm and unit normals, house frame; NaN where nothing is."""

    view: NearView
    points: np.ndarray
    normals: np.ndarray
    rig: LightRig

    @property
    def depth(self) -> np.ndarray:
        return -self.points[..., 2]

    @property
    def mask(self) -> np.ndarray:
        return np.isfinite(self.points[..., 2])

    @cached_property
    def irradiance(self) -> np.ndarray:
        """(K, H, W) for albedo 1, in units of 1 / (300 mm)^2."""
        images = []
        for k, position in enumerate(self.rig.positions):
            apart = position - self.points
            distance = np.linalg.norm(apart, axis=-1)
            towards = apart / distance[..., None]
            light = self.rig.intensities[k] * DISTANCE**2 / distance**2
            if self.rig.mu is not None:
                light = light * np.maximum(-towards @ self.rig.axes[k], 0) ** self.rig.mu[k]
            images.append(light * np.maximum((towards * self.normals).sum(-1), 0))
        return np.nan_to_num(np.stack(images))

    def images(self, albedo: float = 0.5, noise: float = 0.0, dtype: str = "float32") -> np.ndarray:
        """Samples; the brightest is 0.9 of white at albedo 1 before noise of ``noise``."""
        light = albedo * 0.9 * self.irradiance / self.irradiance.max()
        light = light + np.random.default_rng(5).normal(0, noise, light.shape) * (noise > 0)
        if dtype == "float32":
            return light.astype(np.float32)
        white = np.iinfo(dtype).max
        return np.rint(np.clip(light, 0, 1) * white).astype(dtype)


def lamps(count: int = 8, *, mu: float | None = None, nearest: float = 150, farthest: float = 400):
    """Lamps 150 to 400 mm from the point (0, 0, -300), at slants of 25 to 50 degrees, unequal."""
    turn = np.arange(count) * 2 * np.pi / count
    polar = np.radians(np.where(np.arange(count) % 2, 25.0, 50.0))
    aim = np.stack([np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], 1)
    distance = np.linspace(nearest, farthest, count)[(np.arange(count) * 3) % count]
    positions = aim * distance[:, None] - np.array([0, 0, DISTANCE])
    # Lamps that reach farther are stronger, as one would set them.
    intensities = (distance / DISTANCE) ** 2 * np.linspace(0.9, 1.1, count)
    axes = None if mu is None else -aim @ _lean().T
    exponents = None if mu is None else np.full(count, mu)
    return LightRig(aim, intensities, positions=positions, axes=axes, mu=exponents)


def as_distant(rig: LightRig) -> LightRig:
    """The best that distant lights can do: what a white target at (0, 0, -300) would measure."""
    towards = rig.positions - np.array([0, 0, -DISTANCE])
    distance = np.linalg.norm(towards, axis=1)
    directions = towards / distance[:, None]
    light = rig.intensities / distance**2
    if rig.mu is not None:
        light = light * (-(directions * rig.axes).sum(1)) ** rig.mu
    return LightRig(directions, light * rig.intensities.mean() / light.mean())


def camera(size: tuple[int, int] = (192, 144), distortion: float = 0.0) -> Camera:
    """0.25 mm per px at 300 mm, principal point off the middle."""
    focal = DISTANCE / MM_PER_PX
    matrix = np.array([[focal, 0, size[0] * 0.46], [0, focal, size[1] * 0.53], [0, 0, 1]])
    return Camera(matrix, np.array([distortion, *[0.0] * 11]), size)


def sight(size: tuple[int, int] = (192, 144), *, perspective: bool, plane: Plane | None = None):
    """View of the scenes: the plane at 300 mm facing the camera unless another is assumed."""
    plane = plane or Plane(DISTANCE)
    if perspective:
        return NearView(size, plane, camera(size))
    return NearView(size, plane, mm_per_px=MM_PER_PX)


def plane_scene(view: NearView, rig: LightRig, real: Plane | None = None) -> NearScene:
    """A flat part that lies in ``real``, which is the assumed plane unless given."""
    origins, rays = _lines(view)
    real = real or view.plane
    normal = np.asarray(real.normal)
    t = (-normal[2] * real.distance_mm - origins @ normal) / (rays @ normal)
    points = origins + t[..., None] * rays
    return NearScene(view, points, np.broadcast_to(normal, points.shape).copy(), rig)


def sphere_scene(view: NearView, rig: LightRig, radius: float = 25.0, cap: float = 35.0):
    """A ball whose cap (polar angle up to ``cap`` degrees) is seen; its mean depth is 300 mm."""
    height = radius * (2 / 3) * (1 - np.cos(np.radians(cap)) ** 3) / np.sin(np.radians(cap)) ** 2
    scene = _ball(view, rig, radius, cap, height)
    height += float(np.nanmean(scene.depth)) - DISTANCE
    return _ball(view, rig, radius, cap, height)


def _ball(view: NearView, rig: LightRig, radius: float, cap: float, height: float) -> NearScene:
    centre = np.array([0, 0, -DISTANCE - height])
    origins, rays = _lines(view)
    apart = origins - centre
    b = (apart * rays).sum(-1)
    root = b**2 - (apart**2).sum(-1) + radius**2
    with np.errstate(invalid="ignore"):
        points = origins + (-b - np.sqrt(root))[..., None] * rays
    normals = (points - centre) / radius
    outside = ~(normals[..., 2] > np.cos(np.radians(cap)))
    points[outside] = np.nan
    normals[outside] = np.nan
    return NearScene(view, points, normals, rig)


def _lines(view: NearView) -> tuple[np.ndarray, np.ndarray]:
    """Origins and unit rays (H, W, 3), house frame."""
    width, height = view.size
    x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    if view.camera is None:
        scale = view.mm_per_px
        across, up = scale * (x - (width - 1) / 2), scale * ((height - 1) / 2 - y)
        origins = np.stack([across, up, np.zeros_like(x)], -1)
        return origins, np.broadcast_to([0.0, 0.0, -1.0], origins.shape)
    K = view.camera.matrix
    rays = np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], -1) * FLIP
    return np.zeros_like(rays), rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def _lean() -> np.ndarray:
    """A turn by 8 degrees about x: lamps are not aimed well."""
    c, s = np.cos(np.radians(8)), np.sin(np.radians(8))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def errors(found: np.ndarray, scene: NearScene, inside: np.ndarray) -> np.ndarray:
    """Degrees between found and exact normals inside."""
    a, b = found[inside].astype(float), scene.normals[inside]
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))
