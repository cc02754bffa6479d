"""Rendered captures with exact normals: relief with gloss, attached and cast shadows and noise.

Lambert plus a microfacet lobe (GGX with Smith's masking and Schlick's Fresnel term, as in Walter et
al. 2007), seen from straight above; cast shadows by marching the height field.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

EXPOSURE = 0.75  # of full scale: the brightest diffuse sample
READ_NOISE = 0.001  # of full scale
SHOT_NOISE = 0.004  # at full scale; falls with the root of the signal
AMBIENT = 0.003  # of the diffuse light: what the surroundings send back
VISIBLE_GLOSS = 0.05  # of the diffuse light: from here on a sample counts as a highlight


@dataclass(frozen=True)
class Look:
    """What is photographed, and how.

    Attributes
    ----------
    shape : "sphere", "bumps" or "part" (steps, a bore and a boss)
    lights : K
    slant : largest angle of a light from the optical axis, degrees; the smallest is half of it
    gloss : reflectance at normal incidence of the lobe, 0 for none (plastic about 0.04)
    roughness : GGX alpha
    bits : of a sample: 8, 12 or 16
    light_error : degrees by which every stated direction is off, in a random way each
    size : edge of the image in px
    noise : times the usual noise of the sensor
    """

    shape: str = "bumps"
    lights: int = 12
    slant: float = 50.0
    gloss: float = 0.04
    roughness: float = 0.25
    bits: int = 12
    light_error: float = 0.0
    size: int = 64
    seed: int = 0
    noise: float = 1.0


@dataclass(frozen=True)
class Rendered:
    """A capture (K, H, W) with its stated lights (K, 3) and its truth (H, W, 3) within a mask.

    ``highlights`` and ``shadows`` are shares of the samples inside the mask.
    """

    images: np.ndarray
    white: float
    directions: np.ndarray
    normals: np.ndarray
    mask: np.ndarray
    highlights: float
    shadows: float


def render(look: Look) -> Rendered:
    """The capture of a look; equal looks give equal captures."""
    rng = np.random.default_rng([look.seed, look.lights, look.size])
    height, mask = _relief(look, rng)
    normals = _normals(height)
    directions = ring(look.lights, look.slant, rng)
    albedo = 0.55 + 0.3 * _smooth(look.size, rng, 6)
    cosine = np.einsum("hwi,ki->khw", normals, directions)
    lit = (cosine > 0) & ~np.stack([_in_shadow(height, d) for d in directions])
    diffuse = np.where(lit, np.maximum(cosine, 0) * albedo, 0)
    glossy = np.where(lit, _lobe(normals, directions, look) * np.maximum(cosine, 0), 0)
    light = (diffuse + glossy + AMBIENT * albedo) * (EXPOSURE / diffuse[:, mask].max())
    light = light + look.noise * rng.normal(size=light.shape) * np.sqrt(
        READ_NOISE**2 + SHOT_NOISE**2 * np.clip(light, 0, 1)
    )
    white = float(2**look.bits - 1)
    images = np.rint(np.clip(light, 0, 1) * white)
    return Rendered(
        images=images.astype(np.uint8 if look.bits == 8 else np.uint16),
        white=white,
        directions=tilted(directions, look.light_error, rng),
        normals=normals,
        mask=mask,
        highlights=float((glossy > VISIBLE_GLOSS * albedo)[:, mask].mean()),
        shadows=float((~lit)[:, mask].mean()),
    )


def ring(lights: int, slant: float, rng: np.random.Generator) -> np.ndarray:
    """Unit directions (K, 3) spread over a cap from half of ``slant`` degrees up to ``slant``."""
    turn = np.arange(lights) * 2.399963 + rng.uniform(0, 2 * np.pi)  # the golden angle
    if lights < 6:
        turn = np.arange(lights) * 2 * np.pi / lights + rng.uniform(0, 2 * np.pi)
    polar = np.radians(np.linspace(0.5 if lights > 5 else 0.9, 1.0, lights) * slant)
    return np.stack(
        [np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn), np.cos(polar)], axis=1
    )


def tilted(directions: np.ndarray, degrees: float, rng: np.random.Generator) -> np.ndarray:
    """Every direction turned by an angle about a random axis across it."""
    across = np.cross(directions, rng.normal(size=directions.shape))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    angle = np.radians(degrees)
    return np.cos(angle) * directions + np.sin(angle) * across


def without_gloss(look: Look) -> Look:
    """The same look of a matt surface."""
    return replace(look, gloss=0.0)


def _relief(look: Look, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Height in px, and where the truth counts."""
    size = look.size
    y, x = (np.mgrid[:size, :size] - (size - 1) / 2) / (size / 2)  # -1 to 1
    everywhere = np.ones((size, size), bool)
    r2 = x**2 + y**2
    if look.shape == "sphere":
        return size / 2 * np.sqrt(np.maximum(0.9025 - r2, 0.001)), r2 < 0.87
    if look.shape == "bumps":
        return 0.12 * size * _smooth(size, rng, 9), everywhere
    step = 1 / (1 + np.exp(-24 * (x + 0.4 * y - 0.35)))
    boss = 1 / (1 + np.exp(30 * (np.hypot(x + 0.4, y + 0.3) - 0.28)))
    bore = 1 / (1 + np.exp(30 * (np.hypot(x + 0.2, y - 0.5) - 0.2)))
    waves = _smooth(size, rng, 5)
    height = size * (0.10 * step + 0.10 * boss - 0.09 * bore + 0.04 * waves)
    return height, everywhere


