"""Two scripts that a user might have instead of mvps, run in a process of their own.

    python benchmarks/baselines.py lstsq|pinv png|tif normals|all WHITE RAW OUT

``lstsq`` is what most would write today; ``pinv`` is what somebody writes who has met NumPy before:
float32, one matrix product, OpenCV at its defaults. Both solve the folders of RAW in turn.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

PREVIEW_LIMIT = 1024
IMAGE_ENDINGS = {".png", ".bmp", ".tif"}


def solve_lstsq(images: list[np.ndarray], lights: np.ndarray, white: float):
    """Normals (H, W, 3) and albedo (H, W), float64."""
    stack = np.stack(images).astype(np.float64) / white
    K, height, width = stack.shape
    g = np.linalg.lstsq(lights, stack.reshape(K, -1), rcond=None)[0].T.reshape(height, width, 3)
    albedo = np.linalg.norm(g, axis=2)
    return g / (albedo[..., None] + 1e-12), albedo


def solve_pinv(images: list[np.ndarray], lights: np.ndarray, white: float):
    """Normals (H, W, 3) and albedo (H, W), float32."""
    stack = np.stack(images)
    K, height, width = stack.shape
    inverse = (np.linalg.pinv(lights) / white).astype(np.float32)
    g = inverse @ stack.reshape(K, -1).astype(np.float32)
    albedo = np.sqrt((g * g).sum(axis=0))
    g /= albedo + np.float32(1e-12)
    return g.T.reshape(height, width, 3), albedo.reshape(height, width)


def read_image(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:  # OpenCV's wheels cannot read a zstd TIFF
        import tifffile

        image = tifffile.imread(path)
    return image


def save_normals(normals: np.ndarray, path: Path) -> np.ndarray:
    """16-bit map in OpenCV's BGR order; returns it for the preview."""
    pixels = (normals * 32767.5 + 32768).astype(np.uint16)[..., ::-1]
    cv2.imwrite(str(path), pixels)
    return pixels


def save_rest(pixels: np.ndarray, albedo: np.ndarray, folder: Path, ending: str) -> None:
    """8-bit albedo and preview."""
    levels = np.clip(albedo * 255, 0, 255).astype(np.uint8)
    cv2.imwrite(str(folder / f"albedo.{ending}"), levels)
    height, width = albedo.shape
    scale = min(1.0, PREVIEW_LIMIT / max(height, width))
    size = (round(width * scale), round(height * scale))
    small = cv2.resize((pixels >> 8).astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(folder / "preview.png"), small)


def main(solver: str, ending: str, maps: str, white: str, raw: str, out: str) -> None:
    solve = {"lstsq": solve_lstsq, "pinv": solve_pinv}[solver]
    for stack in sorted(Path(raw).iterdir()):
        folder = Path(out) / stack.name
        folder.mkdir(parents=True)
        names = [name for name in stack.glob("L*") if name.suffix in IMAGE_ENDINGS]
        images = [read_image(name) for name in sorted(names)]
        lights = np.loadtxt(stack / "light_directions.txt")
        normals, albedo = solve(images, lights, float(white))
        pixels = save_normals(normals, folder / f"normals.{ending}")
        if maps == "all":
            save_rest(pixels, albedo, folder, ending)


if __name__ == "__main__":
    main(*sys.argv[1:])
