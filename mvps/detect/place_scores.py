"""Scores in deviations of what sound parts score at the same place of the same view.

Parts on a gantry lie alike, so that an edge, a shadow or a print scores high on every sound part at
one place. PaDiM (Defard et al., ICPR 2021) takes a normal distribution of features at each place;
this takes one of scores, for any detector.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mvps.errors import InputError

if TYPE_CHECKING:
    from mvps.detect.features import Item

LEAST = 3  # sound images of a view
PRIOR = 16.0  # images that the mean variance of a view counts for at each of its places
_TINY = 1e-12  # of a variance: tokens that are all alike


@dataclass(frozen=True)
class PlaceScores:
    """Means and standard deviations of token scores over sound images.

    Attributes
    ----------
    moments : by view as :func:`view_of` names it, float32 (2, M, N): mean and deviation in each of
        M modalities at each of N tokens
    """

    moments: Mapping[str, Tensor]

    def standing(self, tokens: Tensor, items: Sequence[Item]) -> Tensor:
        """Scores (B, M, N) in deviations, (B, N): the largest of the modalities.

        Raises
        ------
        InputError
            No sound image of a view is known.
        """
        views = [view_of(item) for item in items]
        for item, view in zip(items, views, strict=True):
            if view not in self.moments:
                known = ", ".join(self.moments)
                raise InputError(
                    item.record.name,
                    f"is of a view without sound parts to compare with, {view}",
                    f"the run knows {known}; or train without --by-place",
                )
        chosen = torch.stack([self.moments[view] for view in views]).to(tokens.device)
        return ((tokens - chosen[:, 0]) / chosen[:, 1]).amax(1)


def view_of(item: Item) -> str:
    """Name of what lies alike: category and view, and the tile where images are cut."""
    place = f" {item.window.text}" if item.window else ""
    return f"{item.record.category}/{item.record.view}{place}"


def check_counts(counts: Mapping[str, int]) -> None:
    """Refuse views with fewer than :data:`LEAST` sound images.

    Parameters
    ----------
    counts : of the sound images, by view
    """
    for view, count in counts.items():
        if count < LEAST:
            what = f"{view} has {count} sound images to learn from, and {LEAST} are needed"
            raise InputError("--by-place", what, "give more samples, or leave it out")


def fits(moments: Tensor, tokens: int) -> bool:
    """Whether a tensor holds means and deviations of so many tokens."""
    whole = moments.ndim == 3 and moments.shape[0] == 2 and moments.shape[2] == tokens
    return whole and bool(moments.isfinite().all()) and bool((moments[1] > 0).all())


def place_scores(scored: Iterable[tuple[Item, Tensor]]) -> PlaceScores:
    """Moments of the token scores of sound images.

    A place has few images, so that its variance is drawn towards the mean of its view.

    Parameters
    ----------
    scored : items with their token scores (M, N), in any order

    Raises
    ------
    InputError
        A view has fewer than :data:`LEAST` images.
    """
    sums: dict[str, Tensor] = {}
    counts: dict[str, int] = {}
    for item, tokens in scored:
        view, own = view_of(item), tokens.detach().cpu().double()
        both = torch.stack([own, own**2])
        sums[view] = sums[view] + both if view in sums else both
        counts[view] = counts.get(view, 0) + 1
    check_counts(counts)
    return PlaceScores({view: _moments(sums[view], counts[view]) for view in sums})


def _moments(sums: Tensor, count: int) -> Tensor:
    mean, square = sums / count
    scatter = (square - mean**2).clamp(min=0) * count
    common = scatter.mean(1, keepdim=True) / (count - 1)
    variance = (scatter + PRIOR * common) / (count - 1 + PRIOR)
    return torch.stack([mean, variance.clamp(min=_TINY).sqrt()]).float()