def _smooth(size: int, rng: np.random.Generator, waves: int) -> np.ndarray:
    """A random sum of waves between 0 and 1."""
    y, x = np.mgrid[:size, :size] / size
    total = np.zeros((size, size))
    for _ in range(waves):
        kx, ky = rng.uniform(-3.5, 3.5, 2)
        total += np.cos(2 * np.pi * (kx * x + ky * y) + rng.uniform(0, 2 * np.pi))
    return (total - total.min()) / np.ptp(total)


def _normals(height: np.ndarray) -> np.ndarray:
    """Unit normals, x right, y up, z to the camera, from heights in px on rows that run down."""
    down, right = np.gradient(height)
    normals = np.stack([-right, down, np.ones_like(height)], axis=-1)
    return normals / np.linalg.norm(normals, axis=-1, keepdims=True)


def _in_shadow(height: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Where the way to the light is barred by the relief; half a pixel of clearance is granted."""
    import cv2

    flat = np.hypot(direction[0], direction[1])
    y, x = np.mgrid[: len(height), : len(height)].astype(np.float32)
    right, down, rise = direction[0] / flat, -direction[1] / flat, direction[2] / flat
    surface, barred = height.astype(np.float32), np.zeros(height.shape, bool)
    for step in np.arange(1.5, min(len(height), np.ptp(height) / rise + 2)):
        x_map, y_map = (x + step * right).astype(np.float32), (y + step * down).astype(np.float32)
        above = cv2.remap(surface, x_map, y_map, cv2.INTER_LINEAR, borderValue=-1e9)
        barred |= above > surface + step * rise + 0.5
    return barred


def _lobe(normals: np.ndarray, directions: np.ndarray, look: Look) -> np.ndarray:
    """The microfacet lobe (K, H, W) times pi, so that it adds to albedo as it stands."""
    half = directions + np.array([0.0, 0.0, 1.0])
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    nh, nl = (np.einsum("hwi,ki->khw", normals, d).clip(1e-4) for d in (half, directions))
    nv = normals[None, :, :, 2].clip(1e-4)
    vh = half[:, 2, None, None]
    a2 = look.roughness**2
    spread = a2 / (nh**2 * (a2 - 1) + 1) ** 2
    fresnel = look.gloss + (look.gloss > 0) * (1 - look.gloss) * (1 - vh) ** 5

    def smith(cosine: np.ndarray) -> np.ndarray:
        return 2 * cosine / (cosine + np.sqrt(a2 + (1 - a2) * cosine**2))

    return spread * fresnel * smith(nl) * smith(nv) / (4 * nl * nv)
