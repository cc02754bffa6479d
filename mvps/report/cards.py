"""One card a stack: its pictures, its figures, its warnings, and where its maps are."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from urllib.parse import quote_from_bytes

from mvps.report.collect import StackEntry
from mvps.report.markup import Markup, join, tag, void
from mvps.report.numbers import MISSING, Fences, count, decimal, duration, percent
from mvps.report.thumbs import Picture, Thumbnails

# Orders in which the gallery can be sorted: attribute, label, worst first.
ORDERS = (
    ("order", "name", "ascending"),
    ("solved", "valid in the mask", "ascending"),
    ("residual", "residual RMS", "descending"),
    ("degenerate", "degenerate pixels", "descending"),
    ("saturated", "saturated share", "descending"),
    ("black", "black share", "descending"),
    ("seconds", "seconds", "descending"),
    ("finished", "time finished", "descending"),
)

Limits = Mapping[str, Fences]  # by name of the figure: solved, residual, seconds


def figures_with_limits(entry: StackEntry) -> dict[str, float | None]:
    """The figures whose distribution over all stacks is drawn."""
    figures = entry.figures
    return {
        "solved": figures.solved_share,
        "residual": figures.residual_rms,
        "seconds": figures.seconds,
    }


def link(folder: str, name: str = "") -> str:
    """Relative address of a file of a stack, safe whatever the names hold."""
    parts = [os.fsencode(part) for part in (folder, name) if part not in ("", ".")]
    return "./" + "/".join(quote_from_bytes(part) for part in parts)


def card(entry: StackEntry, drawn: Thumbnails, order: int, limits: Limits) -> Markup:
    """The card of a stack that is done."""
    odd = {key for key, n in figures_with_limits(entry).items() if limits[key].outside(n)}
    warnings = (*entry.warnings, *drawn.faults)
    folder = entry.folder or "."
    place = tag("a", tag("bdi", f"{folder}/"), href=link(folder) + "/")
    return tag(
        "article",
        _heading(entry, warnings, odd),
        tag("div", (_figure(p, entry, order) for p in drawn.pictures), class_="pictures"),
        _figures(entry, odd),
        tag("ul", (tag("li", warning) for warning in warnings), class_="warnings")
        if warnings
        else "",
        tag("p", place, _extras(entry), class_="place"),
        id=anchor(order),
        class_="card",
        **_sortable(entry, order),
        data_warned=bool(warnings),
        data_odd=bool(odd),
    )


def anchor(order: int) -> str:
    """Where the card of the stack with this number is on the page."""
    return f"s{order}"


def _heading(entry: StackEntry, warnings: tuple[str, ...], odd: set[str]) -> Markup:
    badges = []
    if warnings:
        badges.append(tag("span", count(len(warnings), "warning"), class_="badge warned"))
    if odd:
        badges.append(tag("span", "far from the rest", class_="badge odd"))
    name = entry.name if entry.name != "." else "(the folder itself)"
    return tag("header", tag("h3", tag("bdi", name)), badges)


def _figure(picture: Picture, entry: StackEntry, order: int) -> Markup:
    data = base64.b64encode(picture.jpeg).decode("ascii")
    image = void(
        "img",
        src=f"data:image/jpeg;base64,{data}",
        alt=f"{picture.kind} of {entry.name}",
        width=picture.width,
        height=picture.height,
        # The first cards are on the screen at once.
        loading="lazy" if order > 4 else None,
        decoding="async",
    )
    framed = image
    if picture.source == "preview.png":
        framed = tag("a", image, href=link(entry.folder or ".", picture.source))
    scale = tag("span", picture.scale) if picture.scale else ""
    return tag("figure", framed, tag("figcaption", picture.kind, " ", scale))


def _figures(entry: StackEntry, odd: set[str]) -> Markup:
    figures = entry.figures
    size = f"{figures.width}×{figures.height}" if figures.width and figures.height else MISSING
    pairs = (
        ("in mask", percent(figures.solved_share), "solved"),
        ("residual", decimal(figures.residual_rms), "residual"),
        ("valid", percent(figures.valid_share), ""),
        ("albedo", decimal(figures.mean_albedo), ""),
        ("saturated", percent(figures.saturated_share), ""),
        ("black", percent(figures.black_share), ""),
        ("degenerate", count(figures.degenerate), ""),
        ("masked", count(figures.masked), ""),
        ("size", size, ""),
        ("lights", count(figures.lights), ""),
        ("time", duration(figures.seconds), "seconds"),
    )
    rows = (
        tag("div", tag("dt", name), tag("dd", text, class_="odd" if key in odd else None))
        for name, text, key in pairs
    )
    return tag("dl", rows, class_="figures")


def _extras(entry: StackEntry) -> Markup:
    parts = []
    if entry.stages:
        stages = " · ".join(f"{name} {duration(s)}" for name, s in entry.stages.items())
        parts.append(tag("span", stages))
    if entry.frames:
        parts.append(tag("span", f"with {', '.join(entry.frames)}"))
    return join(parts)


def _sortable(entry: StackEntry, order: int) -> dict[str, float | str | None]:
    figures = entry.figures
    share = None
    if figures.pixels and figures.degenerate is not None:
        share = figures.degenerate / figures.pixels
    values: dict[str, float | None] = {
        **figures_with_limits(entry),
        "degenerate": share,
        "saturated": figures.saturated_share,
        "black": figures.black_share,
        "finished": entry.finished.timestamp() if entry.finished else None,
    }
    attributes: dict[str, float | str | None] = {
        f"data_{key}": None if value is None else f"{value:.10g}" for key, value in values.items()
    }
    return attributes | {"data_order": order}
