"""The page about a detector in a real browser: pictures load, no complaint, names stay text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, Page, opened
from scored_parts import study

from mvps.detect.published import beside
from mvps.detect.tables import Table
from mvps.report.detect_write import write_detect_report

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.skipif(sys.platform == "win32", reason="its debugging pipe is used, as on Unix"),
]
TABLE = Table("figures", "Figures", ("category", "AUPRO"), (("<b>cup", 0.5), ("mean", 0.25)))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scored")
    paper = beside(3, {"knob-cap": {"I-AUROC": 0.5}})
    assert paper is not None
    return write_detect_report(study(folder), [TABLE, paper], folder / "report").path


@pytest.fixture(scope="module")
def page(report: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with opened(report, tmp_path_factory.mktemp("profile")) as found:
        yield found


def test_every_picture_loads_and_nothing_complains(page: Page) -> None:
    widths = page.picture_widths()

    # Of the first category five parts in two views and one of three kinds; of the second two parts
    # in two views and one of one kind: (5 * 2 + 3 + 2 * 2 + 1) images of four pictures.
    assert widths == [144] * 72
    assert page.complaints == []


def test_nothing_is_asked_of_a_network(page: Page) -> None:
    page.picture_widths()
    asked = [url for url in page.requests if not url.startswith("data:")]
    assert len(asked) == 1
    assert asked[0].startswith("file:")


def test_names_stay_text(page: Page) -> None:
    assert page.evaluate("document.title") == "run <1> – mvps detect report"
    assert page.evaluate("document.querySelectorAll('main b b, main i').length") == 0
    heads = page.evaluate("Array.from(document.querySelectorAll('h2'), (h) => h.textContent)")
    assert heads == [
        "Missed: 1 part",
        "False alarms: 1 part",
        "Figures",
        "Curves",
        "Scores of parts",
        "cap",
        "<b>cup",
    ]


def test_published_columns_are_marked_and_spanned(page: Page) -> None:
    spans = page.evaluate(
        "Array.from(document.querySelectorAll('th[scope=colgroup]'),"
        " (head) => [head.colSpan, head.textContent])"
    )

    assert spans[0] == [3, "this run"]
    assert [span for span, _ in spans[1:]] == [3] * 6
    assert all(name.endswith("as published") for _, name in spans[1:])
    # Table 3 of the paper has 10 means that its rows contradict.
    assert page.evaluate("document.querySelector('.grouped').innerText.match(/†/g).length") == 10


def test_totals_count_parts(page: Page) -> None:
    totals = page.evaluate("document.querySelector('.totals').innerText").split("\n")

    # Four of five defective parts score above 0.5, and one of three sound ones.
    assert totals == [
        "2 categories",
        "8 parts",
        "16 images",
        "80.0 % of the defective parts found",
        "33.3 % of the sound parts called NG",
    ]


def test_every_link_leads_to_a_file_or_a_place_of_the_page(page: Page, report: Path) -> None:
    links = page.evaluate("Array.from(document.links, (a) => a.getAttribute('href'))")
    places = [link[1:] for link in links if link.startswith("#")]
    files = [link for link in links if not link.startswith("#")]

    assert places == ["c0", "c1"]
    assert page.evaluate(f"{places}.every((id) => document.getElementById(id))")
    assert len(files) >= 3
    assert all((report.parent / file).is_file() for file in files)


@pytest.mark.parametrize("width", [320, 1400])
def test_the_page_never_scrolls_sideways(page: Page, width: int, tmp_path: Path) -> None:
    page.look(tmp_path / "look.png", width=width, height=900)

    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
