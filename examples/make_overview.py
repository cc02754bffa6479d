"""Draw the contact sheet of the sample capture: photographs, normals by least squares, error.

    python examples/make_overview.py [CAPTURE] [PICTURE]          default: docs/images/overview.png

Normals are the classic g = (L'L)^-1 L'I over all eight lamps, in NumPy, so that the sheet can be
checked against what the toolkit writes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import tifffile

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = "part_01"
MARGIN, GAP, CAPTION = 18, 14, 30  # pixels
WORST = 20.0  # degrees at the upper end of the error map
TEXT = (60, 60, 60)
STEP = 5  # of 255: coarser grey levels halve the file, and the sensor noise hides them


def read_view(capture: Path, view: str):
    """Photographs (K,H,W) in 0..1, lamp directions (K,3), truth (H,W,3) and mask (H,W)."""
    rows = [r.split() for r in (capture / "lights" / f"{view}.lp").read_text().splitlines()[1:]]
    folder = capture / SAMPLE / view
    images = [cv2.imread(str(folder / row[0]), cv2.IMREAD_UNCHANGED) / 65535 for row in rows]
    code = tifffile.imread(capture / "truth" / SAMPLE / view / "normals.tif")
    directions = np.array([row[1:] for row in rows], float)
    return np.stack(images), directions, code / 65535 * 2 - 1, code.any(axis=2)


def least_squares(images: np.ndarray, directions: np.ndarray) -> np.ndarray:
    g = np.einsum("ck,khw->hwc", np.linalg.pinv(directions), images)
    return g / np.maximum(np.linalg.norm(g, axis=2, keepdims=True), 1e-12)


def angular_error(normals: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Angle in degrees (H,W)."""
    return np.degrees(np.arccos(np.clip((normals * truth).sum(2), -1, 1)))


def photograph(image: np.ndarray) -> np.ndarray:
    """Linear grey to 8-bit BGR for the screen."""
    return cv2.cvtColor(np.rint(255 * image ** (1 / 2.2)).astype(np.uint8), cv2.COLOR_GRAY2BGR)


def normal_picture(normals: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.rint(np.where(mask[..., None], (normals + 1) / 2 * 255, 255)).astype(np.uint8)[
        ..., ::-1
    ]


def error_picture(error: np.ndarray, mask: np.ndarray) -> np.ndarray:
    level = np.rint(np.clip(error / WORST, 0, 1) * 255).astype(np.uint8)
    picture = cv2.applyColorMap(level, cv2.COLORMAP_VIRIDIS)
    picture[~mask] = 255
    return picture


def write_text(text: str, width: int, height: int) -> np.ndarray:
    """A line of small text on white, drawn four times too large and reduced."""
    canvas = np.full((height * 4, width * 4, 3), 255, np.uint8)
    cv2.putText(canvas, text, (2, 76), cv2.FONT_HERSHEY_SIMPLEX, 1.75, TEXT, 4, cv2.LINE_AA)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)


def colour_bar(width: int, height: int) -> np.ndarray:
    ramp = np.linspace(0, 255, width).astype(np.uint8)[None].repeat(height, 0)
    return cv2.applyColorMap(ramp, cv2.COLORMAP_VIRIDIS)


def contact_sheet(panels: list[list[tuple[str, np.ndarray]]]) -> np.ndarray:
    """Panels of equal size in rows, each over its caption, on white."""
    height, width = panels[0][0][1].shape[:2]
    rows, columns = len(panels), len(panels[0])
    sheet_height = 2 * MARGIN + rows * (height + CAPTION) + (rows - 1) * GAP
    sheet_width = 2 * MARGIN + columns * width + (columns - 1) * GAP
    sheet = np.full((sheet_height, sheet_width, 3), 255, np.uint8)
    for i, row in enumerate(panels):
        for j, (caption, picture) in enumerate(row):
            y, x = MARGIN + i * (height + CAPTION + GAP), MARGIN + j * (width + GAP)
            sheet[y : y + height, x : x + width] = picture
            strip = write_text(caption, width, CAPTION)
            if " error " in caption:
                strip[11:20, -72:] = colour_bar(72, 9)
            sheet[y + height : y + height + CAPTION, x : x + width] = strip
    return sheet


def draw(capture: Path) -> np.ndarray:
    images, directions, truth, mask = read_view(capture, "top")
    normals = least_squares(images, directions)
    error = angular_error(normals, truth)
    side_images, side_directions, _, side_mask = read_view(capture, "front")
    side_rgb, top_rgb = (
        cv2.imread(str(capture / SAMPLE / view / "rgb.png")) for view in ("front", "top")
    )
    side_normals = least_squares(side_images, side_directions)
    error_map = error_picture(error, mask)
    median = np.median(error[mask])
    photographs = [(f"top, lamp {k} of 8", photograph(images[k - 1])) for k in (1, 4, 6)]
    return contact_sheet(
        [
            [*photographs, ("top, diffuse", top_rgb)],
            [
                ("top, normals", normal_picture(normals, mask)),
                (f"top, error 0 to {WORST:.0f} deg, median {median:.1f}", error_map),
                ("front, diffuse", side_rgb),
                ("front, normals", normal_picture(side_normals, side_mask)),
            ],
        ]
    )


def main() -> None:
    capture = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "examples" / "sample_capture"
    picture = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "docs" / "images" / "overview.png"
    picture.parent.mkdir(parents=True, exist_ok=True)
    sheet = (np.rint(draw(capture) / STEP) * STEP).astype(np.uint8)
    picture.write_bytes(cv2.imencode(".png", sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes())
    print(f"{picture}: {sheet.shape[1]} x {sheet.shape[0]} px")


if __name__ == "__main__":
    main()
