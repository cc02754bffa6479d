"""MVTec AD (Bergmann et al., CVPR 2019) and MVTec 3D-AD (the same, VISAPP 2022) as published.

MVTec 3D-AD has no normals: they follow from its organised points while they are read.
"""

from __future__ import annotations

from dataclasses import replace

from mvps.datasets.dataset import Dataset, ReadOptions, Tally
from mvps.datasets.pattern import parse_pattern
from mvps.datasets.patterned import Source, find_drafts, finish
from mvps.datasets.record import RGB
from mvps.datasets.tree import Tree
from mvps.datasets.words import MASK, XYZ

_FOLDER = "{category}/{split}/{defect}"
_2D = (
    Source(parse_pattern(f"{_FOLDER}/{{sample}}.png"), RGB),
    Source(parse_pattern("{category}/ground_truth/{defect}/{sample}_mask.png"), MASK, joins=True),
)
_3D = (
    Source(parse_pattern(f"{_FOLDER}/rgb/{{sample}}.png"), RGB),
    Source(parse_pattern(f"{_FOLDER}/xyz/{{sample}}.tiff"), XYZ, joins=True),
    Source(parse_pattern(f"{_FOLDER}/gt/{{sample}}.png"), MASK, joins=True),
)


def is_mvtec_ad(tree: Tree) -> bool:
    """Whether categories hold ``train/good/*.png``."""
    return any(
        any(name.endswith(".png") for name in tree.list(f"{category}/train/good").files)
        for category in tree.list().folders
    )


def is_mvtec_3d(tree: Tree) -> bool:
    """Whether categories hold ``train/good/rgb`` and ``xyz``."""
    return any(
        {"rgb", "xyz"} <= set(tree.list(f"{category}/train/good").folders)
        for category in tree.list().folders
    )


def read_mvtec_ad(tree: Tree, options: ReadOptions) -> Dataset:
    """Records of MVTec AD: colour alone."""
    return _read(tree, options, "mvtec-ad", _2D)


def read_mvtec_3d(tree: Tree, options: ReadOptions) -> Dataset:
    """Records of MVTec 3D-AD; ``normals`` names the organised points, ``convention`` says so."""
    return _read(tree, options, "mvtec-3d", _3D)


def _read(tree: Tree, options: ReadOptions, layout: str, sources: tuple[Source, ...]) -> Dataset:
    """Records of the categories alone, whatever else lies beside them."""
    tally = Tally()
    names = [
        n for n in filter(options.wants, tree.list().folders) if tree.has_folder(f"{n}/train/good")
    ]
    chosen = replace(options, categories=tuple(names))
    drafts = find_drafts(tree, sources, tally, chosen) if names else []
    return finish(tree, layout, drafts, tally, chosen, local_names=True)
