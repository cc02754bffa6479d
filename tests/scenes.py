"""Small Lambertian scenes with known normals, and captures of them in each layout."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile


@dataclass(frozen=True)
class Scene:
    """Normals (H, W, 3), albedo (H, W) and directions (K, 3), all float64."""

    normals: np.ndarray
    albedo: np.ndarray
    directions: np.ndarray

    def shading(self) -> np.ndarray:
        """Noise-free images (K, H, W) as fractions of white."""
        return np.einsum("hwc,kc->khw", self.normals, self.directions) * self.albedo

    def images(self, dtype: Any = np.uint16, white: float | None = None) -> np.ndarray:
        """Rounded images (K, H, W)."""
        full = np.iinfo(dtype).max if white is None else white
        return np.rint(self.shading() * full).astype(dtype)


def ring(lights: int, slant: float = 40.0) -> np.ndarray:
    """Unit directions (K, 3) evenly round the optical axis, alternating between two slants."""
    azimuth = np.arange(lights) * 2 * np.pi / lights
    polar = np.radians(np.where(np.arange(lights) % 2, slant, slant - 12))
    return np.stack(
        [np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth), np.cos(polar)], axis=1
    )


def bumps(height: int, width: int, lights: int = 6, seed: int = 0) -> Scene:
    """Gentle hills (slopes below 20 degrees), so that no light casts a shadow."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 16.0
    p, q = 0.3 * np.sin(x + rng.uniform(0, 6)), 0.3 * np.cos(y * 1.3 + rng.uniform(0, 6))
    normals = np.stack([-p, -q, np.ones_like(p)], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    albedo = 0.7 + 0.2 * np.sin(x * 0.7) * np.cos(y * 0.5)
    return Scene(normals, albedo, ring(lights))


def write_directions(folder: Path, directions: np.ndarray) -> None:
    """``light_directions.txt`` as DiLiGenT has it."""
    np.savetxt(folder / "light_directions.txt", directions, fmt="%.9f")


def write_diligent(
    folder: Path, scene: Scene, *, dtype: Any = np.uint16, suffix: str = ".tif"
) -> np.ndarray:
    """A DiLiGenT folder of the scene; returns its images."""
    folder.mkdir(parents=True, exist_ok=True)
    images = scene.images(dtype)
    for k, image in enumerate(images, start=1):
        write_image(folder / f"{k:03d}{suffix}", image)
    write_directions(folder, scene.directions)
    return images


def write_many(raw: Path, count: int) -> None:
    """Folders of hard links to one large stack: a run that lasts seconds, written in one."""
    write_diligent(raw / "s0", bumps(1500, 1500, lights=4), suffix=".png")
    for number in range(1, count):
        (raw / f"s{number}").mkdir()
        for path in (raw / "s0").iterdir():
            (raw / f"s{number}" / path.name).hardlink_to(path)


def write_image(path: Path, image: np.ndarray, **tiff: Any) -> None:
    """An image in the format of the path's ending, RGB order."""
    if path.suffix in {".tif", ".tiff"}:
        photometric = "rgb" if image.ndim == 3 else "minisblack"
        tifffile.imwrite(path, image, **({"rowsperstrip": 16, "photometric": photometric} | tiff))
    elif path.suffix == ".npy":
        np.save(path, image)
    else:
        assert cv2.imwrite(str(path), image if image.ndim == 2 else image[..., ::-1])


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Angle between vectors along the last axis, in degrees."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    cross = np.linalg.norm(np.cross(a, b), axis=-1)
    return np.degrees(np.arctan2(cross, (a * b).sum(-1)))
