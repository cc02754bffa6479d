"""The bend of a rig taken off normals within a run, between the solver and the maps.

A bend is known only when the last row has been solved, so rows wait in a temporary file until then;
a flat target is divided out as they come.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mvps.files import temporary_name
from mvps.images.output_file import OutputFile
from mvps.pipeline.levelling import (
    Normals,
    Remove,
    Removed,
    Valid,
    by_bend,
    by_reference,
    check_target,
    describe_bend,
    doubt,
    open_map,
)
from mvps.stereo.flatten import SlopeCells, fit_bend

Write = Callable[[Normals, Valid], None]  # rows in the order of the map


class Unbent(Protocol):
    """Takes the rows of a map as they were solved and passes them on without the bend."""

    @property
    def figures(self) -> dict[str, Any]:
        """What was removed and how it was found, for the record."""

    @property
    def lost(self) -> int:
        """Pixels with a normal that were left without one."""

    @property
    def warning(self) -> str:
        """What speaks against the result; empty where nothing does."""

    def add_rows(self, normals: Normals, valid: Valid) -> None:
        """Take rows (n, W, 3) and (n, W), which follow those taken before."""

    def finish(self) -> None:
        """Every row has been taken: pass on those that are left."""

    def abort(self) -> None:
        """Remove everything that was begun."""


class BendUnbent:
    """Fits a polynomial to the slopes of the map; memory is bounded by the rows of one call.

    Parameters
    ----------
    folder : holds the rows that wait, 13 bytes a pixel under a temporary name
    size : width and height of the map
    degree, keep_tilt : see :class:`mvps.pipeline.flatten.FlattenOptions`
    where : names the map in a fault or a warning
    write : receives the rows
    """

    def __init__(
        self,
        folder: Path,
        size: tuple[int, int],
        degree: int,
        *,
        keep_tilt: bool,
        where: str,
        write: Write,
    ) -> None:
        self._cells = SlopeCells(*size)
        self._width = size[0]
        self._degree, self._keep_tilt = degree, keep_tilt
        self._where, self._write = where, write
        self._heights: list[int] = []  # rows of each call
        self._any = False
        self._removed = Removed()
        self._said: dict[str, Any] = {"method": "bend", "degree": degree}
        self.warning = ""
        self._waiting = OutputFile(temporary_name(folder / "normals"))

    @property
    def figures(self) -> dict[str, Any]:
        """See :class:`Unbent`."""
        return self._said | self._removed.as_dict()

    @property
    def lost(self) -> int:
        """None: a bend is known everywhere."""
        return 0

    def add_rows(self, normals: Normals, valid: Valid) -> None:
        """See :class:`Unbent`."""
        self._cells.add_rows(normals, valid)
        self._any = self._any or bool(valid.any())
        self._heights.append(len(valid))
        self._waiting.write(np.ascontiguousarray(normals).data)
        self._waiting.write(np.ascontiguousarray(valid).data)

    def finish(self) -> None:
        """See :class:`Unbent`; InputError where there is too little to fit."""
        self._waiting.close()
        remove: Remove | None = None
        if self._any:  # a map without a normal has no bend
            bend = fit_bend(self._cells, self._degree, self._where)
            bend = bend.about_tilt() if self._keep_tilt else bend
            self._said, self.warning = describe_bend(bend), doubt(bend, self._where)
            remove = by_bend(bend)
        with self._waiting.path.open("rb") as file:
            y0 = 0
            for height in self._heights:
                pixels = height * self._width
                solved = np.fromfile(file, np.float32, 3 * pixels).reshape(height, -1, 3)
                valid = np.fromfile(file, np.bool_, pixels).reshape(height, -1)
                normals = solved
                if remove is not None:
                    normals, _ = remove(y0, y0 + height, solved, valid)
                self._removed.add(solved, normals, valid, valid)
                self._write(normals, valid)
                y0 += height
        self._waiting.path.unlink()

    def abort(self) -> None:
        """See :class:`Unbent`."""
        self._waiting.abort()


class TargetUnbent:
    """Divides out the map of a flat target, row by row.

    Parameters
    ----------
    target : a normal map of the same grid and frame
    size, statement : of the map, and what it says of itself
    smooth : see :class:`mvps.pipeline.flatten.FlattenOptions`
    where, write : see :class:`BendUnbent`

    Raises
    ------
    InputError, ImageError
        The target cannot be read or does not go with the map.
    """

    warning = ""

    def __init__(
        self,
        target: Path,
        size: tuple[int, int],
        statement: dict[str, Any],
        max_pixels: int,
        *,
        smooth: int,
        where: str,
        write: Write,
    ) -> None:
        self._flat = open_map(target, max_pixels)
        try:
            check_target(self._flat, where, size, statement)
            self._remove = by_reference(self._flat, smooth)
        except BaseException:
            self.abort()
            raise
        self._smooth, self._write = smooth, write
        self._removed = Removed()
        self._row = 0

    @property
    def figures(self) -> dict[str, Any]:
        """See :class:`Unbent`."""
        path = str(self._flat.path)
        said = {"method": "reference", "reference": path, "smooth": self._smooth}
        return said | self._removed.as_dict()

    @property
    def lost(self) -> int:
        """Where the target has no normal."""
        return self._removed.lost

    def add_rows(self, normals: Normals, valid: Valid) -> None:
        """See :class:`Unbent`."""
        y0, self._row = self._row, self._row + len(valid)
        flat, kept = self._remove(y0, self._row, normals, valid)
        self._removed.add(normals, flat, valid, kept)
        self._write(flat, kept)

    def finish(self) -> None:
        """See :class:`Unbent`."""
        self._flat.close()

    def abort(self) -> None:
        """See :class:`Unbent`."""
        self._flat.close()
