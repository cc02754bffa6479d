"""From a scored test set to the folder of its report: tables, contact sheets and one page."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mvps.detect.tables import Table, write_tables
from mvps.errors import InputError, MissingExtraError
from mvps.files import write_text
from mvps.report.detect_choice import MOST
from mvps.report.detect_curves import POINTS, category_curves, write_curves
from mvps.report.detect_page import CategoryPage, render, sheet_markup
from mvps.report.detect_sheets import Sheet, file_name, kinds_sheet, specimen_sheets, write_sheet
from mvps.report.detect_study import Specimen, Study
from mvps.report.markup import join

PAGE = "index.html"
TABLES, SHEETS, CURVES = "tables", "sheets", "curves"
SHEETS_IN_ALL = 240  # of a page: some 20 pictures of 3 to 8 kB each
_LEAST = 3  # a category: surest, weakest, false alarm
_SIDES = (72, 144)  # px of a picture in the page
_ROOMY = 40  # sheets that still have pictures of full size


@dataclass(frozen=True)
class DetectReport:
    """Where a report is, which files could not be read for it, and what it goes without."""

    path: Path
    sheets: int
    tables: int
    faults: tuple[str, ...]
    warnings: tuple[str, ...]


def write_detect_report(
    study: Study,
    tables: Sequence[Table],
    folder: Path,
    *,
    curve_points: int = POINTS,
    progress: Callable[[], None] = lambda: None,
) -> DetectReport:
    """Write ``index.html``, ``tables/``, ``curves/``, ``sheets/``, replacing those of before.

    Pictures are drawn category by category; the page holds small copies of a bounded number of
    them, whatever the size of the data set.

    Parameters
    ----------
    curve_points : of each curve in a file; 0 for all
    progress : called after each category

    Raises
    ------
    InputError
        Nothing was scored, or the folder cannot be written to.
    """
    if not study.specimens:
        raise InputError(folder, "there is no scored image to report", "score a data set first")
    categories = study.categories()
    most = max(_LEAST, min(MOST, SHEETS_IN_ALL // len(categories)))
    side = _side(len(categories) * (most + 1))
    drawer = _Drawer(study, folder, most, side, curve_points)
    try:
        for part in (TABLES, SHEETS, CURVES):
            shutil.rmtree(folder / part, ignore_errors=True)
        for part in (SHEETS, CURVES):
            (folder / part).mkdir(parents=True)
        write_tables(tables, folder / TABLES)
        pages = []
        for number, (name, specimens) in enumerate(categories.items()):
            pages.append(drawer.category(number, name, specimens))
            progress()
        page = render(study, pages, tables, drawer.faults, datetime.now(UTC))
        write_text(folder / PAGE, page)
    except OSError as error:
        what = f"cannot be written ({error.strerror})"
        raise InputError(folder, what, "name another folder with --out") from None
    faults, warnings = tuple(drawer.faults), tuple(drawer.warnings)
    return DetectReport(folder / PAGE, drawer.sheets, len(tables), faults, warnings)


class _Drawer:
    """Draws categories one after the other, and remembers what went wrong."""

    def __init__(self, study: Study, folder: Path, most: int, side: int, points: int) -> None:
        self._study, self._folder = study, folder
        self._most, self._side, self._points = most, side, points
        self._files = True
        self.sheets = 0
        self.faults: list[str] = []
        self.warnings: list[str] = []

    def category(self, number: int, name: str, specimens: Sequence[Specimen]) -> CategoryPage:
        """Curves and contact sheets of one category."""
        found = category_curves(name, specimens, self._study.preprocess)
        self.faults += found.faults
        overview = kinds_sheet(specimens, found.scale, self._study.kept)
        sheets = [overview] if overview else []
        sheets += specimen_sheets(specimens, found.scale, self._study.kept, self._most)
        shown = []
        for place, sheet in enumerate(sheets):
            file = file_name(f"{number:02d}", name, f"{place:02d}", sheet.title) + ".png"
            written = self._write(sheet, file)
            shown.append(sheet_markup(sheet, self._side, f"./{SHEETS}/{file}" if written else ""))
            known = {*self.faults}
            faults = (fault for column in sheet.columns for fault in column.tiles.faults)
            self.faults += [fault for fault in dict.fromkeys(faults) if fault not in known]
        points = f"{CURVES}/{file_name(f'{number:02d}', name)}.csv"
        written = write_curves(found, self._folder / points, self._points)
        return CategoryPage(name, found, join(shown), f"./{points}" if written else "")

    def _write(self, sheet: Sheet, file: str) -> bool:
        self.sheets += 1
        if self._files:
            try:
                write_sheet(sheet, self._folder / SHEETS / file)
            except MissingExtraError as error:
                self._files = False
                self.warnings.append(f"contact sheets stand in the page alone: {error}")
        return self._files


def _side(sheets: int) -> int:
    """Side of the pictures in the page, smaller where there are many, px."""
    low, high = _SIDES
    return max(low, min(high, round(high * math.sqrt(_ROOMY / max(sheets, 1)))))
