"""The page in a real browser: pictures load, nothing complains, sorting and filtering work."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, Page, opened
from runs import manifest_line, record, write_maps, write_stack

from mvps.report import write_report

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.skipif(sys.platform == "win32", reason="its debugging pipe is used, as on Unix"),
]
NAMES = "Array.from(document.querySelectorAll('.card:not([hidden]) h3'), (h) => h.textContent)"


def choose(page: Page, name: str, value: str) -> None:
    """Set a control as a person would."""
    page.evaluate(
        f"""(() => {{ const control = document.getElementById({name!r});
        control.value = {value!r};
        control.dispatchEvent(new Event("input"));
        control.dispatchEvent(new Event("change")); }})()"""
    )


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    out = tmp_path_factory.mktemp("run")
    for number in range(12):
        write_stack(out, f"p{number}", residual_rms=0.02 + 0.001 * (number * 5 % 12))
    hostile = record("<script>document.title = 'gone'</script><img src=x onerror=fail()>")
    hostile["warnings"] = ["<img src=x onerror=fail()> too dark"]
    hostile["figures"]["residual_rms"] = None
    write_maps(out / "hostile")
    (out / "hostile" / "stack.json").write_text(json.dumps(hostile))
    (out / "manifest.jsonl").write_text(manifest_line("q", "failed", error="<b>broken</b>"))
    report = write_report(out).path
    with opened(report, tmp_path_factory.mktemp("profile")) as found:
        yield found


def test_every_picture_loads_and_nothing_complains(page: Page) -> None:
    assert page.picture_widths() == [40] * 39
    assert page.complaints == []


def test_nothing_is_asked_of_a_network(page: Page) -> None:
    page.picture_widths()
    asked = [url for url in page.requests if not url.startswith("data:")]
    assert len(asked) == 1
    assert asked[0].startswith("file:")


def test_hostile_names_stay_text(page: Page) -> None:
    assert page.evaluate("document.title").endswith("mvps report")
    assert page.evaluate("document.querySelector('.faults li').textContent") == "q <b>broken</b>"


def test_stacks_are_sorted_with_unknown_figures_last(page: Page) -> None:
    choose(page, "sort", "residual")
    worst = page.evaluate(NAMES)
    page.evaluate("document.getElementById('direction').click()")
    best = page.evaluate(NAMES)
    choose(page, "sort", "order")

    # number * 5 % 12 is 11 for 7, 10 for 2, 9 for 9; and 0 for 0, 1 for 5, 2 for 10.
    assert worst[:3] == ["p7", "p2", "p9"]
    assert best[:3] == ["p0", "p5", "p10"]
    assert worst[-1] == best[-1]
    assert worst[-1].startswith("<script>")
    assert page.evaluate(NAMES)[1:4] == ["p0", "p1", "p2"]


def test_stacks_are_found_by_name_and_by_warning(page: Page) -> None:
    choose(page, "find", "P1")
    by_name = page.evaluate(NAMES)
    choose(page, "find", "")
    choose(page, "kind", "warned")
    warned = page.evaluate(NAMES)
    count = page.evaluate("document.getElementById('shown').textContent")
    choose(page, "find", "no such stack")
    nothing = page.evaluate("document.getElementById('nothing').hidden")
    choose(page, "find", "")
    choose(page, "kind", "")

    assert by_name == ["p1", "p10", "p11"]
    assert len(warned) == 1
    assert warned[0].startswith("<script>")
    assert count == "1 of 13"
    assert nothing is False


@pytest.mark.parametrize("width", [320, 1400])
def test_the_page_never_scrolls_sideways(page: Page, width: int, tmp_path: Path) -> None:
    page.look(tmp_path / "look.png", width=width, height=900)

    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
