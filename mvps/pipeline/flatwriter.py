"""``mvps lights flat``: from photographs of a white target to a light file and flat fields.

Writes ``flat/L01.tif`` and on (float32, mean 1), ``lights.json`` or ``light_intensities.txt``, and
``flat.json`` with the model and the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mvps
from mvps.errors import InputError
from mvps.files import atomic_path, write_json, write_text
from mvps.findings import Finding
from mvps.images.maps import open_plane_writer
from mvps.lights import LightRig, write_lights
from mvps.lights.fields import Field, LowPass, smooth_field
from mvps.lights.intensity import POOR_FACING, facing, relative_intensities
from mvps.lights.text_rows import spelt
from mvps.pipeline.options import STRIP_ROWS
from mvps.pipeline.whitetarget import Cells, Progress, Target, measure, remarks, strips

ROUGH = 0.02  # relative RMS of cells about a field above which the low pass fits badly
MODEL = "level_k = albedo * e_k * (l_k . n) on a Lambertian plane; flat_k = light_k / its mean"
THUMB = 48  # cells along a side of the fields kept for the picture

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LightFlat:
    """What one light gave: ``levels`` by channel and ``lowest``, ``highest`` of its field."""

    image: Path
    flat: Path
    levels: tuple[float, ...]
    facing: float | None
    saturated: float
    lowest: float
    highest: float
    residual: float | None
    rejected: float | None
    thumb: NDArray[np.float32]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types; levels are fractions of full scale."""
        figures = {k: v for k, v in self.__dict__.items() if k != "thumb"}
        return figures | {"image": str(self.image), "flat": str(self.flat)}


@dataclass(frozen=True, eq=False)
class FlatResult:
    """Everything that was written, and the figures.

    Attributes
    ----------
    intensities : (K,) or (K, 3), mean 1
    lights : the light file with the intensities, or the table of intensities alone
    pattern : flat fields as ``--flat`` and rig.yml take them
    """

    flats: tuple[LightFlat, ...]
    intensities: Array
    lights: Path
    pattern: str
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        rows = zip(self.flats, self.intensities.tolist(), strict=True)
        return {
            "lights": str(self.lights),
            "flat": self.pattern,
            "images": [flat.as_dict() | {"intensity": value} for flat, value in rows],
            "findings": [asdict(finding) for finding in self.findings],
        }


