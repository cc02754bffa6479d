"""The page about a detector: what it is, its figures, its curves, its scores, and its pictures."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from mvps.detect.overlay import heat_colours
from mvps.detect.tables import Table
from mvps.report.detect_charts import Line, curves, histogram
from mvps.report.detect_curves import CategoryCurves
from mvps.report.detect_sheets import Column, Sheet
from mvps.report.detect_study import NG, OK, Limits, Specimen, Study, scores_of
from mvps.report.detect_tiles import Tile
from mvps.report.document import document, resource
from mvps.report.markup import Markup, tag, void
from mvps.report.numbers import MISSING, count, decimal, percent

LISTED = 20  # wrong verdicts, and faults, in full view; the rest unfolds
UNFOLDED = 20  # rows of a table in full view
PRO_LIMIT = 0.3  # false-positive rate at which the PRO curve ends
_QUALITY = 82  # of a JPEG


@dataclass(frozen=True)
class CategoryPage:
    """One category as the page tells of it; its pictures are markup already, to save memory.

    Attributes
    ----------
    points : file of the points of its curves, "" without one
    """

    name: str
    curves: CategoryCurves
    sheets: Markup
    points: str = ""


def render(
    study: Study,
    categories: Sequence[CategoryPage],
    tables: Sequence[Table],
    faults: Sequence[str],
    written: datetime,
) -> str:
    """The whole page; ``categories`` in the order of the study, ``faults`` in words."""
    body = (
        _header(study, written),
        tag(
            "main",
            _navigation(categories),
            _wrong("Missed", "failed", [s for s in study.specimens if missed(s)]),
            _wrong("False alarms", "incomplete", [s for s in study.specimens if alarmed(s)]),
            _faults(faults),
            _tables(tables),
            _curves(categories),
            _histograms(study),
            (_category(category, number) for number, category in enumerate(categories)),
        ),
    )
    style = resource("report.css") + resource("detect.css")
    return document(f"{study.name} – mvps detect report", *body, style=style)


def missed(specimen: Specimen) -> bool:
    """Defective, and called OK."""
    return specimen.defective and specimen.verdict == OK


def alarmed(specimen: Specimen) -> bool:
    """Sound, and called NG."""
    return not specimen.defective and specimen.verdict == NG


def sheet_markup(sheet: Sheet, side: int, file: str) -> Markup:
    """A contact sheet as a table of pictures of ``side`` px, with a link to its own ``file``."""
    heads = [tag("th", tag("bdi", column.name), scope="col") for column in sheet.columns]
    rows = [
        tag(
            "tr",
            tag("th", kind, scope="row"),
            (tag("td", _picture(column, kind, side)) for column in sheet.columns),
        )
        for kind in sheet.kinds
    ]
    badge = tag("span", sheet.verdict, class_=f"badge {sheet.verdict}") if sheet.verdict else ""
    own = tag("a", "PNG", href=file) if file else ""
    table = tag("table", tag("thead", tag("tr", tag("td"), heads)), tag("tbody", rows))
    return tag(
        "article",
        tag("header", tag("h4", tag("bdi", sheet.title)), badge, tag("span", sheet.words), own),
        tag("div", table, class_="wide"),
        class_="sheet full" if sheet.overview else "sheet",
    )


def _picture(column: Column, kind: str, side: int) -> Markup:
    import cv2

    picture = column.tiles.pictures.get(kind)
    if picture is None:
        return tag("span", MISSING)
    scale = side / max(picture.shape[:2])
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    data = base64.b64encode(_jpeg(small)).decode("ascii")
    return void(
        "img",
        src=f"data:image/jpeg;base64,{data}",
        alt=f"{kind} of {column.image.record.name}",
        width=size[0],
        height=size[1],
        loading="lazy",
        decoding="async",
    )


def _jpeg(picture: Tile) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.jpeg8_encode(picture, level=_QUALITY))


def _header(study: Study, written: datetime) -> Markup:
    facts = (*study.facts, ("Page", f"written {written:%Y-%m-%d %H:%M} UTC"))
    rows = (tag("div", tag("dt", name), tag("dd", tag("bdi", text))) for name, text in facts)
    return tag(
        "header",
        tag("h1", tag("bdi", study.name)),
        tag("ul", _totals(study), class_="totals"),
        tag("dl", rows, class_="facts"),
        class_="page",
    )


def _totals(study: Study) -> list[Markup]:
    parts = study.specimens
    images, kinds = sum(len(part.images) for part in parts), len(study.categories())
    judged = [part for part in parts if part.verdict]
    totals = [
        (f"{kinds:,}", "category" if kinds == 1 else "categories", ""),
        (f"{len(parts):,}", "parts", ""),
        (f"{images:,}", "images", ""),
    ]
    if not study.labelled:
        ng = sum(part.verdict == NG for part in judged)
        return _items([*totals, (f"{ng:,}", "NG", "failed" if ng else "")])
    bad = [part for part in judged if part.defective]
    good = [part for part in judged if not part.defective]
    if bad:
        found = sum(part.verdict == NG for part in bad)
        kind = "failed" if found < len(bad) else ""
        totals.append((percent(found / len(bad)), "of the defective parts found", kind))
    if good:
        alarms = sum(map(alarmed, good))
        kind = "warned" if alarms else ""
        totals.append((percent(alarms / len(good)), "of the sound parts called NG", kind))
    return _items(totals)


def _items(totals: Sequence[tuple[str, str, str]]) -> list[Markup]:
    return [tag("li", tag("b", n), " ", what, class_=kind or None) for n, what, kind in totals]


def _navigation(categories: Sequence[CategoryPage]) -> Markup:
    if len(categories) < 2:
        return Markup("")
    places = (
        tag("a", tag("bdi", category.name), href=f"#c{number}")
        for number, category in enumerate(categories)
    )
    return tag("nav", places, aria_label="Categories")


def _wrong(title: str, kind: str, specimens: Sequence[Specimen]) -> Markup:
    if not specimens:
        return Markup("")
    items = [
        tag("li", tag("b", tag("bdi", f"{s.category} {s.shown_name}")), f" {s.score:.4g}")
        for s in specimens
    ]
    return _folded(f"{title}: {count(len(items), 'part')}", kind, items)


def _faults(faults: Sequence[str]) -> Markup:
    if not faults:
        return Markup("")
    items = [tag("li", fault) for fault in faults]
    return _folded(f"Not read: {count(len(items), 'file')}", "failed", items)


def _folded(title: str, kind: str, items: Sequence[Markup]) -> Markup:
    rest: Markup | str = ""
    if len(items) > LISTED:
        summary = tag("summary", f"and {len(items) - LISTED:,} more")
        rest = tag("details", summary, tag("ul", items[LISTED:]))
    return tag(
        "section", tag("h2", title), tag("ul", items[:LISTED]), rest, class_=f"faults {kind}"
    )


def _tables(tables: Sequence[Table]) -> Markup:
    if not tables:
        return Markup("")
    return tag(
        "section", tag("h2", "Figures"), tag("div", map(_table_block, tables), class_="tables")
    )


def _table_block(table: Table) -> Markup:
    """A table with its title, files and notes; one of many rows unfolds."""
    files = [
        tag("a", ending, href=f"./tables/{table.name}.{ending}") for ending in ("csv", "md", "tex")
    ]
    links = [part for file in files for part in (" ", file)]
    shown = tag("div", _table(table), class_="wide")
    if len(table.rows) > UNFOLDED:
        shown = tag("details", tag("summary", f"{len(table.rows):,} rows"), shown, class_="more")
    return tag(
        "div",
        tag("h3", table.title),
        shown,
        tag("p", table.note, links, class_="note"),
        (tag("p", note, class_="note") for note in table.footnotes),
        class_="block",
    )


def _table(table: Table) -> Markup:
    heads = [
        tag("th", column, scope="col") if column else tag("td", column) for column in table.columns
    ]
    rows = [
        tag(
            "tr",
            tag("th", tag("bdi", row[0]), scope="row"),
            (tag("td", cell) for cell in row[1:]),
            class_="mean" if row[0].startswith("mean") else None,
        )
        for row in table.texts()
    ]
    spans = [tag("colgroup", span=span) for _, span in table.groups]
    above = [
        tag("th", name, colspan=span, scope="colgroup") if name else tag("td", colspan=span)
        for name, span in table.groups
    ]
    lines = [tag("tr", above)] if above else []
    head = tag("thead", lines, tag("tr", heads))
    return tag("table", spans, head, tag("tbody", rows), class_="grouped" if above else None)


def _curves(categories: Sequence[CategoryPage]) -> Markup:
    def lines(key: str) -> list[Line]:
        found = ((category.name, getattr(category.curves, key)) for category in categories)
        return [replace(line, name=name) for name, line in found if line is not None]

    charts = [
        curves("ROC of parts", lines("parts"), ("false-positive rate", "recall")),
        curves("ROC of pixels", lines("pixels"), ("false-positive rate", "recall")),
        curves("PRO", lines("pro"), ("false-positive rate", "mean overlap"), PRO_LIMIT),
    ]
    if not any(charts):
        return Markup("")
    files = [tag("a", tag("bdi", c.name), href=c.points) for c in categories if c.points]
    links = [part for file in files for part in (" ", file)]
    words = tag("p", "Points as CSV:", links, class_="note")
    return tag("section", tag("h2", "Curves"), tag("div", charts, class_="charts"), words)


def _histograms(study: Study) -> Markup:
    charts = []
    for name, specimens in study.categories().items():
        good, bad = (scores_of(specimens, defective=kind) for kind in (False, True))
        charts.append(histogram(name, good, bad, study.limits.get(name, Limits()).sample))
    words = "Each part counts by its highest view; the dashed line is its threshold."
    return tag(
        "section",
        tag("h2", "Scores of parts"),
        tag("p", words, class_="note"),
        tag("div", charts, class_="charts"),
    )


def _category(category: CategoryPage, number: int) -> Markup:
    return tag(
        "section",
        tag("h2", tag("bdi", category.name)),
        _legend(category.curves.scale),
        tag("div", category.sheets, class_="sheets"),
        id=f"c{number}",
    )


def _legend(scale: tuple[float, float]) -> Markup:
    colours = heat_colours(np.linspace(0, 1, 32)[None])[0].tolist()
    steps = (
        tag("rect", x=i, y=0, width=1.1, height=1, fill=f"#{r:02x}{g:02x}{b:02x}")
        for i, (r, g, b) in enumerate(colours)
    )
    bar = tag("svg", steps, viewBox="0 0 32 1", preserveAspectRatio="none", aria_hidden="true")
    low, high = (decimal(end) for end in scale)
    words = " and beyond: from the middle pixel of this category to its 99.9th percentile"
    return tag("p", f"Anomaly {low} ", bar, f" {high}", words, class_="legend")
