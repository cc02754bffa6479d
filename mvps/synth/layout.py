"""Names in a rendered data set: the tree of Real-IAD D3 with a tag for the view.

Every name follows from category, sample, class and view, so that a run can be taken up again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

OK = "OK"
EPOCH = datetime(2025, 1, 1)  # of the 14 digits: a sample a minute, a view a second
SETTINGS = "dataset.yml"
CONTACT = "contact.png"
RECORDS, RAW, TRUTH = "records", "raw", "truth"
SUFFIXES = {"png": ".png", "png16": ".png", "tif": ".tif", "jpg": ".jpg"}


@dataclass(frozen=True)
class SampleName:
    """One specimen of a data set.

    Attributes
    ----------
    category : name of the part
    number : from 1, through sound and defective specimens
    anomaly_class : "OK" or the kind of the defect
    """

    category: str
    number: int
    anomaly_class: str = OK

    @property
    def sample(self) -> str:
        """``S0001``."""
        return f"S{self.number:04d}"

    @property
    def folder(self) -> Path:
        """Folder of the sample below the category's."""
        above = Path(OK) if self.anomaly_class == OK else Path("NG") / self.anomaly_class
        return above / self.sample

    def image(self, tag: str, kind: str, suffix: str = ".png") -> Path:
        """Path of an image below the category's folder.

        Parameters
        ----------
        tag : of the view, "C1"
        kind : "RGB", "PS" or "MASK"
        """
        stamp = EPOCH + timedelta(minutes=self.number, seconds=int(tag[1:]))
        words = (self.category, f"{self.number:04d}", self.anomaly_class, tag, kind)
        return self.folder / f"{'_'.join(words)}_{stamp:%Y%m%d%H%M%S}{suffix}"

    @property
    def record(self) -> Path:
        """Path of the record below the data set's folder: what says that the sample is done."""
        return Path(RECORDS) / self.category / f"{self.sample}.json"


def view_tags(names: tuple[str, ...]) -> dict[str, str]:
    """``{"C1": "top", ...}`` in the order of the views."""
    return {f"C{i}": name for i, name in enumerate(names, 1)}


def rng_for(seed: int, *words: object) -> np.random.Generator:
    """Random numbers that follow from a seed and a name, whatever runs before or beside."""
    text = "/".join(map(str, (seed, *words)))
    return np.random.default_rng(list(hashlib.sha256(text.encode()).digest()))


def seed_for(seed: int, *words: object) -> int:
    """24 bits that follow from a seed and a name, as a renderer takes them."""
    return int(rng_for(seed, *words).integers(1 << 24))
