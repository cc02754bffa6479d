"""Photographs of a board in a folder: which there are, and the corners in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mvps.calib.board import Board, find_corners
from mvps.calib.board_solve import View
from mvps.errors import InputError
from mvps.files import natural_key
from mvps.images import DEFAULT_MAX_PIXELS, ImageRef, is_image_name, probe, read_image

_HEADERLESS = (".raw", ".bin")


@dataclass(frozen=True)
class ViewSet:
    """Photographs of one camera.

    Attributes
    ----------
    name : of the folder
    image_size : (width, height) px
    views : in natural order of their names
    blank : names of the images in which the board was not found
    """

    name: str
    image_size: tuple[int, int]
    views: tuple[View, ...]
    blank: tuple[str, ...]


@dataclass(frozen=True)
class ImageFolder:
    """Images of one size, not yet decoded."""

    path: Path
    name: str
    images: tuple[Path, ...]
    image_size: tuple[int, int]


def image_folders(
    paths: Sequence[Path], *, max_pixels: int = DEFAULT_MAX_PIXELS
) -> tuple[ImageFolder, ...]:
    """Folders of images, one a camera, checked by their headers.

    Raises
    ------
    InputError
        No folder, no image in it, images of unequal size or of one name, or two folders of one
        name; ImageError for a file that is not the image that its name promises.
    """
    folders = tuple(_folder(path, max_pixels) for path in paths)
    names: dict[str, Path] = {}
    for folder in folders:
        if folder.name in names:
            what = f"bears the same name as {names[folder.name]}"
            raise InputError(folder.path, what, "name each camera's folder differently")
        names[folder.name] = folder.path
    return folders


def read_views(
    folder: ImageFolder,
    board: Board,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    advance: Callable[[], None] | None = None,
) -> ViewSet:
    """Corners of the board in every image of a folder.

    Parameters
    ----------
    advance : called after each image

    Raises
    ------
    InputError
        The board is in no image; ImageError for an image that cannot be decoded.
    """
    views, blank = [], []
    for path in folder.images:
        corners = find_corners(board, read_image(ImageRef(path), max_pixels=max_pixels))
        if corners is None:
            blank.append(path.name)
        else:
            views.append(View(path.stem, corners))
        if advance is not None:
            advance()
    if not views:
        count = len(folder.images)
        images = "its one image" if count == 1 else f"any of its {count} images"
        raise InputError(folder.path, f"no corners were found in {images}", _what_to_try(board))
    return ViewSet(folder.name, folder.image_size, tuple(views), tuple(blank))


def _folder(path: Path, max_pixels: int) -> ImageFolder:
    if not path.is_dir():
        if path.exists():
            raise InputError(path, "is not a folder", "name the folder of the photographs")
        raise InputError(path, "no such folder", "check the name")
    try:
        names = sorted((entry.name for entry in path.iterdir()), key=natural_key)
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})") from None
    images = [path / name for name in names if _is_wanted(path / name)]
    if not images:
        raise InputError(path, "holds no image", "name a folder of photographs of the board")
    stems: dict[str, Path] = {}
    size = (0, 0)
    for image in images:
        info = probe(ImageRef(image), max_pixels=max_pixels)
        if info.pages != 1:
            raise InputError(image, f"holds {info.pages} images", "save each view as a file")
        found = (info.width, info.height)
        size = size if size[0] else found
        if found != size:
            what = f"is {found[0]}x{found[1]}, {images[0].name} is {size[0]}x{size[1]}"
            raise InputError(image, what, "one folder holds the images of one camera")
        if image.stem in stems:
            what = f"bears the same name as {stems[image.stem].name}"
            raise InputError(image, what, "keep one of the two")
        stems[image.stem] = image
    return ImageFolder(path, path.resolve().name or "camera", tuple(images), size)


def _is_wanted(path: Path) -> bool:
    hidden = path.name.startswith(".")
    named = is_image_name(path) and path.suffix.lower() not in _HEADERLESS
    return named and not hidden and path.is_file()


def _what_to_try(board: Board) -> str:
    if board.kind == "chess":
        return f"are there {board.columns - 1}x{board.rows - 1} inner corners, all in view?"
    pattern = "" if board.legacy else ", or --legacy-pattern for boards printed before OpenCV 4.6"
    return (
        f"is it {board.columns}x{board.rows} squares of {board.dictionary}{pattern}? Is it sharp, "
        "and not mirrored?"
    )