def measure_flats(
    target: Target,
    out: Path,
    *,
    rig: LightRig | None = None,
    normal: Array | None = None,
    low_pass: LowPass | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> FlatResult:
    """Measure intensities and flat fields of a white target and write them below ``out``.

    Parameters
    ----------
    rig : the lights, whose directions take the foreshortening of the target out; None leaves it in
    normal : (3,) unit normal of the target, house frame; (0, 0, 1) when None
    low_pass : how the fields are smoothed, a polynomial of degree 4 when None

    Raises
    ------
    InputError
        An image is at fault, a light grazes the target, or files are there already; one line.
    """
    low_pass = low_pass or LowPass()
    normal = np.array([0.0, 0.0, 1.0]) if normal is None else normal
    cosine = None if rig is None else facing(rig, normal)
    digits = max(2, len(str(len(target.images))))
    pattern = str(out / "flat" / f"L{{light:0{digits}d}}.tif")
    lights = out / ("light_intensities.txt" if rig is None else "lights.json")
    _refuse_existing(out, overwrite=overwrite)
    measured = measure(target, progress)
    (out / "flat").mkdir(parents=True, exist_ok=True)
    flats, found = [], []
    for k, cells in enumerate(measured):
        path = Path(pattern.format(light=k + 1))
        share = None if cosine is None else float(cosine[k])
        flats.append(_one_light(cells, target, k, path, low_pass=low_pass, cosine=share))
        found += [*remarks(cells), *_doubts(flats[-1], rig)]
    levels = np.array([flat.levels for flat in flats])
    values = relative_intensities(levels[:, 0] if levels.shape[1] == 1 else levels, cosine)
    found += _doubts_of_all(measured[0], target, out, rig)
    if rig is None:
        write_text(lights, "".join(spelt(np.atleast_1d(row).tolist()) + "\n" for row in values))
    else:
        write_lights(replace(rig, intensities=values, notes=()), lights, "json")
    result = FlatResult(tuple(flats), values, lights, pattern, tuple(found))
    write_json(out / "flat.json", _record(result, target, normal, low_pass, rig))
    return result


def _refuse_existing(out: Path, *, overwrite: bool) -> None:
    if not out.absolute().parent.is_dir():
        raise InputError(out, "its folder does not exist", "make the folder first")
    if out.exists() and not out.is_dir():
        raise InputError(out, "is a file", "name a folder")
    if (out / "flat.json").exists() and not overwrite:
        raise InputError(out, "holds flat fields already", "pass --overwrite to replace them")


def _one_light(
    cells: Cells, target: Target, k: int, path: Path, *, low_pass: LowPass, cosine: float | None
) -> LightFlat:
    """Fit and write the field of one light."""
    channels = cells.values.shape[2]
    if low_pass.kind == "none":
        fields = None
        levels = _mean_light(target, k)
        rows = _pixel_rows(target, k, levels)
    else:
        try:
            fields = [
                smooth_field(cells.values[..., c], cells.size, cells.edge, low_pass)
                for c in range(channels)
            ]
        except ValueError as error:
            raise InputError(
                cells.path, str(error), "another --low-pass, or a larger target"
            ) from None
        levels = np.array([field.level for field in fields])
        rows = _smooth_rows(fields, cells.size[0])
    lowest, highest, thumb = _write(path, rows, cells.size, channels)
    if fields is not None and not lowest > 0:
        raise InputError(cells.path, "the fitted field falls to nothing", "another --low-pass")
    return LightFlat(
        image=cells.path,
        flat=path,
        levels=tuple((levels / cells.white).tolist()),
        facing=cosine,
        saturated=cells.saturated,
        lowest=lowest,
        highest=highest,
        residual=None if fields is None else max(field.residual for field in fields),
        rejected=None if fields is None else max(field.rejected for field in fields),
        thumb=thumb,
    )


def _smooth_rows(fields: list[Field], height: int) -> Iterator[NDArray[np.float32]]:
    for y0 in range(0, height, STRIP_ROWS):
        rows = [field.rows(y0, min(y0 + STRIP_ROWS, height)) for field in fields]
        yield rows[0] if len(rows) == 1 else np.stack(rows, axis=2)


def _mean_light(target: Target, k: int) -> Array:
    """(C,) mean light over the pixels that have any, as the flat field is normalised later."""
    total: Any = 0.0
    lit: Any = 0
    for _, rows in strips(target.images[k], target):
        colours = rows.reshape(*rows.shape[:2], -1)
        total = total + np.where(colours > 0, colours, 0).sum(axis=(0, 1), dtype=np.float64)
        lit = lit + np.count_nonzero(colours > 0, axis=(0, 1))
    return np.asarray(total / np.maximum(lit, 1), dtype=np.float64)


def _pixel_rows(target: Target, k: int, levels: Array) -> Iterator[NDArray[np.float32]]:
    scale = (1 / levels).astype(np.float32)
    for _, rows in strips(target.images[k], target):
        yield rows * (scale if rows.ndim == 3 else scale[0])


def _write(
    path: Path, strips_of: Iterator[NDArray[np.float32]], size: tuple[int, int], channels: int
) -> tuple[float, float, NDArray[np.float32]]:
    """Write a field; its extremes and a small copy for the picture."""
    height, width = size
    step = max(1, max(size) // THUMB)
    lowest, highest, y0 = np.inf, -np.inf, 0
    thumb: list[NDArray[np.float32]] = []
    text = f'{{"mvps": "{mvps.__version__}", "flat_field": "linear, no dark signal, mean 1"}}'
    with atomic_path(path) as temporary:
        writer = open_plane_writer(temporary, width, height, channels, np.float32, text)
        try:
            for rows in strips_of:
                writer.write_rows(np.ascontiguousarray(rows))
                lowest = min(lowest, float(rows.min()))
                highest = max(highest, float(rows.max()))
                grey = rows if rows.ndim == 2 else rows.mean(axis=2)
                thumb.append(grey[(-y0) % step :: step, ::step].copy())
                y0 += len(rows)
            writer.finish()
        except BaseException:
            writer.abort()
            raise
    return lowest, highest, np.concatenate(thumb)


def _doubts_of_all(
    first: Cells, target: Target, out: Path, rig: LightRig | None
) -> Iterator[Finding]:
    if first.white == 1.0 and target.offset is not None:
        text = f"{out}: mvps normals subtracts --dark from the flat fields of float images too"
        yield Finding("warning", "FLOAT", f"{text}; subtract it from the images beforehand")
    if rig is None:
        text = f"{out}: without --lights the intensities hold the foreshortening l.n of the target"
        yield Finding("warning", "FORESHORTENED", text)


def _doubts(flat: LightFlat, rig: LightRig | None) -> Iterator[Finding]:
    if flat.residual is not None and flat.residual > ROUGH:
        text = f"{flat.image}: the light differs from the smooth field by {flat.residual:.1%} (RMS)"
        remedy = "a higher --low-pass polynomial=6, or gaussian=3, may follow it"
        yield Finding("warning", "ROUGH", f"{text}; {remedy}")
    if flat.facing is not None and flat.facing < POOR_FACING:
        where = rig.source if rig is not None else "lights"
        text = f"{where}: {flat.image.name}: l.n of the target is only {flat.facing:.2f}"
        yield Finding("warning", "GRAZED", f"{text}; a tilt of 1 degree changes its intensity much")


def _record(
    result: FlatResult, target: Target, normal: Array, low_pass: LowPass, rig: LightRig | None
) -> dict[str, Any]:
    offset = target.offset
    return {
        "mvps": mvps.__version__,
        "model": MODEL,
        "target_normal": normal.tolist(),
        "directions": None if rig is None else rig.source,
        "low_pass": low_pass.text,
        "response": target.response,
        "subtracted": None if offset is None else str(offset.path),
        **result.as_dict(),
    }
