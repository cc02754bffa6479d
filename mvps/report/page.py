"""The page: what failed, what the run was, how its stacks are distributed, and every stack."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from mvps.report.cards import ORDERS, Limits, anchor, card, figures_with_limits
from mvps.report.charts import Value, distribution
from mvps.report.collect import Collection, StackEntry
from mvps.report.document import document, resource
from mvps.report.markup import Markup, escape, join, tag, void
from mvps.report.numbers import count, decimal, duration, fences, megapixels, percent
from mvps.report.thumbs import Thumbnails, residual_colours

_LISTED = 20  # failures in full view; the rest unfolds
_VARIANTS = 5  # different sets of options named
# Figure, title, how it is written, and the quartile range that does not matter yet.
_CHARTS = (
    ("solved", "Valid in the mask", percent, 0.0),
    ("residual", "Residual RMS", decimal, 0.0),
    ("seconds", "Time a stack", duration, 0.1),
)


def render(
    collection: Collection,
    drawn: Sequence[Thumbnails],
    *,
    defaults: Mapping[str, Any],
    written: datetime,
) -> str:
    """The whole page.

    Parameters
    ----------
    drawn : thumbnails of ``collection.done``, in its order
    defaults : options that need no mention
    written : when the page is made
    """
    limits = {key: fences(_known(collection.done, key), least) for key, _, _, least in _CHARTS}
    title = f"{collection.out.resolve().name or 'out'} – mvps report"
    body = (
        _header(collection, defaults, written),
        tag(
            "main",
            _failures("Failed", "failed", collection.failed),
            _failures("Incomplete", "incomplete", collection.incomplete),
            _distributions(collection.done, limits),
            _gallery(collection.done, drawn, limits),
        ),
    )
    style, script = resource("report.css"), resource("report.js")
    return document(title, *body, style=style, script=script)


def _header(collection: Collection, defaults: Mapping[str, Any], written: datetime) -> Markup:
    done = collection.done
    rows: list[tuple[str, Sequence[str]]] = [
        ("Folder", [tag("bdi", str(collection.out.resolve()))]),
        ("Run", [_dates(done)]),
        ("Options", _options(done, defaults)),
        ("Device", _common(_device(entry) for entry in done)),
        ("Versions", _common(_versions(entry) for entry in done)),
        ("Page", [f"written {written:%Y-%m-%d %H:%M} UTC"]),
    ]
    if collection.broken_lines:
        lines = count(collection.broken_lines, "line")
        rows.append(("Manifest", [f"{lines} cut short and passed over"]))
    facts = (
        tag("div", tag("dt", name), (tag("dd", value) for value in values))
        for name, values in rows
        if any(values)
    )
    name = collection.out.resolve().name or str(collection.out)
    return tag(
        "header",
        tag("a", "Skip to the stacks", href="#stacks", class_="skip"),
        tag("h1", tag("bdi", name)),
        tag("ul", _totals(collection), class_="totals"),
        tag("dl", facts, class_="facts"),
        class_="page",
    )


def _totals(collection: Collection) -> list[Markup]:
    done = collection.done
    figures = [entry.figures for entry in done]
    pixels = sum(f.pixels or 0 for f in figures)
    valid = sum(f.shown or 0 for f in figures if f.pixels)
    seconds = [f.seconds for f in figures if f.seconds is not None]
    totals = [
        (f"{len(done):,}", "done", ""),
        (f"{len(collection.failed):,}", "failed", "failed" if collection.failed else ""),
    ]
    if collection.incomplete:
        totals.append((f"{len(collection.incomplete):,}", "incomplete", "warned"))
    if warned := sum(bool(entry.warnings) for entry in done):
        totals.append((f"{warned:,}", "with warnings", "warned"))
    if pixels:
        totals += [(megapixels(pixels), "of maps", ""), (percent(valid / pixels), "valid", "")]
    if seconds:
        totals.append((duration(sum(seconds) / len(seconds)), "a stack", ""))
    return [
        tag("li", tag("b", figure), " ", what, class_=kind or None) for figure, what, kind in totals
    ]


def _dates(done: Iterable[StackEntry]) -> str:
    moments = [entry.finished for entry in done if entry.finished is not None]
    if not moments:
        return ""
    first, last = f"{min(moments):%Y-%m-%d %H:%M}", f"{max(moments):%Y-%m-%d %H:%M}"
    return f"finished {first} UTC" if first == last else f"finished {first} to {last} UTC"


def _options(done: Sequence[StackEntry], defaults: Mapping[str, Any]) -> list[str]:
    return _common(_changed(entry.options, defaults) for entry in done)


def _changed(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """The options that a run was given, in words."""
    given = {key: value for key, value in options.items() if value != defaults.get(key)}
    words = (
        key if value is True else f"{key} {_plain(value)}" for key, value in sorted(given.items())
    )
    return ", ".join(words) or "defaults"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{key} {_plain(item)}" for key, item in value.items())
    return value if isinstance(value, str) else json.dumps(value)


def _device(entry: StackEntry) -> str:
    more = ", ".join(f"{key} {value}" for key, value in entry.device.items() if key != "name")
    name = entry.device.get("name", "")
    return f"{name} ({more})" if name and more else name


def _versions(entry: StackEntry) -> str:
    return ", ".join(f"{name} {version}" for name, version in entry.versions.items())


def _common(descriptions: Iterable[str]) -> list[str]:
    """What all stacks share; or each variant with the number of stacks that have it."""
    variants = Counter(text for text in descriptions if text)
    if len(variants) <= 1:
        return list(variants)
    lines = [f"{text} ({count(n, 'stack')})" for text, n in variants.most_common(_VARIANTS)]
    if len(variants) > _VARIANTS:
        lines.append(f"and {len(variants) - _VARIANTS} more variants")
    return lines


def _failures(title: str, kind: str, entries: Sequence[StackEntry]) -> Markup:
    if not entries:
        return Markup("")
    items = [
        tag("li", tag("b", tag("bdi", entry.name)), " ", tag("bdi", entry.reason))
        for entry in entries
    ]
    rest: Markup | str = ""
    if len(items) > _LISTED:
        summary = tag("summary", f"and {len(items) - _LISTED:,} more")
        rest = tag("details", summary, tag("ul", items[_LISTED:]))
    heading = tag("h2", f"{title}: {count(len(items), 'stack')}")
    return tag("section", heading, tag("ul", items[:_LISTED]), rest, class_=f"faults {kind}")


def _known(done: Sequence[StackEntry], key: str) -> list[float]:
    figures = (figures_with_limits(entry)[key] for entry in done)
    return [figure for figure in figures if figure is not None]


def _distributions(done: Sequence[StackEntry], limits: Limits) -> Markup:
    charts = []
    for key, title, show, _ in _CHARTS:
        values = [
            Value(number, entry.name, anchor(order))
            for order, entry in enumerate(done)
            if (number := figures_with_limits(entry)[key]) is not None
        ]
        charts.append(distribution(title, values, limits[key], show))
    if not any(charts):
        return Markup("")
    return tag("section", tag("h2", "Distributions"), tag("div", charts, class_="charts"))


def _gallery(done: Sequence[StackEntry], drawn: Sequence[Thumbnails], limits: Limits) -> Markup:
    if not done:
        return Markup("")
    cards = (
        card(entry, thumbnails, order, limits)
        for order, (entry, thumbnails) in enumerate(zip(done, drawn, strict=True))
    )
    return tag(
        "section",
        tag("h2", "Stacks"),
        _controls() if len(done) > 1 else "",
        _legend(drawn),
        tag("div", cards, id="gallery"),
        tag("p", "No stack matches.", id="nothing", hidden=True),
        id="stacks",
    )


def _controls() -> Markup:
    """Sorting and filtering; shown by the script, without which they would do nothing."""
    filters = (
        ("", "all"),
        ("warned", "with warnings"),
        ("odd", "far from the rest"),
    )
    kinds = (tag("option", label, value=value) for value, label in filters)
    orders = (
        tag("option", label, value=key, data_direction=direction)
        for key, label, direction in ORDERS
    )
    return tag(
        "form",
        tag("label", "Find ", void("input", type="search", id="find", autocomplete="off")),
        tag("label", "Show ", tag("select", kinds, id="kind")),
        tag("label", "Sort by ", tag("select", orders, id="sort")),
        tag("button", "ascending", type="button", id="direction"),
        tag("label", void("input", type="checkbox", id="compact"), " compact"),
        tag("output", id="shown"),
        id="controls",
        hidden=True,
    )


def _legend(drawn: Sequence[Thumbnails]) -> Markup:
    scales = {p.scale for d in drawn for p in d.pictures if p.kind == "residual"}
    if not scales:
        return Markup("")
    colours = residual_colours(32).tolist()
    steps = (
        tag("rect", x=i, y=0, width=1.1, height=1, fill=f"#{r:02x}{g:02x}{b:02x}")
        for i, (r, g, b) in enumerate(colours)
    )
    bar = tag(
        "svg",
        steps,
        viewBox=f"0 0 {len(colours)} 1",
        preserveAspectRatio="none",
        aria_hidden="true",
    )
    end = join(escape(scale.removeprefix("0 to ")) for scale in sorted(scales))
    words = " and beyond, RMS in units of albedo, one scale for all stacks; grey: no normal"
    return tag("p", "Residual 0 ", bar, " ", end, words, class_="legend")
