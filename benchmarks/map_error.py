"""Largest angle between normal maps of the same stack, in degrees, as a child process.

python benchmarks/map_error.py EXACT MAP...        # files; prints one number a map, as JSON
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mvps.images.maps import read_normals
from mvps.stereo.evaluate import angular_error, summarise


def main(exact: str, *others: str) -> None:
    truth, _ = read_normals(Path(exact))
    errors = [angular_error(read_normals(Path(other))[0], truth) for other in others]
    print(json.dumps([float(summarise(error).max) for error in errors]))


if __name__ == "__main__":
    main(*sys.argv[1:])
