"""From an output folder to its page: collect, draw the thumbnails side by side, render, write."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from mvps.errors import InputError
from mvps.files import write_text
from mvps.report.collect import collect
from mvps.report.page import render
from mvps.report.thumbs import draw, plan_thumbnails

PAGE = "report.html"


@dataclass(frozen=True)
class ReportSummary:
    """What the page at ``path`` tells: how many stacks ended in which way."""

    path: Path
    done: int
    failed: int
    incomplete: int


def write_report(out: Path, *, defaults: Mapping[str, Any] | None = None) -> ReportSummary:
    """Write ``report.html`` into the folder of a run.

    Parameters
    ----------
    out : what ``mvps normals`` wrote: one stack or a tree of them
    defaults : options as they are without a word; the page names those of the run that differ

    Raises
    ------
    InputError
        ``out`` is missing, holds no trace of a run or cannot be written to.
    """
    collection = collect(out)
    task = partial(draw, out=out, plan=plan_thumbnails(collection.done))
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        drawn = list(pool.map(task, collection.done))
    page = render(collection, drawn, defaults=defaults or {}, written=datetime.now(UTC))
    path = out / PAGE
    try:
        write_text(path, page)
    except OSError as error:
        raise InputError(path, f"cannot be written ({error.strerror})") from None
    return ReportSummary(
        path, len(collection.done), len(collection.failed), len(collection.incomplete)
    )
