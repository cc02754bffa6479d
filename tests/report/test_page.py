"""The page as text: escaped everywhere, complete, small, and quick for many stacks."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from running import mvps, only_error
from runs import manifest_line, record, write_maps, write_stack
from scenes import bumps, write_diligent

from mvps.report import write_report
from mvps.report.charts import Value, distribution
from mvps.report.markup import Markup, escape, tag
from mvps.report.numbers import decimal, duration, fences, percent

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u202e\ud800\x00"
VOID = {"meta", "link", "img", "input"}


class Reader(HTMLParser):
    """Tags with their attributes, and the text; fails on a page that is not nested properly."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def of(self, name: str) -> Iterator[dict[str, str | None]]:
        return (attributes for tag, attributes in self.tags if tag == name)


def page_of(out: Path, **options: object) -> str:
    return write_report(out, **options).path.read_text(encoding="utf-8")


def test_text_becomes_markup_only_escaped() -> None:
    assert tag("b", HOSTILE) == f"<b>{escape(HOSTILE)}</b>"
    assert "<script" not in escape(HOSTILE)
    assert tag("p", Markup("<i>x</i>"), "<", class_='"', hidden=True, id=None) == (
        '<p class="&quot;" hidden><i>x</i>&lt;</p>'
    )


def test_nothing_in_names_warnings_or_records_becomes_markup(tmp_path: Path) -> None:
    hostile = record(HOSTILE)
    hostile["warnings"] = [HOSTILE]
    for key in ("options", "versions", "device", "timings"):
        hostile[key] = {HOSTILE: 1.5 if key == "timings" else HOSTILE}
    hostile["inputs"] = [{"role": HOSTILE}]
    write_maps(tmp_path / "a")
    (tmp_path / "a" / "stack.json").write_text(json.dumps(hostile))
    lines = [manifest_line(HOSTILE, "failed", folder=n, error=HOSTILE) for n in "bc"]
    lines.append(manifest_line(HOSTILE, "done", folder="d"))
    (tmp_path / "manifest.jsonl").write_text("".join(lines))

    page = page_of(tmp_path)
    read = Reader(page)

    assert list(read.of("script")) == [{}]
    assert {attributes["src"][:11] for attributes in read.of("img")} == {"data:image/"}
    assert not any(name.startswith("on") for _, attributes in read.tags for name in attributes)
    assert read.text.count("<script>alert(1)</script>") >= 8
    assert "\x00" not in page


def test_a_folder_with_any_name_is_linked_below_the_page(tmp_path: Path) -> None:
    for name in ("javascript:alert(1)", "a b#c?d%e", "<script>", "ä"):
        write_stack(tmp_path, name)

    links = {attributes["href"] for attributes in Reader(page_of(tmp_path)).of("a")}

    places = {link for link in links if link.endswith("/")}
    assert places == {"./javascript%3Aalert%281%29/", "./a%20b%23c%3Fd%25e/", "./%3Cscript%3E/"} | {
        "./%C3%A4/"
    }
    assert "./a%20b%23c%3Fd%25e/preview.png" in links


