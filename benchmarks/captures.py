"""Captures for the benchmarks: one scene from a seed, photographed by a 12-bit camera.

    python benchmarks/captures.py scene FOLDER HEIGHT WIDTH    # samples of 8 lights, diffuse image
    python benchmarks/captures.py images CASE SCENE FOLDER     # one stack of image files from it

Lambertian shading with shot and read noise. A case of 8 bits holds the upper 8 of the 12; one of
12 bits holds them right-aligned in 16. OpenCV writes PNG and BMP with its defaults, tifffile writes
TIFF in strips of 64 rows.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LIGHTS = 8
STRIP_ROWS = 64
FULL_WELL = 15000.0  # electrons, of a 2.4 um pixel
READ_NOISE = 2.5  # electrons
EXPOSURE = 0.9  # of the full well, for a white pixel that faces a light
COMPRESSIONS = {"none": None, "deflate": "zlib", "zstd": "zstd"}


@dataclass(frozen=True)
class Case:
    """One kind of stack: ``png8-k4``, ``tiff12-zstd-k8``.

    Attributes
    ----------
    format : png, bmp or tiff
    bits : 8, or 12 in 16
    compression : of a TIFF, a key of ``COMPRESSIONS``; empty for others
    lights : 4 (every other one of the scene) or 8
    """

    format: str
    bits: int
    compression: str
    lights: int

    @property
    def name(self) -> str:
        kind = f"{self.format}{self.bits}"
        return "-".join(part for part in (kind, self.compression, f"k{self.lights}") if part)

    @property
    def options(self) -> tuple[str, ...]:
        """Words of ``mvps normals`` that say what the samples mean."""
        return ("--bits", "12", "--align", "right") if self.bits == 12 else ()

    @property
    def white(self) -> int:
        """Value of a full-scale sample."""
        return (1 << self.bits) - 1


def all_cases() -> list[Case]:
    kinds = [("png", 8, ""), ("png", 12, ""), ("bmp", 8, "")]
    kinds += [("tiff", bits, compression) for compression in COMPRESSIONS for bits in (8, 12)]
    return [Case(*kind, lights) for kind in kinds for lights in (4, 8)]


def link_stacks(base: Path, root: Path, count: int) -> None:
    """Folders ``s0001`` and so on of hard links to the files of one stack."""
    for index in range(1, count + 1):
        stack = root / f"s{index:04d}"
        stack.mkdir(parents=True)
        for file in base.iterdir():
            os.link(file, stack / file.name)


def make_scene(folder: Path, height: int, width: int, seed: int = 20) -> None:
    """Write ``samples.npy`` (8, H, W) and ``diffuse.npy`` (H, W, 3), uint16 of 12 bits."""
    import numpy as np

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    normals, albedo = surface(height, width, rng)
    shape = (LIGHTS, height, width)
    samples = np.lib.format.open_memmap(folder / "samples.npy", "w+", np.uint16, shape)
    for k, light in enumerate(light_directions(LIGHTS)):
        samples[k] = photograph(albedo * np.maximum(normals @ light, 0), rng)
    samples.flush()
    tint = (1.0, 0.93, 0.82)
    colours = [photograph(albedo * normals[..., 2] * c, rng) for c in tint]
    np.save(folder / "diffuse.npy", np.stack(colours, axis=2))


def surface(
    height: int, width: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Normals (H, W, 3) and albedo (H, W)."""
    import numpy as np

    normals = normals_of(relief(height, width, rng))
    return normals, np.clip(0.6 + 0.1 * texture(height, width, rng), 0.05, 0.95)


def light_directions(lights: int) -> NDArray[np.float32]:
    """(K, 3) unit vectors, 45 degrees above the part, evenly around it."""
    import numpy as np

    turn = 2 * np.pi * np.arange(lights) / lights
    ring = np.stack([np.cos(turn), np.sin(turn), np.ones(lights)], axis=1) / np.sqrt(2)
    return ring.astype(np.float32)


def relief(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Height in pixels: smooth hills, a fine grain, and turned grooves over the left half."""
    import cv2
    import numpy as np

    z = np.zeros((height, width), np.float32)
    for cell in (700, 170, 40, 10, 3):
        z += 0.03 * cell**0.92 * noise(height, width, cell, rng)
    y, x = np.ogrid[:height, :width]
    radius = np.hypot(x - width / 6, y - 1.1 * height).astype(np.float32)
    z += np.where(x < width / 2, 0.5 * np.abs(np.sin(radius * np.float32(np.pi / 23))), 0)
    return cv2.GaussianBlur(z, (0, 0), 0.7)  # the lens


def texture(height: int, width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Stains and grain of mean 0."""
    return sum(noise(height, width, cell, rng) / 2 for cell in (900, 120, 9, 2))


def noise(height: int, width: int, cell: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Gaussian noise whose features are about ``cell`` pixels wide."""
    import cv2
    import numpy as np

    grid = (int(height / cell) + 3, int(width / cell) + 3)
    coarse = rng.standard_normal(grid, np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def normals_of(z: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W, 3) unit normals of a height field: x right, y up, z to the camera."""
    import numpy as np

    down, right = np.gradient(z)
    normals = np.stack([-right, down, np.ones_like(z)], axis=2)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    return normals


def photograph(shading: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint16]:
    """12-bit samples of a scene, 1 being a white pixel that faces the light."""
    import numpy as np

    electrons = shading * np.float32(EXPOSURE * FULL_WELL)
    sigma = np.sqrt(electrons + np.float32(READ_NOISE**2))
    electrons += sigma * rng.standard_normal(electrons.shape, np.float32)
    return np.clip(electrons * (4095 / FULL_WELL) + 0.5, 0, 4095).astype(np.uint16)


def write_images(case: Case, scene: Path, folder: Path) -> None:
    """One stack: an image a light, the diffuse image, and the light directions."""
    import numpy as np

    folder.mkdir(parents=True)
    samples = np.load(scene / "samples.npy", mmap_mode="r")
    step = LIGHTS // case.lights
    for k in range(case.lights):
        write_image(case, folder / f"L{k + 1:02d}", samples[k * step])
    write_image(case, folder / "rgb", np.load(scene / "diffuse.npy"))
    np.savetxt(folder / "light_directions.txt", light_directions(LIGHTS)[::step], fmt="%.9f")


def write_image(case: Case, stem: Path, samples: NDArray[Any]) -> None:
    import numpy as np

    samples = (samples >> 4).astype(np.uint8) if case.bits == 8 else np.ascontiguousarray(samples)
    if case.format == "tiff":
        import tifffile

        compression = COMPRESSIONS[case.compression]
        tifffile.imwrite(
            stem.with_suffix(".tif"),
            samples,
            rowsperstrip=STRIP_ROWS,
            compression=compression,
            predictor=compression is not None,
            photometric="rgb" if samples.ndim == 3 else "minisblack",
        )
        return
    import cv2

    bgr = samples[..., ::-1] if samples.ndim == 3 else samples
    if not cv2.imwrite(str(stem.with_suffix(f".{case.format}")), bgr):
        raise SystemExit(f"OpenCV cannot write {stem}")


def main(words: list[str]) -> None:
    match words:
        case ["scene", folder, height, width]:
            make_scene(Path(folder), int(height), int(width))
        case ["images", name, scene, folder]:
            case = {case.name: case for case in all_cases()}[name]
            write_images(case, Path(scene), Path(folder))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
