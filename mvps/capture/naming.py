"""Which image belongs to which light: natural order, or the names that a description gives.

Light files travel: their names often carry another machine's folders or another ending, so a name
is matched by its last part, then regardless of case, then by a unique stem, each with a warning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from mvps.capture.stack import image_ref
from mvps.errors import InputError
from mvps.files import read_text
from mvps.findings import Finding
from mvps.images.info import ImageRef, RawLayout
from mvps.images.probe import count_pages, is_image_name

NOT_PHOTOGRAPHS = (
    *("mask*", "normal*", "*_gt", "albedo*", "preview*", "rgb*", "diffuse"),
    *("quality", "error"),  # what a run and an evaluation leave beside the maps
)


def photographs(files: Iterable[str]) -> list[str]:
    """Image names, in the order given, but for masks, normals, ground truth and the like."""
    return [name for name in files if is_image_name(Path(name)) and not _is_other(name)]


def read_names(path: Path) -> list[str]:
    """Names that ``filenames.txt`` lists, one a line."""
    return [line.strip() for line in read_text(path).split("\n") if line.strip()]


def pages_of(file: Path, raw: RawLayout | None, K: int, lights: str) -> list[ImageRef] | None:
    """References to the pages of one file that holds a whole stack; None when it holds one image.

    Raises
    ------
    InputError
        The file holds several pages, but not one for each of the ``K`` lights.
    """
    ref = image_ref(file, raw)
    pages = 1 if ref.raw else count_pages(file)
    if pages == 1:
        return None
    if pages != K:
        raise InputError(file, f"{pages} pages for {K} lights of {lights}")
    return [ImageRef(file, page) for page in range(pages)]


def match_names(
    folder: Path, files: Sequence[str], names: Sequence[str], where: Path | str
) -> tuple[list[Path], list[Finding]]:
    """Path of the image that each name means, and warnings.

    Parameters
    ----------
    folder, files : the folder and the names of its files
    names : names in the order of the lights
    where : file that gives the names, for messages; its rows count from 1

    Raises
    ------
    InputError
        A name means no image or several, or two names mean the same image.
    """
    images = [name for name in files if is_image_name(Path(name))]
    index = _Index(images)
    found: list[Path] = []
    rows: dict[Path, int] = {}
    loose: list[tuple[str, str]] = []
    for row, name in enumerate(names, start=1):
        inside = _inside(folder, name)
        if inside is None:
            match, exact = index.find(name, f"{where}, row {row}", folder)
            if not exact:
                loose.append((name, match))
            inside = folder / match
        if inside in rows:
            raise InputError(
                f"{where}, row {row}", f"names {inside.name} again, after row {rows[inside]}"
            )
        rows[inside] = row
        found.append(inside)
    unnamed = [name for name in photographs(images) if folder / name not in rows]
    return found, list(_remarks(folder, where, loose, unnamed))


def _remarks(
    folder: Path, where: Path | str, loose: list[tuple[str, str]], unnamed: list[str]
) -> Iterator[Finding]:
    if loose:
        name, match = loose[0]
        text = f"{where}: {len(loose)} names differ from the files, as {name!r} from {match!r}"
        yield Finding("warning", "NAMES", text)
    if unnamed:
        text = f"{where}: does not name {len(unnamed)} images of {folder}, as {unnamed[0]}"
        yield Finding("warning", "UNNAMED", text)


class _Index:
    """Images of a folder by name, by name regardless of case, and by stem."""

    def __init__(self, images: Sequence[str]) -> None:
        self._names = set(images)
        self._loose: dict[str, list[str]] = {}
        self._stems: dict[str, list[str]] = {}
        for name in images:
            self._loose.setdefault(name.casefold(), []).append(name)
            self._stems.setdefault(Path(name).stem.casefold(), []).append(name)

    def find(self, name: str, where: str, folder: Path) -> tuple[str, bool]:
        base = base_name(name)
        if base in self._names:
            return base, True
        for table, key in (
            (self._loose, base.casefold()),
            (self._stems, base.casefold()),
            (self._stems, Path(base).stem.casefold()),
        ):
            matches = table.get(key, [])
            if len(matches) == 1:
                return matches[0], False
            if matches:
                raise InputError(where, f"{name!r} may be " + " or ".join(matches), "write which")
        raise InputError(where, f"names no image: {base!r} is not in {folder}")


def base_name(name: str) -> str:
    """Last part of a name, whichever system's slashes it is written with."""
    return name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]


def _inside(folder: Path, name: str) -> Path | None:
    """File that a name with folders in it means below ``folder``, or None."""
    parts = name.replace("\\", "/").split("/")
    if len(parts) < 2 or not parts[0] or ":" in parts[0] or ".." in parts:
        return None
    path = folder.joinpath(*parts)
    return path if path.is_file() else None


def _is_other(name: str) -> bool:
    stem = Path(name).stem.casefold()
    return any(fnmatch(stem, pattern) for pattern in NOT_PHOTOGRAPHS)
