"""Tables as papers print them, and the published figures that stand in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvps.errors import InputError
from mvps.stereo.published import DILIGENT, PUBLISHED, benchmark_name, published_errors
from mvps.stereo.tables import ErrorTable, Row, TableFiles, as_csv, as_latex, as_markdown

TABLE = ErrorTable(
    ("ball", "part_01/top"),
    (Row("ls", (4.09624, 5.0)), Row("50% & more", (1.0, None))),
    ("as published: somebody",),
)


def test_csv_has_four_decimals_and_empty_cells() -> None:
    assert as_csv(TABLE) == (
        "method,ball,part_01/top,average\nls,4.0962,5.0000,4.5481\n50% & more,1.0000,,\n"
    )


def test_markdown_has_two_decimals_and_its_notes() -> None:
    assert as_markdown(TABLE) == (
        "| method | ball | part_01/top | average |\n"
        "| --- | ---: | ---: | ---: |\n"
        "| ls | 4.10 | 5.00 | 4.55 |\n"
        "| 50% & more | 1.00 |  |  |\n"
        "\nas published: somebody\n"
    )


def test_latex_is_booktabs_with_names_escaped() -> None:
    assert as_latex(TABLE) == (
        "% as published: somebody\n"
        "\\begin{tabular}{lrrr}\n"
        "\\toprule\n"
        "method & ball & part\\_01/top & average \\\\\n"
        "\\midrule\n"
        "ls & 4.10 & 5.00 & 4.55 \\\\\n"
        "50\\% \\& more & 1.00 &  &  \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
    )


def test_an_average_that_lacks_an_object_is_no_average() -> None:
    assert Row("a", (1.0, 2.0, 6.0)).average == 3.0
    assert Row("a", (1.0, None)).average is None
    assert Row("a", ()).average is None
    with pytest.raises(ValueError, match="2 errors"):
        ErrorTable(("a", "b"), (Row("a", (1.0,)),))


def test_every_form_is_written(tmp_path: Path) -> None:
    files = TableFiles(tmp_path / "t.csv", tmp_path / "t.md", tmp_path / "t.tex")

    assert files.write(TABLE) == (tmp_path / "t.csv", tmp_path / "t.md", tmp_path / "t.tex")
    assert (tmp_path / "t.csv").read_text() == as_csv(TABLE)
    assert (tmp_path / "t.md").read_text() == as_markdown(TABLE)
    assert (tmp_path / "t.tex").read_text() == as_latex(TABLE)


def test_files_that_cannot_be_written_are_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--latex: .*nowhere/t\.tex cannot be a file"):
        TableFiles(latex=tmp_path / "nowhere" / "t.tex")
    with pytest.raises(InputError, match=r"--markdown: .* is that of --csv as well"):
        TableFiles(csv=tmp_path / "t", markdown=tmp_path / "t")
    with pytest.raises(InputError, match="--csv"):
        TableFiles(csv=tmp_path)


def test_the_published_errors_have_the_published_average() -> None:
    errors = [known.errors[PUBLISHED] for known in DILIGENT.values()]

    # Shi et al. 2019 print 15.39 for least squares over the ten objects.
    assert round(np.mean(errors), 2) == 15.39


@pytest.mark.parametrize(
    ("folder", "name"),
    [("ballPNG", "ball"), ("diligent_ball", "ball"), ("POT2", "pot2"), ("football", None)],
)
def test_folders_of_the_benchmark_are_known_by_name(folder: str, name: str | None) -> None:
    assert benchmark_name(folder) == name


def test_published_figures_stand_beside_the_benchmark_alone() -> None:
    assert published_errors("ballPNG", 96, 15791) == {PUBLISHED: 4.10}
    assert published_errors("pot2PNG", 96, 35278 - 73) == {PUBLISHED: 14.65}
    assert published_errors("ball", 12, 15791) == {}  # somebody's own ball
    assert published_errors("ball", 96, 20000) == {}
    assert published_errors("part", 96, 15791) == {}
