"""Tables of a scored data set: by category, kind and size of the defect, and viewpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mvps.datasets.words import category_of
from mvps.detect.evaluation import Evaluation, flat_figures, means
from mvps.detect.published import beside
from mvps.detect.tables import Cell, Table
from mvps.metrics import CONNECTIVITY, MASK_RULE

_OF_ALL = ("I-AUROC", "I-AP", "I-F1", "S-AUROC", "S-AP", "S-F1", "P-AUROC", "P-AP", "P-F1", "AUPRO")
_OF_PARTS = ("I-AUROC", "I-AP", "P-AUROC", "P-AP", "AUPRO")
_MEAN = "mean"
_ABOVE = frozenset({"top", "above", "top_down", "topdown", "top_view"})  # of table 2's one view


def figure_tables(facts: Mapping[str, Any]) -> list[Table]:
    """Tables of the figures in ``scores.json``; none without labels.

    Categories of the paper stand beside its tables 2 and 3, as published.

    Raises
    ------
    InputError
        The figures are damaged.
    """
    if "metrics" not in facts:
        return []
    found = Evaluation.from_json(facts["metrics"])
    return [
        _categories(found, facts.get("maps", {})),
        *_kinds(found),
        *_sizes(found),
        _views(found),
        *_published(found),
    ]


def _categories(found: Evaluation, maps: Mapping[str, Any]) -> Table:
    size = maps.get("size", "")
    shape = f"{size[1]} x {size[0]} px" if isinstance(size, list) else f"size {size}"
    note = (
        f"I: views, S: parts by their highest view, P: pixels. Maps of {shape}, stored as "
        f"{maps.get('kind', '')}; {MASK_RULE}; {CONNECTIVITY}-connected regions; AUPRO up to a "
        f"false-positive rate of {found.limit:g}; {found.rule}."
    )
    rows = {**found.figures(), _MEAN: found.mean()}
    return _table("categories", "By category", "category", _OF_ALL, rows, note)


def _kinds(found: Evaluation) -> list[Table]:
    note = "Views that show a defect of the kind against all sound views; mean over categories."
    rows = {kind: found.mean(kind) for kind in found.defects}
    tables = (
        [_table("defects", "By kind of defect", "defect", _OF_PARTS, rows, note)] if rows else []
    )
    each = {
        f"{category}, {kind}": figures
        for kind in found.defects
        for category, figures in found.figures(kind).items()
    }
    if len(found.categories) > 1 and each:
        ordered = dict(sorted(each.items()))
        title = "By category and kind of defect"
        note = "Views that show a defect of the kind against all sound views of the category."
        tables.append(_table("category_defects", title, "category", _OF_PARTS, ordered, note))
    return tables


def _sizes(found: Evaluation) -> list[Table]:
    rows = {}
    for number, name in enumerate(found.sizes):
        sizes = [c.sizes[number] for c in found.categories.values() if number < len(c.sizes)]
        low, high = min(s.smallest for s in sizes), max(s.largest for s in sizes)
        rows[f"{name}: {low:.3%} to {high:.3%}"] = found.mean(name)
    note = "Quartiles within each category, by share of the image; edges over all categories."
    return [_table("sizes", "By size of the defect", "size", _OF_PARTS, rows, note)] if rows else []


def _views(found: Evaluation) -> Table:
    names = sorted({view for c in found.categories.values() for view in c.views})
    rows = {
        view or "the only one": means(
            [flat_figures(c.views[view]) for c in found.categories.values() if view in c.views]
        )
        for view in names
    }
    note = "All views of one viewpoint by the label of the data set; mean over categories."
    return _table("views", "By viewpoint", "view", _OF_PARTS, rows, note)


def _published(found: Evaluation) -> list[Table]:
    """Table 2 beside the view from above, or the only one; table 3 beside all views."""
    above = {}
    for name, category in found.categories.items():
        named = [v for v in category.views if category_of(v) in _ABOVE or len(category.views) == 1]
        above[name] = flat_figures(category.views[named[0]]) if named else {}
    tables = beside(2, above), beside(3, found.figures())
    return [table for table in tables if table is not None]


def _table(  # noqa: PLR0917 (the parts of a table, in the order in which it is read)
    name: str,
    title: str,
    first: str,
    columns: tuple[str, ...],
    rows: Mapping[str, Mapping[str, float]],
    note: str,
) -> Table:
    cells: tuple[tuple[Cell, ...], ...] = tuple(
        (row, *(figures.get(column, float("nan")) for column in columns))
        for row, figures in rows.items()
    )
    return Table(name, title, (first, *columns), cells, note)
