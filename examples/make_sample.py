"""Render the sample capture: one machined part, seen from five sides, eight lamps a view.

A ray-traced height field and sphere with Lambertian materials, cast shadows and sensor noise;
everything follows from SEED. Needs NumPy, OpenCV and tifffile.

    python examples/make_sample.py [OUT]          default: examples/sample_capture
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import tifffile

SEED = 20
SAMPLE = "part_01"
WIDTH, HEIGHT = 288, 224  # pixels of a view
PIXEL = 0.19  # mm
SUPERSAMPLING = 2  # rays along each side of a pixel

# The world is in millimetres: x right, y back, z up; the top face of the plate is z = 0.
GRID = 0.08  # mm between height samples
HALF_X, HALF_Y = 30.0, 24.0  # half extent of the height field
TABLE, CEILING = -3.0, 2.3  # lowest and highest point of the height field
BALL, BALL_RADIUS = np.array([-13.0, 5.0, 2.2]), 6.0
COIN, COIN_RADIUS = (12.5, 4.5), 8.5

TILT = 40.0  # degrees from plumb to the axis of a side camera
LEAN = 17.0  # degrees by which a side camera's lamp ring leans towards plumb
SLANTS = (34.0, 50.0)  # degrees between a lamp and the axis of its ring, alternating
LAMP_RADIUS = 0.02  # rad: half the angle over which a cast shadow fades
VIEWS = {"top": None, "left": (-1, 0), "right": (1, 0), "front": (0, -1), "back": (0, 1)}

EXPOSURE = 1.4  # sensor signal of a white surface that faces the lamp; 1 saturates
FULL_WELL, READ_NOISE, ADC_MAX = 10_500, 6.0, 4095  # electrons, electrons, 12 bits
GLOSS, SHININESS = 0.3, 70  # Blinn-Phong lobe of the ball; everything else is Lambertian

ANODISED, BRASS, INK = (0.38, 0.42, 0.47), (0.60, 0.42, 0.18), (0.06, 0.08, 0.16)
CERAMIC, BAND, VELVET = (0.66, 0.62, 0.54), (0.50, 0.16, 0.11), (0.015, 0.015, 0.018)
GREY = np.array([0.2989, 0.5870, 0.1140])

GLYPHS = {  # strokes in a box one unit wide and high
    "M": [[(0, 0), (0, 1), (0.5, 0.35), (1, 1), (1, 0)]],
    "V": [[(0, 1), (0.5, 0), (1, 1)]],
    "P": [[(0, 0), (0, 1), (0.7, 1), (1, 0.75), (0.7, 0.48), (0, 0.48)]],
    "S": [[(1, 0.9), (0.7, 1), (0.2, 1), (0, 0.75), (1, 0.3), (0.75, 0), (0.28, 0), (0, 0.12)]],
    "0": [[(0.5, 0), (0.1, 0.2), (0.1, 0.8), (0.5, 1), (0.9, 0.8), (0.9, 0.2), (0.5, 0)]],
    "1": [[(0.2, 0.8), (0.5, 1), (0.5, 0)]],
}


@dataclass(frozen=True)
class Surface:
    """The height field: height (H,W) in mm, its slopes along x and y, and RGB albedo (H,W,3)."""

    height: np.ndarray
    slope_x: np.ndarray
    slope_y: np.ndarray
    albedo: np.ndarray


def ramp(distance: np.ndarray, width: float) -> np.ndarray:
    """From a signed distance in mm, negative inside: 1 inside, 0 outside, a smooth flank."""
    t = np.clip(0.5 - distance / width, 0, 1)
    return t * t * (3 - 2 * t)


def to_strokes(x: np.ndarray, y: np.ndarray, strokes: list) -> np.ndarray:
    """Unsigned distance to the nearest of some polylines."""
    nearest = np.full(x.shape, np.inf)
    for line in strokes:
        for (ax, ay), (bx, by) in pairwise(line):
            dx, dy = bx - ax, by - ay
            t = np.clip(((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy), 0, 1)
            nearest = np.minimum(nearest, np.hypot(x - ax - t * dx, y - ay - t * dy))
    return nearest


def to_box(x: np.ndarray, y: np.ndarray, half_x: float, half_y: float, radius: float) -> np.ndarray:
    qx, qy = np.abs(x) - half_x + radius, np.abs(y) - half_y + radius
    outside = np.hypot(np.maximum(qx, 0), np.maximum(qy, 0))
    return outside + np.minimum(np.maximum(qx, qy), 0) - radius


def to_star(x: np.ndarray, y: np.ndarray, outer: float, inner: float) -> np.ndarray:
    angle = np.pi / 2 + np.arange(11) * np.pi / 5
    radius = np.where(np.arange(11) % 2, inner, outer)
    corners = list(zip(radius * np.cos(angle), radius * np.sin(angle), strict=True))
    inside = np.zeros(x.shape, bool)
    for (ax, ay), (bx, by) in pairwise(corners):
        if ay != by:
            inside ^= ((ay > y) != (by > y)) & (x < ax + (y - ay) * (bx - ax) / (by - ay))
    return to_strokes(x, y, [corners]) * np.where(inside, -1, 1)


def place(text: str, x: float, y: float, size: float) -> list:
    """Strokes of a line of text whose lower left corner is at (x, y)."""
    strokes = []
    for i, letter in enumerate(text):
        for line in GLYPHS.get(letter, []):
            strokes.append([(x + size * (i + 0.66 * u), y + size * v) for u, v in line])
    return strokes


def smooth_noise(rng: np.random.Generator, shape: tuple, sigma_x: float, sigma_y: float):
    """Gaussian noise of unit deviation, blurred by the given widths in mm."""
    noise = rng.standard_normal(shape)
    noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=sigma_x / GRID, sigmaY=sigma_y / GRID)
    return noise / noise.std()


def plate_height(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A plate with a slot, four countersunk holes, a dent, a seat for the ball, a brushed patch."""
    z = 0.045 * smooth_noise(rng, x.shape, 4, 4) + 0.003 * smooth_noise(rng, x.shape, 0.35, 0.35)
    patch = ramp(to_box(x + 13, y + 10, 7.5, 4.5, 1), 0.4)
    z += patch * (0.02 * smooth_noise(rng, x.shape, 4, 0.16) - 0.12)
    z -= 0.55 * np.exp(-((x - 1.5) ** 2 + (y + 3.6) ** 2) / (2 * 1.3**2))
    z -= 0.9 * ramp(to_strokes(x, y, [[(-0.5, 4), (-0.5, 13)]]) - 1.5, 0.7)
    z -= np.clip(6.3 - np.hypot(x - BALL[0], y - BALL[1]), 0, 0.8)
    hole = np.hypot(np.abs(x) - 22.5, np.abs(y) - 16.5)
    z -= np.clip(1.9 - hole, 0, 0.8) + 1.6 * ramp(hole - 0.95, 0.3)
    return z - scratch_depth(x, y, rng)


