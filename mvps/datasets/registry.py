"""Every layout that is read, and which of them a folder is."""

from __future__ import annotations

from pathlib import Path

from mvps.datasets import eyecandies, mvtec, realiad, runs
from mvps.datasets.dataset import Dataset, Layout, ReadOptions
from mvps.datasets.patterned import read_user_pattern
from mvps.datasets.tree import Tree
from mvps.errors import InputError
from mvps.yaml_nodes import did_you_mean

_REALIAD = ("realiad", "realiad-d3", "realiad-mvn")


def _never(_: Tree) -> bool:
    return False


LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("realiad", "Real-IAD", realiad.is_realiad, realiad.read_realiad),
        Layout("realiad-d3", "Real-IAD D3", realiad.is_realiad_d3, realiad.read_realiad_d3),
        Layout(
            "realiad-mvn",
            "Real-IAD-MVN, or mvps synth dataset",
            realiad.is_realiad_mvn,
            realiad.read_realiad_mvn,
        ),
        Layout("eyecandies", "Eyecandies", eyecandies.is_eyecandies, eyecandies.read_eyecandies),
        Layout("mvtec-3d", "MVTec 3D-AD", mvtec.is_mvtec_3d, mvtec.read_mvtec_3d),
        Layout("mvtec-ad", "MVTec AD", mvtec.is_mvtec_ad, mvtec.read_mvtec_ad),
        Layout("mvps-run", "what mvps normals wrote", runs.is_run, runs.read_runs),
        Layout("pattern", "files that --pattern describes", _never, read_user_pattern),
    )
}


def read_dataset(
    folder: Path, layout: str | None = None, options: ReadOptions | None = None
) -> Dataset:
    """Records of a data set; no image is opened.

    Parameters
    ----------
    folder : the data folder; nothing outside it is read
    layout : a name of :data:`LAYOUTS`; by default the one that fits

    Raises
    ------
    InputError
        No layout fits, or several; nothing is found; a list is damaged or leads out of the folder.
    """
    options = options or ReadOptions()
    tree = Tree(folder)
    if layout is None and options.patterns:
        layout = "pattern"
    chosen = _known(layout) if layout else recognise(tree)
    _check_options(chosen, options)
    dataset = chosen.read(tree, options)
    if not dataset.records:
        raise InputError(folder, *_nothing(chosen, tree, options))
    missing = [name for name in options.categories if name not in dataset.categories]
    if missing:
        remedy = did_you_mean(missing[0], dataset.categories)
        raise InputError("--category", f"no category {missing[0]!r}", remedy)
    return dataset


def _check_options(layout: Layout, options: ReadOptions) -> None:
    """Refuse what the reader of a layout would pass over."""
    for option, given, readers in (
        ("--pattern", options.patterns, ("pattern",)),
        ("--lists", options.lists, _REALIAD),
        ("--images", options.images, _REALIAD),
        ("--labels", options.labels, ("mvps-run",)),
    ):
        if given and layout.name not in readers:
            what = f"says nothing to the layout {layout.name}"
            raise InputError(option, what, f"leave it out, or --layout {' or '.join(readers)}")


def recognise(tree: Tree) -> Layout:
    """The one layout that a folder has.

    Raises
    ------
    InputError
        None fits, or several do.
    """
    fitting = [layout for layout in LAYOUTS.values() if layout.recognises(tree)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " and ".join(layout.name for layout in fitting)
        raise InputError(tree.root, f"looks like {names}", "say which with --layout")
    raise InputError(
        tree.root,
        "looks like no known data set",
        f"name a folder above the categories, --pattern, or --layout: {', '.join(LAYOUTS)}",
    )


def _known(name: str) -> Layout:
    if name not in LAYOUTS:
        raise InputError("--layout", f"{name!r} is unknown", did_you_mean(name, LAYOUTS))
    return LAYOUTS[name]


def _nothing(layout: Layout, tree: Tree, options: ReadOptions) -> tuple[str, str]:
    if options.categories:
        found = ", ".join(tree.list().folders[:12]) or "none"
        names = ", ".join(options.categories)
        return f"holds nothing of {names}", f"its folders: {found}"
    return f"holds no image of the layout {layout.name} ({layout.title})", "try another --layout"
