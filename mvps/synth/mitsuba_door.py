"""The one door to Mitsuba 3: which variant runs here, and with which LLVM.

Dr.Jit compiles through the system's libLLVM. Builds that are too old abort the whole process while
they generate code, so a library is tried in a process of its own first, and what came of it is
remembered by path and time of change.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from mvps import console
from mvps.errors import InputError
from mvps.files import write_json

VECTOR, SCALAR = "llvm_ad_rgb", "scalar_rgb"
VARIABLE = "DRJIT_LIBLLVM_PATH"
OLDEST = 16  # major version; 14 and 15 of Debian 12 abort in code generation
ADVICE = (
    "no libLLVM that Mitsuba can use, so rendering takes the slow way; "
    f"install libllvm19 or set {VARIABLE} to a libLLVM of version {OLDEST} or newer"
)
PROBE_SECONDS = 120
_FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/opt/llvm/lib")
_PATTERNS = ("libLLVM*.so*", "*/libLLVM*.so*", "llvm-*/lib/libLLVM*.so*", "libLLVM*.dylib")
_VERSION = re.compile(r"libLLVM[-.](?:so\.|dylib\.)?(\d+)")
_PROBE = """
import mitsuba as mi
mi.set_variant("llvm_ad_rgb")
scene = mi.load_dict({"type": "scene", "ball": {"type": "sphere"}})
ray = mi.Ray3f(mi.Point3f(mi.Float([0, 3]), 0, 5), mi.Vector3f(0, 0, -1))
found = scene.ray_intersect_preliminary(ray)
assert [bool(hit) for hit in found.is_valid()] == [True, False]
"""


def open_mitsuba(variant: str | None = None) -> Any:
    """Mitsuba with its variant set; one line of advice on stderr where that is the slow one.

    Parameters
    ----------
    variant : "llvm_ad_rgb" or "scalar_rgb"; the first that works here when None

    Returns
    -------
    mitsuba : the module; what is taken from it now belongs to the variant, whatever is set later

    Raises
    ------
    InputError
        Mitsuba is not installed, or the variant that was asked for cannot run here.
    """
    if variant not in {None, VECTOR, SCALAR}:
        raise InputError("variant", f"unknown variant {variant!r}", f"use {VECTOR} or {SCALAR}")
    chosen = _choose(variant)
    try:
        import mitsuba
    except ImportError:
        what = "Mitsuba is not installed"
        raise InputError("rendering", what, "run: pip install 'mvps[synth]'") from None
    mitsuba.set_variant(chosen)
    return mitsuba


@cache
def _choose(variant: str | None) -> str:
    """The variant to set; LLVM is made known to Dr.Jit, or its lack to the reader, once."""
    if variant != SCALAR:
        _check_variable()
    library = None if variant == SCALAR else working_library()
    if library is not None:
        os.environ[VARIABLE] = str(library)
        return VECTOR
    if variant == VECTOR:
        raise InputError(VECTOR, ADVICE)
    if variant is None and importlib.util.find_spec("mitsuba"):
        _warn(ADVICE)
    return SCALAR


def _check_variable() -> None:
    """Say so where the variable names no file, since another library is taken then."""
    stated = os.environ.get(VARIABLE, "")
    if stated and not Path(stated).is_file():
        _warn(f"{VARIABLE} names {stated}, which is no file; the usual folders are searched")


def _warn(text: str) -> None:
    """Warn once a run: workers leave it to the process that starts them."""
    if multiprocessing.parent_process() is None:
        console.warn(text)


def use_threads(count: int) -> None:
    """Threads that rendering in this process takes; one each where processes share the cores."""
    if open_mitsuba().variant() == VECTOR:
        import drjit

        drjit.set_thread_count(count)


@cache
def working_library() -> Path | None:
    """The first libLLVM that compiles and traces a ray here, or None."""
    return next((path for path in candidates() if _works(path)), None)


def candidates() -> tuple[Path, ...]:
    """Libraries to try: what the variable names, then the newest of the usual folders.

    Names that state a version below 16 are left out.
    """
    stated = os.environ.get(VARIABLE, "")
    named = [Path(stated)] if stated else []
    found = {
        path.resolve(): path
        for folder in map(Path, _FOLDERS)
        for pattern in _PATTERNS
        for path in sorted(folder.glob(pattern))
        if path.is_file()
    }
    newest = sorted(found, key=lambda path: (-version(path), str(path)))
    ordered = [*named, *(path for path in newest if version(path))]
    return tuple(path for path in ordered if path.is_file() and _new_enough(path))


def version(path: Path) -> int:
    """Major version that a library's name states, links followed; 0 where it states none."""
    for name in (path.resolve().name, path.name):
        if match := _VERSION.match(name):
            return int(match[1])
    return 0


def _new_enough(path: Path) -> bool:
    return version(path) == 0 or version(path) >= OLDEST


def _works(path: Path) -> bool:
    """Whether a probe in a process of its own succeeds; remembered for this state of the file."""
    state = f"{path.resolve()} {path.stat().st_mtime_ns} {_mitsuba_version()}"
    memory = _memory()
    known = _recall(memory)
    if state not in known:
        known[state] = _probe(path)
        try:
            memory.parent.mkdir(parents=True, exist_ok=True)
            write_json(memory, known)
        except OSError:  # a home that cannot be written costs a probe each time, no more
            pass
    return known[state]


def _probe(path: Path) -> bool:
    environment = os.environ | {VARIABLE: str(path)}
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE],
            env=environment,
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _mitsuba_version() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("mitsuba")
    except PackageNotFoundError:
        return "none"


def _memory() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mvps" / "llvm.json"


def _recall(memory: Path) -> dict[str, bool]:
    try:
        known = json.loads(memory.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
