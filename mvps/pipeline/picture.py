"""The colour picture of a stack, which its maps are given for whoever needs both."""

from __future__ import annotations

from pathlib import Path

from mvps.errors import MvpsError
from mvps.images import ImageRef, probe
from mvps.pipeline.options import RunOptions
from mvps.pipeline.plan import PlannedStack

PICTURE = "rgb"  # and the ending of the file


def picture_of(planned: PlannedStack, options: RunOptions) -> tuple[Path | None, str]:
    """Colour picture that shows the pixels of the maps, and a warning where it cannot be used.

    None without a warning where the stack has none or the options want none, or where its maps
    have other pixels by choice: undistorted, binned or cut out.
    """
    stack = planned.stack
    raw, size = stack.infos[0], (planned.width, planned.height)
    if not options.picture or stack.rgb is None or planned.view.changes:
        return None, ""
    if (raw.width, raw.height) != size:
        return None, ""
    try:
        info = probe(ImageRef(stack.rgb), max_pixels=options.max_pixels)
    except (MvpsError, OSError) as error:
        return None, f"{stack.title}: goes on without its colour picture: {error}"
    if (info.width, info.height) != size:
        what = f"{info.width} x {info.height} px, not {size[0]} x {size[1]}"
        return None, f"{stack.title}: goes on without {stack.rgb}: it has {what}"
    return stack.rgb, ""