def scratch_depth(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Curved grooves, each with a burr thrown up on both sides."""
    depth = np.zeros(x.shape)
    for _ in range(11):
        start, turn = rng.uniform((-18, -16), (20, 16)), rng.uniform(0, 2 * np.pi)
        bend, length = rng.uniform(-0.5, 0.5), rng.uniform(4, 13)
        angle = turn + bend * np.linspace(0, 1, 7)
        line = start + np.cumsum(np.stack([np.cos(angle), np.sin(angle)], 1), 0) * length / 7
        d = to_strokes(x, y, [line.tolist()]) / 0.13
        depth += rng.uniform(0.02, 0.05) * (1 - 0.6 * d * d) * np.exp(-d * d / 2)
    return depth


def coin_height(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A struck coin: raised rim, beads, a faceted star and four letters on an arc."""
    x, y = x - COIN[0], y - COIN[1]
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    z = 0.35 * ramp(np.abs(radius - COIN_RADIUS + 0.75) - 0.5, 0.45)
    pitch = 2 * np.pi / 48
    offset = (angle + pitch / 2) % pitch - pitch / 2
    z += 0.16 * ramp(np.hypot(radius - 6.75, radius * offset) - 0.22, 0.4)
    z += np.clip(-0.55 * to_star(x, y, 3.9, 1.55), 0, 0.8)
    for i, letter in enumerate("MVPS"):
        turn = np.radians(39 - 26 * i)
        u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
        z += 0.28 * ramp(to_strokes(u, v, place(letter, -0.55, 4.15, 1.7)) - 0.16, 0.34)
    for turn in np.radians(np.arange(215, 326, 18.333)):
        d = np.hypot(x - 5.1 * np.cos(turn), y - 5.1 * np.sin(turn))
        z += 0.3 * np.sqrt(np.clip(1 - (d / 0.62) ** 2, 0, 1))
    return 1.0 + z


def paint(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """RGB albedo: anodised plate with a printed legend, brass coin, dark velvet around."""
    legend = to_strokes(x, y, place("MVPS 01", 2.0, -13.2, 2.6)) - 0.2
    ticks = [[(2 + i, -15.5), (2 + i, -15 + 0.6 * (i % 5 == 0))] for i in range(18)]
    cross = [[(-24, 0), (-21, 0)], [(-22.5, -1.5), (-22.5, 1.5)]]
    marks = np.minimum(to_strokes(x, y, [*ticks, *cross]) - 0.09, legend)
    ring = np.abs(np.hypot(x + 22.5, y) - 1.0) - 0.09
    ink = ramp(np.minimum(marks, ring), 0.16)[..., None]
    plate = np.array(ANODISED) * (1 - ink) + np.array(INK) * ink
    coin = ramp(np.hypot(x - COIN[0], y - COIN[1]) - COIN_RADIUS - 0.05, 0.1)[..., None]
    part = plate * (1 - coin) + np.array(BRASS) * coin
    mottle = 0.04 * smooth_noise(rng, x.shape, 1.8, 1.8)
    mottle += 0.02 * smooth_noise(rng, x.shape, 0.1, 0.1)
    velvet = ramp(to_box(x, y, 26, 20, 2.5) - 0.2, 0.1)[..., None]
    return part * velvet * (1 + mottle[..., None]) + np.array(VELVET) * (1 - velvet)


def make_surface(rng: np.random.Generator) -> Surface:
    axis_x, axis_y = np.arange(-HALF_X, HALF_X, GRID), np.arange(-HALF_Y, HALF_Y, GRID)
    x, y = np.meshgrid(axis_x, axis_y)
    coin = ramp(np.hypot(x - COIN[0], y - COIN[1]) - COIN_RADIUS, 0.3)
    z = plate_height(x, y, rng) * (1 - coin) + coin_height(x, y) * coin
    edge = to_box(x, y, 26, 20, 2.5)
    z = z - np.clip(edge + 0.8, 0, 0.8)
    z = TABLE + (z - TABLE) * ramp(edge - 0.15, 0.3)
    z = cv2.GaussianBlur(z, (0, 0), 0.9)
    slope_y, slope_x = np.gradient(z, GRID)
    return Surface(z, slope_x, slope_y, paint(x, y, rng))


def sample(grid: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear interpolation of a grid at world positions."""
    rows, columns = grid.shape[:2]
    u = np.clip((x + HALF_X) / GRID, 0, columns - 1.001)
    v = np.clip((y + HALF_Y) / GRID, 0, rows - 1.001)
    i, j = u.astype(np.int32), v.astype(np.int32)
    u, v = u - i, v - j
    if grid.ndim == 3:
        u, v = u[:, None], v[:, None]
    flat, at = grid.reshape(rows * columns, *grid.shape[2:]), j * columns + i
    near = flat[at] + u * (flat[at + 1] - flat[at])
    far = flat[at + columns] + u * (flat[at + columns + 1] - flat[at + columns])
    return near + v * (far - near)


def camera_axes(view: str) -> np.ndarray:
    """Rows: the camera's x (right), y (up) and z (towards the camera) in the world."""
    if VIEWS[view] is None:
        return np.eye(3)
    side, tilt = np.array(VIEWS[view], float), np.radians(TILT)
    z = np.append(np.sin(tilt) * side, np.cos(tilt))
    y = np.append(-np.cos(tilt) * side, np.sin(tilt))
    return np.stack([np.cross(y, z), y, z])


def pixel_rays(axes: np.ndarray) -> np.ndarray:
    """Origins of the parallel rays of an orthographic camera, row by row (N,3)."""
    rows, columns = HEIGHT * SUPERSAMPLING, WIDTH * SUPERSAMPLING
    u = (np.arange(columns) + 0.5 - columns / 2) * PIXEL / SUPERSAMPLING
    v = (rows / 2 - np.arange(rows) - 0.5) * PIXEL / SUPERSAMPLING
    v = v + TABLE / 2 * axes[1, 2]  # the camera looks at the middle of the plate's thickness
    u, v = (a.ravel()[:, None] for a in np.meshgrid(u, v))
    return u * axes[0] + v * axes[1]


def hit_surface(surface: Surface, origin: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Last point above the height field along rays that come down from the camera (N,3)."""

    def at(z):
        return origin + ((z - origin[:, 2]) / towards[2])[:, None] * towards

    above, below = np.full(len(origin), CEILING), np.full(len(origin), TABLE)
    flying = np.arange(len(origin))
    for z in np.arange(CEILING, TABLE, -0.06):
        p = at(np.full(len(origin), z))[flying]
        landed = sample(surface.height, p[:, 0], p[:, 1]) > z
        below[flying[landed]] = z
        flying = flying[~landed]
        above[flying] = z
    for _ in range(8):
        middle = (above + below) / 2
        p = at(middle)
        free = sample(surface.height, p[:, 0], p[:, 1]) < middle
        above, below = np.where(free, middle, above), np.where(free, below, middle)
    p = at((above + below) / 2)
    p[:, 2] = sample(surface.height, p[:, 0], p[:, 1])
    return p


def hit_ball(origin: np.ndarray, towards: np.ndarray) -> np.ndarray:
    """Points on the ball that face the camera, NaN where a ray misses (N,3)."""
    offset = origin - BALL
    along = offset @ towards
    square = along**2 - (offset**2).sum(1) + BALL_RADIUS**2
    depth = np.sqrt(np.where(square > 0, square, np.nan)) - along
    return origin + depth[:, None] * towards


def lit(surface: Surface, p: np.ndarray, on_ball: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Share of the lamp that each point sees past the height field and the ball (N,)."""
    clearance = np.full(len(p), 1.0)
    reach = np.maximum((CEILING - p[:, 2]) / light[2], 0.1)
    for step in (np.arange(40) / 39) ** 1.5:
        t = 0.1 + (reach - 0.1) * step
        height = sample(surface.height, p[:, 0] + t * light[0], p[:, 1] + t * light[1])
        clearance = np.minimum(clearance, (p[:, 2] + t * light[2] - height) / t)
    offset = BALL - p
    along = offset @ light
    miss = np.sqrt((offset**2).sum(1) - along**2) - BALL_RADIUS
    past_ball = np.where(on_ball | (along <= 0), 1.0, miss / np.maximum(along, 1e-6))
    return 1 - ramp(np.minimum(clearance, past_ball), 2 * LAMP_RADIUS)


def lamp_directions(view: str) -> np.ndarray:
    """Unit vectors to the eight lamps in the camera frame (8,3)."""
    azimuth = np.radians(22.5 + 45 * np.arange(8))
    slant = np.radians(np.resize(SLANTS, 8))
    x, y = np.sin(slant) * np.cos(azimuth), np.sin(slant) * np.sin(azimuth)
    lean = 0.0 if VIEWS[view] is None else np.radians(LEAN)
    z = np.cos(slant)
    return np.stack(
        [x, y * np.cos(lean) + z * np.sin(lean), z * np.cos(lean) - y * np.sin(lean)], 1
    )


def pixel_mean(values: np.ndarray) -> np.ndarray:
    """Average the rays of each pixel: (N,...) to (HEIGHT,WIDTH,...)."""
    s = SUPERSAMPLING
    return values.reshape(HEIGHT, s, WIDTH, s, *values.shape[1:]).mean((1, 3))


def ball_albedo(normal: np.ndarray) -> np.ndarray:
    band = ramp(np.abs(normal @ np.array([0.36, -0.48, 0.8]) - 0.25) - 0.13, 0.03)[:, None]
    return np.array(CERAMIC) * (1 - band) + np.array(BAND) * band


def render(surface: Surface, view: str):
    """Linear RGB radiance (8,H,W,3), true normals (H,W,3) in the camera frame, mask (H,W)."""
    axes = camera_axes(view)
    origin, towards = pixel_rays(axes), axes[2]
    p, ball = hit_surface(surface, origin, towards), hit_ball(origin, towards)
    on_ball = (ball - p) @ towards > 0
    slopes = [sample(g, p[:, 0], p[:, 1]) for g in (surface.slope_x, surface.slope_y)]
    normal = np.stack([-slopes[0], -slopes[1], np.ones(len(p))], 1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    albedo = sample(surface.albedo, p[:, 0], p[:, 1])
    p[on_ball] = ball[on_ball]
    normal[on_ball] = (ball[on_ball] - BALL) / BALL_RADIUS
    albedo[on_ball] = ball_albedo(normal[on_ball])
    photographs = []
    for light in lamp_directions(view) @ axes:
        half = (light + towards) / np.linalg.norm(light + towards)
        shade = np.maximum(normal @ light, 0)
        lobe = on_ball * (shade > 0) * GLOSS * np.maximum(normal @ half, 0) ** SHININESS
        radiance = albedo * shade[:, None] + lobe[:, None]
        photographs.append(pixel_mean(radiance * lit(surface, p, on_ball, light)[:, None]))
    mean = pixel_mean(normal @ axes.T)
    mask = pixel_mean((p[:, 2] > TABLE + 0.05).astype(float)) == 1
    truth = mean / np.linalg.norm(mean, axis=2, keepdims=True) * mask[..., None]
    return np.stack(photographs), truth, mask


def expose(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shot noise, read noise and a 12-bit converter, spread over the full range of 16 bits."""
    electrons = rng.poisson(EXPOSURE * FULL_WELL * signal)
    electrons = electrons + rng.normal(0, READ_NOISE, signal.shape)
    counts = np.clip(np.rint(electrons * ADC_MAX / FULL_WELL), 0, ADC_MAX)
    return np.rint(counts * 65535 / ADC_MAX).astype(np.uint16)


def write_png(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = [cv2.IMWRITE_PNG_COMPRESSION, 9]
    path.write_bytes(cv2.imencode(".png", image, options)[1].tobytes())


def write_view(out: Path, surface: Surface, view: str, rng: np.random.Generator) -> None:
    photographs, truth, mask = render(surface, view)
    for k, picture in enumerate(photographs, 1):
        write_png(out / SAMPLE / view / f"L{k:02d}.png", expose(picture @ GREY, rng))
    diffuse = np.stack([expose(photographs.mean(0)[..., c], rng) for c in (2, 1, 0)], 2)
    rgb = np.rint(255 * (diffuse / 65535) ** (1 / 2.2)).astype(np.uint8)
    write_png(out / SAMPLE / view / "rgb.png", rgb)
    write_png(out / "masks" / f"{view}.png", mask.astype(np.uint8) * 255)
    write_lights(out / "lights" / f"{view}.lp", lamp_directions(view))
    write_truth(out / "truth" / SAMPLE / view / "normals.tif", truth, mask)


def write_lights(path: Path, directions: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"L{k:02d}.png {x:.8f} {y:.8f} {z:.8f}" for k, (x, y, z) in enumerate(directions, 1)]
    path.write_text("\n".join([str(len(rows)), *rows]) + "\n", newline="\n")


def write_truth(path: Path, normals: np.ndarray, mask: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    code = np.rint((normals + 1) / 2 * 65535) * mask[..., None]
    packing = {"compression": "deflate", "compressionargs": {"level": 9}, "predictor": True}
    tifffile.imwrite(path, code.astype(np.uint16), photometric="rgb", metadata=None, **packing)


def write_rig(out: Path) -> None:
    lines = ["version: 1", "units: mm", "views:"]
    for view in VIEWS:
        lines += [
            f"  {view}:",
            f'    images: "{{sample}}/{view}/L{{light:02d}}.png"',
            f'    rgb: "{{sample}}/{view}/rgb.png"',
            f"    lights: lights/{view}.lp",
            f"    mask: masks/{view}.png",
        ]
    (out / "rig.yml").write_text("\n".join([*lines, 'samples: "part_*"']) + "\n", newline="\n")


def main() -> None:
    default = Path(__file__).resolve().parent / "sample_capture"
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    out.mkdir(parents=True, exist_ok=True)
    surface = make_surface(np.random.default_rng(SEED))
    for number, view in enumerate(VIEWS):
        write_view(out, surface, view, np.random.default_rng([SEED, number]))
        print(f"{view}: written")
    write_rig(out)


if __name__ == "__main__":
    main()
