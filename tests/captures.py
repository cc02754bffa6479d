"""Small synthetic captures: names, light files and images whose pixels depend on a seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mvps.capture import Fault, Finding, Overrides, Stack, discover, inspect

# Eight lights on a ring of 36.87 degrees slant: sin = .6, cos = .8, condition number 1.89.
TURN = np.arange(8) * np.pi / 4
DIRECTIONS = np.stack([0.6 * np.cos(TURN), 0.6 * np.sin(TURN), np.full(8, 0.8)], axis=1)
SHAPE = (12, 16)


def table(rows: np.ndarray) -> str:
    return "".join(" ".join(f"{x:.6f}" for x in row) + "\n" for row in rows)


def lp(names: Sequence[str], rows: np.ndarray = DIRECTIONS) -> str:
    lines = [f"{name} {row}" for name, row in zip(names, table(rows).splitlines(), strict=True)]
    return "\n".join([str(len(lines)), *lines])


def image(path: Path, seed: int = 0, shape: Sequence[int] = SHAPE, dtype: type = np.uint16) -> Path:
    """Write an image whose pixels depend on the seed, in the format of its ending."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, np.iinfo(dtype).max, tuple(shape), dtype=dtype)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, pixels)
    elif path.suffix in {".tif", ".tiff"}:
        import tifffile

        tifffile.imwrite(path, pixels, photometric="rgb" if pixels.shape[-1] == 3 else "minisblack")
    else:
        import cv2

        assert cv2.imwrite(str(path), pixels)
    return path


def images(folder: Path, names: Sequence[str], **options: object) -> None:
    for seed, name in enumerate(names):
        image(folder / name, seed, **options)


def numbered(count: int = 8, ending: str = "png") -> list[str]:
    """Names whose natural order is not that of their characters: 1, 2, ... 10."""
    return [f"img{i}.{ending}" for i in range(1, count + 1)]


def many(folder: Path, count: int) -> None:
    """A folder of ``count`` images under lights that lie far enough apart."""
    images(folder, numbered(count))
    golden = np.arange(count) * 2.399963
    z = 1 - 0.6 * (np.arange(count) + 0.5) / count
    r = np.sqrt(1 - z * z)
    rows = np.stack([r * np.cos(golden), r * np.sin(golden), z], axis=1)
    (folder / "light_directions.txt").write_text(table(rows))


RIG = """\
version: 1
units: mm
views:
  top:
    images: "{sample}/top/L{light:02d}.tif"
    lights: lights/top.lp
    mask: masks/top.png
"""


def names_of(stack: Stack) -> list[str]:
    return [ref.path.name for ref in stack.images]


def only_stack(root: Path, **overrides: object) -> Stack:
    found = discover(root, Overrides(**overrides))
    assert found.faults == ()
    (stack,) = found.stacks
    return stack


def only_fault(root: Path, **overrides: object) -> str:
    """The one fault of a root without stacks; its message is one line."""
    found = discover(root, Overrides(**overrides))
    assert found.stacks == ()
    (fault,) = found.faults
    assert isinstance(fault, Fault)
    assert "\n" not in fault.message
    return fault.message


def findings(stack: Stack) -> tuple[Finding, ...]:
    found = inspect(stack)[1]
    for finding in found:
        assert "\n" not in finding.message
    return found


def only_finding(stack: Stack) -> Finding:
    """The one finding; its message is one line."""
    (finding,) = findings(stack)
    return finding