def test_the_policy_admits_nothing_but_the_pages_own_script_and_style(tmp_path: Path) -> None:
    write_stack(tmp_path, "a")

    page = page_of(tmp_path)
    (policy,) = (
        a["content"]
        for a in Reader(page).of("meta")
        if a.get("http-equiv") == "Content-Security-Policy"
    )

    for kind in ("script", "style"):
        (text,) = re.findall(f"<{kind}>(.*?)</{kind}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)


def test_the_page_says_what_the_run_was(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_stack(tmp_path, name)
    lines = manifest_line("a") + manifest_line("c", "failed", error="c/L2.png: is truncated")
    (tmp_path / "manifest.jsonl").write_text(lines + '{"stack"')
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "normals.tif").write_bytes(b"")

    text = Reader(page_of(tmp_path, defaults={"encoding": "tiff", "bin": 1, "quality": False})).text

    for words in (
        "2 done 1 failed 1 incomplete",
        "75.0 % valid",
        "in mask 93.8 % residual 0.02 valid 75.0 %",
        "0.50 s a stack",
        "Options quality Device cpu (instruction set avx2) Versions mvps 0.1.0",
        "finished 2026-03-04 05:06 UTC",
        "1 line cut short",
        "Failed: 1 stack c c/L2.png: is truncated",
        "Incomplete: 1 stack d no stack.json",
        "lights 3",
        "residual 0 to 0.1",
        "read 0.25 s · solve 0.12 s with dark, mask",
    ):
        assert words in text


def test_a_stack_far_from_the_rest_is_marked_and_linked(tmp_path: Path) -> None:
    for number in range(12):
        write_stack(tmp_path, f"p{number}", valid=100 if number == 7 else 740 + number)

    read = Reader(page_of(tmp_path))

    (odd,) = (a for a in read.of("article") if "data-odd" in a)
    marks = [a["href"] for a in read.of("a") if a.get("class") == "mark"]
    assert marks == [f"#{odd['id']}"]
    # 100 of the 800 pixels inside the mask.
    assert "p7: 12.5 %" in read.text
    assert [a["class"] for a in read.of("dd") if a.get("class")] == ["odd"]


def test_fences_leave_noise_alone() -> None:
    # Quartiles 2.75 and 8.25: fences at 2.75 - 3 * 5.5 and 8.25 + 3 * 5.5.
    limits = fences([float(n) for n in range(12)])
    assert (limits.low, limits.high) == (-13.75, 24.75)
    # All alike: 6 % of the median either way.
    alike = fences([1.0] * 20)
    assert alike.outside(1.07)
    assert not alike.outside(1.05)
    assert not alike.outside(None)
    # Milliseconds more or less do not matter: from .02 to .02 + 3 * .1.
    quick = fences([0.02] * 20, least=0.1)
    assert not quick.outside(0.31)
    assert quick.outside(0.33)
    assert not fences([1, 1, 1, 99]).outside(99)


def test_a_distribution_needs_three_values_and_survives_equal_ones() -> None:
    values = [Value(0.5, f"s{n}", f"s{n}") for n in range(3)]

    limits = fences([0.5] * 3)
    drawn = distribution("Valid", values, limits, percent)

    assert distribution("Valid", values[:2], limits, percent) == ""
    assert "median 50.0 %, from 50.0 % to 50.0 %" in drawn
    assert "nan" not in drawn


def test_numbers_are_written_for_people() -> None:
    assert [percent(x) for x in (None, 0, 0.0001, 0.6325, 0.9999, 1)] == [
        "–",
        "0.0 %",
        "< 0.1 %",
        "63.2 %",
        "> 99.9 %",
        "100.0 %",
    ]
    assert [duration(s) for s in (0.0213, 0.146, 12.3, 200, 18_120)] == [
        "21 ms",
        "0.15 s",
        "12 s",
        "3 min 20 s",
        "5 h 02 min",
    ]
    assert decimal(0.02256) == "0.0226"


def test_five_hundred_stacks_are_quick_and_small(tmp_path: Path) -> None:
    write_maps(tmp_path / "p0", 640, 480)
    maps = list((tmp_path / "p0").iterdir())
    for number in range(500):
        folder = tmp_path / f"p{number}"
        folder.mkdir(exist_ok=True)
        (folder / "stack.json").write_text(json.dumps(record(f"p{number}")))
        for path in maps if number else ():
            (folder / path.name).symlink_to(path)

    started = time.process_time()
    summary = write_report(tmp_path)
    seconds = time.process_time() - started

    assert summary.done == 500
    assert seconds < 20  # about 3 on one core, were the machine idle
    assert summary.path.stat().st_size < 20e6
    pictures = list(Reader(summary.path.read_text(encoding="utf-8")).of("img"))
    assert len(pictures) == 1500
    assert sum(picture.get("loading") == "lazy" for picture in pictures) >= 1485


def test_the_command_prints_the_path_and_the_run_writes_the_page(tmp_path: Path) -> None:
    write_diligent(tmp_path / "raw" / "good", bumps(24, 32))
    write_diligent(tmp_path / "raw" / "bad", bumps(24, 32))
    (tmp_path / "raw" / "bad" / "003.tif").unlink()
    out = tmp_path / "out"

    run = mvps("normals", tmp_path / "raw", out, "--quality", "--report")
    first = Reader((out / "report.html").read_text(encoding="utf-8"))
    (out / "report.html").unlink()
    later = mvps("report", out)
    as_json = mvps("report", out, "--json")

    assert run.returncode == 1
    assert f"report: {out / 'report.html'}" in run.stderr
    assert "1 done 1 failed" in first.text
    assert "Options quality" in first.text
    assert len(list(first.of("img"))) == 4
    assert (later.returncode, later.stdout.strip()) == (0, str(out / "report.html"))
    assert json.loads(as_json.stdout) == {
        "report": str(out / "report.html"),
        "done": 1,
        "failed": 1,
        "incomplete": 0,
    }
    assert not list(out.glob(".*.part"))


def test_a_folder_without_a_run_ends_with_one_line(tmp_path: Path) -> None:
    result = mvps("report", tmp_path)

    assert result.returncode == 2
    assert "holds nothing that mvps normals wrote" in only_error(result)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["report.css", "report.js"])
def test_style_and_script_cannot_end_their_element(name: str) -> None:
    from importlib.resources import files

    assert "</" not in files("mvps.report").joinpath(name).read_text(encoding="utf-8")
