"""Figures of the paper: as they were printed, its contradictions found, never mixed with ours."""

from __future__ import annotations

import csv
import io
import tomllib
from pathlib import Path

import pytest

from mvps.detect.published import AS_PUBLISHED, ablation_table, beside, cautions, published

OURS = {"fuse-holder": {"I-AUROC": 0.5, "P-AUROC": 0.75}, "jst_header": {"I-AUROC": 0.125}}


@pytest.mark.parametrize("number", [2, 3])
def test_every_category_has_three_figures_of_six_methods(number: int) -> None:
    table = published().tables[number]

    assert len(table.rows) == 20
    assert len(table.columns) == len(table.mean) == 18
    assert table.columns[-1] == ("CPRN", "AUPRO")
    for cells in (*table.rows.values(), table.mean):
        assert len(cells) == 18
        assert all(0 <= float(cell) <= 1 for cell in cells)


def test_both_tables_are_of_the_same_categories() -> None:
    tables = published().tables
    assert set(tables[2].rows) == set(tables[3].rows)


def test_the_ablation_ends_in_the_mean_of_table_3() -> None:
    tables = published().tables
    full = dict(zip(tables[4].metrics, tables[4].rows["CPRN (Full Model)"], strict=True))
    mean = dict(zip(tables[3].columns, tables[3].mean, strict=True))

    assert {len(cells) for cells in tables[4].rows.values()} == {4}
    assert len(tables[4].rows) == 5
    assert [full[m] for m in tables[3].metrics] == [mean["CPRN", m] for m in tables[3].metrics]


def test_cells_that_the_papers_text_repeats() -> None:
    # Sections 5.2, 5.3 and 5.5 quote these from its tables.
    tables = published().tables
    mean = dict(zip(tables[2].columns, tables[2].mean, strict=True))
    assert mean["M3DM", "I-AUROC"] == "0.841" and mean["M3DM", "AUPRO"] == "0.830"
    assert mean["SimpleNet", "I-AUROC"] == "0.659" and mean["SimpleNet", "AUPRO"] == "0.629"
    assert tables[3].column("InpFormer", "I-AUROC")["common_mode_filter"] == 0.95
    assert tables[3].column("D3M", "I-AUROC")["lego_propeller"] == 1.0
    assert tables[4].column("", "AUPRO")["Naive Fusion (Concat)"] == 0.8104


def test_printed_means_that_their_rows_contradict_are_found() -> None:
    found = {
        number: {(d.method, d.metric): (d.printed, float(d.other)) for d in table.differences()}
        for number, table in published().tables.items()
    }

    # Means of the printed rows; those of AST AUPRO add up to 9.810, a twentieth is .4905.
    assert found[2] == {
        ("Cflow", "I-AUROC"): ("0.645", pytest.approx(0.64575, abs=6e-5)),
        ("AST", "I-AUROC"): ("0.776", pytest.approx(0.76315, abs=6e-5)),
        ("AST", "P-AUROC"): ("0.699", pytest.approx(0.6896, abs=6e-5)),
        ("AST", "AUPRO"): ("0.521", pytest.approx(0.4905, abs=6e-5)),
        ("PatchCore", "AUPRO"): ("0.790", pytest.approx(0.77975, abs=6e-5)),
        ("M3DM", "AUPRO"): ("0.830", pytest.approx(0.8210, abs=6e-5)),
        ("CPRN", "P-AUROC"): ("0.968", pytest.approx(0.9674, abs=6e-5)),
        ("CPRN", "AUPRO"): ("0.841", pytest.approx(0.84525, abs=6e-5)),
    }
    assert set(found[3]) == {
        ("PatchCore", "P-AUROC"),
        *(("M3DM", metric) for metric in ("I-AUROC", "P-AUROC", "AUPRO")),
        *(("Dinomaly", metric) for metric in ("I-AUROC", "P-AUROC", "AUPRO")),
        *(("InpFormer", metric) for metric in ("I-AUROC", "P-AUROC", "AUPRO")),
    }
    assert found[4] == {("", "AUPRO"): ("0.6952", 0.7952)}


def test_two_cautions_of_one_line_each() -> None:
    offset, loss = cautions()

    assert "\n" not in offset + loss
    # Means over 20 categories of table 3 minus table 2: .0572, .0669 and .2116 over 20.
    assert "I-AUROC +0.0029, P-AUROC +0.0033, AUPRO +0.0106 in all 20 categories" in offset
    assert "last layer" in loss


def test_categories_of_the_paper_alone_stand_beside_it() -> None:
    table = beside(3, OURS)
    assert table is not None
    rows = list(csv.reader(io.StringIO(table.to_csv())))

    assert [row[0] for row in rows[1:]] == [
        "fuse-holder",
        "mean of these rows",
        "mean of 20, as printed",
    ]
    # Ours over the row shown alone; printed digits as they are; no figure of ours in their mean.
    assert rows[1][1:4] == ["0.5", "0.75", ""]
    assert rows[2][1:4] == ["0.5", "0.75", ""]
    assert rows[1][-3:] == ["0.9983", "0.9972", "0.9901"]
    assert rows[3][1:4] == ["", "", ""]
    assert rows[3][-3:] == ["0.9759", "0.9707", "0.8558"]
    assert all(AS_PUBLISHED in head for head in rows[0][4:])
    assert not any(AS_PUBLISHED in head for head in rows[0][:4])


def test_without_a_common_category_there_is_no_table() -> None:
    assert beside(2, {"jst_header": {"I-AUROC": 1.0}}) is None


def test_every_form_bears_mark_source_cautions_and_footnote() -> None:
    beside_2 = beside(2, OURS)
    assert beside_2 is not None
    for table in (beside_2, ablation_table()):
        for text in (table.to_markdown(), table.to_latex()):
            assert AS_PUBLISHED in text
            assert "arXiv:2605.07149v1" in text
            assert "for reference, no targets" in text
    assert "0.521†" in beside_2.to_markdown()
    assert "AST AUPRO prints 0.521, its rows give 0.4905" in beside_2.to_markdown()
    assert r"0.521$\dagger$" in beside_2.to_latex()
    assert "{CPRN (NV+RGB), as published}" in beside_2.to_latex()
    four = ablation_table().to_markdown()
    assert "other data: not comparable" in four
    assert "the table prints 0.6952, the text 0.7952" in four


def test_the_figures_are_installed_with_the_package() -> None:
    root = Path(__file__).resolve().parents[2]
    stated = tomllib.loads((root / "pyproject.toml").read_text())
    assert "published.json" in stated["tool"]["setuptools"]["package-data"]["mvps.detect"]
