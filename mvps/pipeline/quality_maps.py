"""What ``--quality`` leaves behind: planes in ``quality.tif``, a picture, and figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.files import temporary_name
from mvps.images.colour_picture import colour_picture, repeated
from mvps.images.maps import open_plane_writer
from mvps.images.png_writer import PngWriter
from mvps.images.preview import PREVIEW_LIMIT, BlockSums
from mvps.stereo import StripOut
from mvps.stereo.noise import Noise

PLANES = (
    "residual RMS in albedo units",
    "lights used, negative where the solver fell back",
    "condition number of the weighted light directions (near lights: vectors)",
    "predicted standard deviation of the normal in degrees, from noise alone",
    "lights with a saturated sample",
    "lights in shadow, at most a tenth of the albedo",
)
LOWEST, HIGHEST = 0.03, 10.0  # degrees at the ends of the bar, the same for every stack
TICKS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
LOOKED_AT = 2048  # valid pixels of a strip that the summary is made from
SUMMARISED = ("residual", "used", "condition", "deviation", "saturated", "shadowed")


class QualityMaps:
    """``quality.tif`` and ``quality.png`` of one stack, fed by rows.

    Parameters
    ----------
    folder : receives the maps, under temporary names until the caller renames them
    describe : makes the text that a map carries, from its content and further figures
    picture : also draw ``quality.png``
    """

    def __init__(
        self,
        folder: Path,
        size: tuple[int, int],
        describe: Callable[..., str],
        *,
        picture: bool,
    ) -> None:
        width, height = size
        self.path, self._width = folder / "quality.tif", width
        content = "; ".join(f"plane {index}: {text}" for index, text in enumerate(PLANES))
        self.writer = open_plane_writer(
            temporary_name(self.path), width, height, len(PLANES), np.float32, describe(content)
        )
        self.picture = folder / "quality.png" if picture else None
        self._text = describe(
            "predicted standard deviation of the normal, degrees, logarithmic; light grey: none",
            low=LOWEST,
            high=HIGHEST,
        )
        factor = -(-max(width, height) // PREVIEW_LIMIT)
        self._sums = BlockSums(width, height, 2, factor) if picture else None

    def write(self, out: StripOut, rows: int) -> None:
        """Append ``rows`` solved rows."""
        shape = (rows, self._width)
        used = out.used.astype(np.float32)
        if out.fallback is not None:
            used[out.fallback > 0] *= -1
        counted = (out.condition, out.deviation, out.saturated, out.shadowed)
        planes = [out.residual, used, *counted]
        self.writer.write_rows(np.stack(planes, axis=-1, dtype=np.float32).reshape(*shape, -1))
        if self._sums is not None:
            pair = np.stack([out.deviation, out.deviation > 0], axis=-1, dtype=np.float32)
            self._sums.add_rows(pair.reshape(*shape, 2))

    def draw(self) -> Path | None:
        """Write the picture under its temporary name; its final one, None where none is wanted."""
        if self.picture is None or self._sums is None:
            return None
        total, count = self._sums.sums[..., 0], self._sums.sums[..., 1]
        picture = deviation_picture(
            np.where(count > 0, total / np.maximum(count, 1), np.float32(np.nan))
        )
        height, width = picture.shape[:2]
        temporary = temporary_name(self.picture)
        writer = PngWriter(temporary, width, height, 3, picture.dtype, description=self._text)
        try:
            writer.write_rows(picture)
            writer.finish()
        except BaseException:
            writer.abort()
            raise
        return self.picture


def deviation_picture(degrees: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Picture (h, w, 3) of deviations (H, W), NaN where there is none, on a logarithmic scale."""
    span = np.log(HIGHEST / LOWEST)
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = np.log(repeated(degrees) / LOWEST) / span
    levels[levels == -np.inf] = 0
    ticks = [(float(np.log(tick / LOWEST) / span), f"{tick:g}") for tick in TICKS]
    ticks[-1] = (1.0, f">= {HIGHEST:g} deg")
    return colour_picture(levels, ticks)


@dataclass
class QualitySummary:
    """Medians and shares over the strips of a stack.

    Attributes
    ----------
    noise : of the values, as it was taken into account
    """

    noise: Noise
    _seen: dict[str, list[NDArray[Any]]] = field(default_factory=dict)
    _valid: int = 0
    _shares: dict[str, int] = field(default_factory=dict)

    def add(self, out: StripOut) -> None:
        """Look at one solved strip: every pixel for the shares, some for the medians."""
        valid = np.flatnonzero(out.valid)
        self._valid += len(valid)
        looked = valid[:: max(1, -(-len(valid) // LOOKED_AT))]
        planes = out.planes()
        for name in SUMMARISED:
            if name in planes:
                self._seen.setdefault(name, []).append(planes[name][looked])
        for name in ("saturated", "shadowed", "fallback"):
            if name in planes:
                count = int(np.count_nonzero(planes[name]))
                self._shares[name] = self._shares.get(name, 0) + count

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types: median and 95th percentile, and the share of pixels with any."""
        found: dict[str, Any] = {}
        for name, parts in self._seen.items():
            values = np.concatenate(parts)
            if values.size:
                median, high = np.percentile(values, (50, 95))
                found[name] = {"median": float(median), "p95": float(high)}
        shares = {name: count / max(self._valid, 1) for name, count in self._shares.items()}
        return found | {
            "shares": shares,
            "noise": self.noise.as_dict(),
            "medians_from": f"up to {LOOKED_AT} valid pixels of every strip",
        }
