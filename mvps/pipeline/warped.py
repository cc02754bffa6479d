"""Between solver and maps: solved rows to the pixel grid and the frame that were asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvps.calib.resample import IDENTITY
from mvps.calib.row_warp import Layer, OutputStrip, RowWarp
from mvps.calib.warp import undistortion
from mvps.pipeline.mapview import MapView
from mvps.pipeline.sink import MapSink
from mvps.pipeline.unbent import Unbent
from mvps.stereo import StripOut

# How each result is resampled: counts of lights and flags are not averaged.
_KINDS = {
    "normals": "normals",
    "albedo": "linear",
    "residual": "linear",
    "used": "nearest",
    "fallback": "nearest",
    "condition": "linear",
    "deviation": "linear",
    "saturated": "nearest",
    "shadowed": "nearest",
    "depth": "linear",
}


class WarpedSink:
    """Takes solved rows in raw pixels and writes maps in those of the view.

    Parameters
    ----------
    sink : writes the maps
    view : resample to undistorted pixels, turn normals to the board's frame, or both

    Attributes
    ----------
    valid : pixels with a normal among those written
    """

    def __init__(self, sink: MapSink, view: MapView) -> None:
        self._sink = sink
        self.valid = 0
        self._view = view
        self._warp: RowWarp | None = None
        rotation = view.rotation()
        self._rotation = IDENTITY if rotation is None else rotation
        self._turn = self._rotation.T.astype(np.float32)

    @property
    def albedo_scale(self) -> float:
        """Albedo of one step of ``albedo.tif``; 1 for float32."""
        return self._sink.albedo_scale

    @property
    def unbent(self) -> Unbent | None:
        """What takes the bend off the normals, where that is asked for."""
        return self._sink.unbent

    def write(self, out: StripOut, rows: int) -> None:
        """Take ``rows`` solved rows and write the rows of the maps that are complete by then."""
        if not self._view.undistort:
            self._write(replace(out, normals=out.normals @ self._turn), rows)
            return
        results = ((name, getattr(out, name)) for name in _KINDS)
        planes = {name: plane for name, plane in results if plane is not None}
        if self._warp is None:
            assert self._view.camera is not None
            layers = [_layer(name, plane) for name, plane in planes.items()]
            self._warp = RowWarp(undistortion(self._view.camera), layers, self._rotation)
        shaped = [plane.reshape(rows, -1, *plane.shape[1:]) for plane in planes.values()]
        for strip in self._warp.push(shaped, out.valid.reshape(rows, -1)):
            self._write(_strip_out(tuple(planes), strip), len(strip.valid))

    def _write(self, out: StripOut, rows: int) -> None:
        self.valid += int(np.count_nonzero(out.valid))
        self._sink.write(out, rows)

    def commit(self) -> dict[str, int]:
        """As of the sink."""
        return self._sink.commit()

    def abort(self) -> None:
        """As of the sink."""
        self._sink.abort()


def _layer(name: str, plane: NDArray[Any]) -> Layer:
    return Layer(_KINDS[name], 1 if plane.ndim == 1 else plane.shape[1], plane.dtype)


def _strip_out(names: tuple[str, ...], strip: OutputStrip) -> StripOut:
    flat = {
        name: layer.reshape(-1, *layer.shape[2:])
        for name, layer in zip(names, strip.layers, strict=True)
    }
    return StripOut(valid=strip.valid.reshape(-1), **flat)
