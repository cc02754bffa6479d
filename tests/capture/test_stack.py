"""A stack is whole or refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from mvps.capture import Stack
from mvps.capture.stack import image_ref
from mvps.errors import InputError
from mvps.images import ImageRef, RawLayout
from mvps.lights import from_directions

GOOD = {
    "name": "a/top",
    "images": tuple(ImageRef(Path(f"{i}.png")) for i in range(3)),
    "lights": from_directions(np.eye(3), source="l.lp"),
    "layout": "rti",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": GOOD["images"][:2]}, "l.lp: 2 images for 3 lights"),
        ({"flats": GOOD["images"][:1]}, "l.lp: 1 flat fields for 3 lights"),
        ({"bayer": "rgbg"}, "l.lp: unknown Bayer pattern 'rgbg'; known are rggb, bggr, grbg, gbrg"),
    ],
)
def test_a_stack_whose_parts_do_not_go_together_is_refused(change, message):
    with pytest.raises(InputError) as caught:
        Stack(**{**GOOD, **change})

    assert str(caught.value) == message


def test_only_headerless_files_take_the_raw_layout():
    layout = RawLayout("u8", 4, 3)

    assert image_ref(Path("a.raw"), layout) == ImageRef(Path("a.raw"), raw=layout)
    assert image_ref(Path("a.dat"), layout) == ImageRef(Path("a.dat"), raw=layout)
    assert image_ref(Path("a.tif"), layout, page=2) == ImageRef(Path("a.tif"), 2)
    with pytest.raises(InputError, match=r"a\.bin: has no header; declare raw: packing, width"):
        image_ref(Path("a.bin"), None)


def test_a_stack_can_be_sent_to_another_process():
    stack = pickle.loads(pickle.dumps(Stack(**GOOD)))

    assert stack.images == GOOD["images"]
    assert np.array_equal(stack.lights.directions, np.eye(3))
