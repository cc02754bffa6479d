"""File names of the Real-IAD family, taken apart from their end.

Real-IAD: ``audiojack_0001_OK_C1_20230922132131``; D3: ``audio_jack_0153_OK_RGBL05_<14 digits>``;
with views: ``jst_eh_0051_bent_pin_C1_PS_<14 digits>``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STAMP = re.compile(r"\d{14}")
_KIND = re.compile(r"(RGB(?:L\d{1,2})?|PS|XYZ|PCD|MASK|GT)", re.IGNORECASE)
_VIEW = re.compile(r"C\d{1,3}", re.IGNORECASE)
_NUMBER = re.compile(r"S?\d{3,8}")


@dataclass(frozen=True)
class ImageName:
    """What a file name says.

    Attributes
    ----------
    number : of the sample, as written
    code : class of the sample, "OK" or the words of the defect
    view : tag as "C1", "" where there is none
    kind : "RGB", "RGBL05", "PS", "XYZ", "PCD", "MASK", "" where there is none
    """

    number: str
    code: str
    view: str
    kind: str


def parse_name(file: str) -> ImageName | None:
    """Parts of a file name, with or without folders and ending; None for another kind of name."""
    words = file.rpartition("/")[2].rpartition(".")[0].split("_")
    if words and _STAMP.fullmatch(words[-1]):
        words.pop()
    kind = words.pop().upper() if words and _KIND.fullmatch(words[-1]) else ""
    view = words.pop().upper() if words and _VIEW.fullmatch(words[-1]) else ""
    for at in range(len(words) - 1, 0, -1):
        if _NUMBER.fullmatch(words[at]):
            return ImageName(words[at].lstrip("S"), "_".join(words[at + 1 :]), view, kind)
    return None
