"""What a report about a detector is made from: scored images, grouped by part and by category."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvps.datasets.record import GOOD, Record
from mvps.detect.preprocess import Preprocess

OK, NG = "OK", "NG"


@dataclass(frozen=True)
class ScoredImage:
    """One view with what the detector said about it.

    Attributes
    ----------
    verdict : OK, NG or "" without a threshold
    read_map : reads the anomaly map (H, W) float32; None where none was kept
    """

    record: Record
    score: float
    verdict: str
    read_map: Callable[[], NDArray[np.float32]] | None


@dataclass(frozen=True)
class Specimen:
    """All views of a part; its score is the highest of them."""

    images: tuple[ScoredImage, ...]
    score: float
    verdict: str

    @property
    def category(self) -> str:
        """Kind of part."""
        return self.images[0].record.category

    @property
    def name(self) -> str:
        """Name of the part within its category."""
        return self.images[0].record.sample

    @property
    def defective(self) -> bool:
        """Whether any view is marked defective."""
        return any(image.record.label for image in self.images)

    @property
    def defect(self) -> str:
        """Kind of the defect, "good" without one."""
        kinds = (image.record.defect for image in self.images if image.record.label)
        return next(kinds, GOOD)

    @property
    def shown_name(self) -> str:
        """Name with the kind of its defect."""
        return f"{self.name}, {self.defect}" if self.defective else self.name


@dataclass(frozen=True)
class Limits:
    """Scores of one category above which a view, and a whole part, is NG; None where unknown."""

    view: float | None = None
    sample: float | None = None


@dataclass(frozen=True)
class Study:
    """Everything that a report tells.

    Attributes
    ----------
    name : of the run
    facts : what the run was, as pairs of words
    specimens : of the test set, in the order of the data set
    limits : by category
    preprocess : of the images that the maps are of
    """

    name: str
    facts: tuple[tuple[str, str], ...]
    specimens: tuple[Specimen, ...]
    limits: Mapping[str, Limits]
    preprocess: Preprocess

    @property
    def kept(self) -> float:
        """Share of the sides of an image that its anomaly map covers, about the centre."""
        return 1.0 if self.preprocess.tile else self.preprocess.crop / self.preprocess.resize

    @property
    def labelled(self) -> bool:
        """Whether anything is known to be defective."""
        return any(specimen.defective for specimen in self.specimens)

    def categories(self) -> dict[str, tuple[Specimen, ...]]:
        """Specimens by category, both in their order."""
        found: dict[str, list[Specimen]] = {}
        for specimen in self.specimens:
            found.setdefault(specimen.category, []).append(specimen)
        return {name: tuple(specimens) for name, specimens in found.items()}


def group(images: Iterable[ScoredImage], verdicts: Mapping[tuple[str, str], str]) -> list[Specimen]:
    """Specimens of images, in the order of their first view.

    Parameters
    ----------
    verdicts : by category and sample; a sample without one is NG where a view is
    """
    views: dict[tuple[str, str], list[ScoredImage]] = {}
    for image in images:
        views.setdefault((image.record.category, image.record.sample), []).append(image)
    return [
        Specimen(
            tuple(found),
            max(image.score for image in found),
            verdicts.get(key) or _verdict(found),
        )
        for key, found in views.items()
    ]


def _verdict(images: Sequence[ScoredImage]) -> str:
    if any(image.verdict == NG for image in images):
        return NG
    return OK if all(image.verdict for image in images) else ""


def scores_of(specimens: Sequence[Specimen], *, defective: bool) -> NDArray[np.float64]:
    """Scores of the sound, or of the defective, specimens."""
    return np.array([s.score for s in specimens if s.defective == defective], np.float64)
