"""Balls seen by a perspective camera, computed from first principles: the truth of light tests.

Outline and mirror points are solved by means other than those under test: tangent rays by
rotation about the centre ray, mirror points by minimising the length of the light path (Fermat).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mvps.calib import Camera


def camera(
    size: tuple[int, int] = (1200, 900), focal: float = 2000.0, distortion: tuple[float, ...] = ()
) -> Camera:
    """Camera at the origin; ``distortion`` in OpenCV's order."""
    width, height = size
    matrix = [[focal, 0, (width - 1) / 2 + 7.3], [0, focal, (height - 1) / 2 - 4.1], [0, 0, 1]]
    coefficients = np.zeros(12)
    coefficients[: len(distortion)] = distortion
    return Camera(np.array(matrix), coefficients, size)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def tangent_rays(centre: np.ndarray, radius: float, count: int) -> np.ndarray:
    """(count, 3) unit rays from the camera that touch a ball."""
    axis = unit(centre)
    one = unit(np.cross(axis, [0.3, 1.0, 0.2]))
    two = np.cross(axis, one)
    sine = radius / np.linalg.norm(centre)
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)[:, None]
    return np.sqrt(1 - sine**2) * axis + sine * (np.cos(turn) * one + np.sin(turn) * two)


def mirror_point(centre: np.ndarray, radius: float, light: np.ndarray) -> np.ndarray:
    """(3,) point of a ball at which the camera at the origin sees a lamp."""
    to_camera, to_light = unit(-centre), unit(light - centre)
    span = np.arccos(np.clip(to_camera @ to_light, -1, 1))
    side = unit(to_light - (to_light @ to_camera) * to_camera) if span > 1e-12 else to_camera * 0

    def at(angle: float) -> np.ndarray:
        return centre + radius * (np.cos(angle) * to_camera + np.sin(angle) * side)

    def slope(angle: float) -> float:
        """Derivative of |P| + |light - P| by the angle, which Fermat's principle makes zero."""
        point = at(angle)
        move = radius * (-np.sin(angle) * to_camera + np.cos(angle) * side)
        return float(move @ (unit(point) - unit(light - point)))

    low, high = 0.0, span
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return at((low + high) / 2)


def pixels(view: Camera, points: np.ndarray) -> np.ndarray:
    """Raw px of points (..., 3) in the camera frame, by OpenCV."""
    import cv2

    flat = np.ascontiguousarray(points.reshape(-1, 1, 3), dtype=np.float64)
    found, _ = cv2.projectPoints(flat, np.zeros(3), np.zeros(3), view.matrix, view.distortion)
    return found.reshape(*points.shape[:-1], 2)


def coverage(view: Camera, centre: np.ndarray, radius: float, oversample: int = 8) -> np.ndarray:
    """(H, W) share of each pixel that a ball covers; the camera must have no distortion."""
    width, height = view.image_size
    x, y = pixel_grid(view)
    share = (_clearance(view, x, y, centre, radius) > 0).astype(np.float64)
    ring = np.zeros((height, width), dtype=bool)
    outline = np.rint(pixels(view, tangent_rays(centre, radius, 20000))).astype(int)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            ring[outline[:, 1] + dy, outline[:, 0] + dx] = True
    rows, columns = np.nonzero(ring)
    steps = (np.arange(oversample) + 0.5) / oversample - 0.5
    fine_x = columns[:, None, None] + steps[None, None, :] + 0 * steps[None, :, None]
    fine_y = rows[:, None, None] + steps[None, :, None] + 0 * steps[None, None, :]
    inside = _clearance(view, fine_x, fine_y, centre, radius) > 0
    share[rows, columns] = inside.mean(axis=(1, 2))
    return share


def normals(view: Camera, centre: np.ndarray, radius: float) -> np.ndarray:
    """(H, W, 3) normals of a ball in the camera frame, NaN off it."""
    x, y = pixel_grid(view)
    rays = _rays(view, x, y)
    along = rays @ centre
    inside = radius**2 - (centre @ centre - along**2)
    depth = along - np.sqrt(np.where(inside > 0, inside, np.nan))
    return (depth[..., None] * rays - centre) / radius


def pixel_grid(view: Camera) -> tuple[np.ndarray, np.ndarray]:
    width, height = view.image_size
    x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    return x, y


def mirror_images(
    view: Camera,
    balls: list[tuple[np.ndarray, float]],
    lights: np.ndarray,
    *,
    sigma: float = 3.0,
    peak: float = 2.5,
) -> list[np.ndarray]:
    """Images (H, W) of dark mirror balls before a grey wall, the last of them without a lamp.

    The lamp's reflection is a Gaussian blob of ``sigma`` px; a ``peak`` above 1 saturates.
    """
    scene = np.full(view.image_size[::-1], 0.35)
    for centre, radius in balls:
        share = coverage(view, centre, radius)
        scene = scene * (1 - share) + 0.04 * share
    x, y = pixel_grid(view)
    images = []
    for light in lights:
        image = scene.copy()
        for centre, radius in balls:
            u, v = pixels(view, mirror_point(centre, radius, light))
            image += peak * np.exp(-0.5 * ((x - u) ** 2 + (y - v) ** 2) / sigma**2)
        images.append(np.clip(image, 0, 1))
    return [*images, scene]


def matt_images(
    view: Camera, balls: list[tuple[np.ndarray, float]], lamps: np.ndarray, strength: np.ndarray
) -> list[np.ndarray]:
    """Images (H, W, 3) of white matt balls on black under distant lamps (K, 3), the last lit all
    over; ``strength`` (K, 3) is the brightness of what faces the lamp.
    """
    shares = [coverage(view, *ball) for ball in balls]
    facing = [np.nan_to_num(normals(view, *ball)) for ball in balls]
    images = []
    for lamp, colour in zip(lamps, strength, strict=True):
        shade = sum(s * np.maximum(0, n @ lamp) for s, n in zip(shares, facing, strict=True))
        images.append(np.clip(shade[..., None] * colour, 0, 1))
    return [*images, np.repeat(0.7 * sum(shares)[..., None], 3, axis=2)]


def write_images(folder: Path, images: list[np.ndarray]) -> Path:
    """Save 16-bit PNGs 1.png, 2.png, ... and, of the last, ref.png."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    names = [*(str(k + 1) for k in range(len(images) - 1)), "ref"]
    for name, image in zip(names, images, strict=True):
        samples = np.rint(image * 65535).astype(np.uint16)
        cv2.imwrite(str(folder / f"{name}.png"), samples[..., ::-1] if image.ndim == 3 else samples)
    return folder


def _rays(view: Camera, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    K = view.matrix
    flat = [(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)]
    return unit(np.stack(flat, axis=-1))


def _clearance(
    view: Camera, x: np.ndarray, y: np.ndarray, centre: np.ndarray, radius: float
) -> np.ndarray:
    """Positive where a pixel's ray meets the ball."""
    along = _rays(view, x, y) @ centre
    return radius**2 - (centre @ centre - along**2)
