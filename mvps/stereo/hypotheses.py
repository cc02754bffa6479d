"""What may be wrong with a list of lights: its order, or the signs and places of its axes.

Every hypothesis is an order of the rows and a symmetry of the image plane. Half a turn is left out:
it turns hills into hollows and no photograph under distant lights can tell (Belhumeur et al.,
The bas-relief ambiguity, IJCV 1999).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOVED = 1.02  # intensities that differ by less are equal
# Symmetries of the square modulo half a turn; the index is that of the derivative of the slopes
# that takes the place of the curl (see mvps.stereo.curl).
AXES = ("", "turned by 90 degrees", "with y flipped", "with x and y exchanged")


@dataclass(frozen=True)
class Hypothesis:
    """Image k was taken under light ``order[k]``, whose x and y went through ``AXES[axes]``.

    Attributes
    ----------
    order : row of the light file (from 0) for each image
    scale : (K,) factor on the samples of each image, where the intensities move with the rows
    words : the order in plain words, empty where it is the order of the file
    axes : index into ``AXES``; 0 leaves the directions as they are
    """

    order: tuple[int, ...]
    scale: tuple[float, ...]
    words: str
    axes: int = 0

    @property
    def name(self) -> str:
        """In plain words, to stand behind "the lights fit better"."""
        return " and ".join(part for part in (self.words, AXES[self.axes]) if part) or "as given"

    @property
    def faults(self) -> int:
        """How many things went wrong under it: 0 for the light file as it stands, 1 or 2."""
        return bool(self.words) + bool(self.axes)

    def scaled(self, grams: Array) -> Array:
        """(..., K, K) Gram matrices of the scaled samples, with their trace as it was."""
        scale = np.array(self.scale)
        moved = grams * np.outer(scale, scale)
        trace = np.trace(grams, axis1=-2, axis2=-1) / np.trace(moved, axis1=-2, axis2=-1)
        return np.asarray(moved * trace[..., None, None])


def likely_orders(
    directions: Array, intensities: Array, gram: Array, keep: int
) -> list[Hypothesis]:
    """The given order and the ``keep`` others under which least squares explains most.

    Rolls, the reversed order and its rolls, and every pair swapped are tried, each with and without
    the intensities. With M = L (L'L)^-1 L' and the Gram matrix G of the samples, an order P leaves
    tr G - tr(P M P' G), so that no sample is read for it.

    Parameters
    ----------
    directions : (K, 3) unit
    intensities : (K,) positive, by which the samples were divided
    gram : (K, K) mean over pixels of the outer product of their K samples
    """
    K = len(directions)
    M = directions @ np.linalg.pinv(directions)
    orders = _named_orders(K)
    for i, j in _best_swaps(M, gram, keep):
        swapped = list(range(K))
        swapped[i], swapped[j] = j, i
        if "(image" not in orders.get(tuple(swapped), "(image"):
            continue  # it has a name already, and a simpler one than a rolled order
        orders[tuple(swapped)] = f"with rows {i + 1} and {j + 1} swapped"
    found = []
    for order, words in orders.items():
        index = list(order)
        moved = tuple((intensities / intensities[index]).tolist())
        for scale in ((1.0,) * K, *([moved] if max(moved) > MOVED else [])):
            hypothesis = Hypothesis(order, scale, words)
            explained = (M[np.ix_(index, index)] * hypothesis.scaled(gram)).sum()
            found.append((float(explained) / float(np.trace(gram)), hypothesis))
    given, others = found[0][1], found[1:]
    # Orders that explain equally much are equally likely: the simplest, which come first, are kept.
    others.sort(key=lambda item: -round(item[0], 6))
    return [given, *(hypothesis for _, hypothesis in others[:keep])]


def _named_orders(K: int) -> dict[tuple[int, ...], str]:
    """The given order, rolls, and the reversed order with its rolls, the simplest first."""
    rows = np.arange(K)
    orders = {tuple(rows.tolist()): ""}
    for shift in sorted(range(1, K), key=lambda shift: min(shift, K - shift)):
        orders.setdefault(tuple(((rows + shift) % K).tolist()), _rolled(shift, K))
    for shift in sorted(range(K), key=lambda shift: shift != K - 1):
        words = "in reversed order"
        words += "" if shift == K - 1 else f" (image 1 with row {shift + 1})"
        orders.setdefault(tuple(((shift - rows) % K).tolist()), words)
    return orders


def _rolled(shift: int, K: int) -> str:
    back = K - shift
    if shift <= back:
        return f"rolled by {_number(shift)} (image 1 with row {shift + 1})"
    return f"rolled by {_number(back)} the other way (image {back + 1} with row 1)"


def _number(value: int) -> str:
    return {1: "one", 2: "two", 3: "three"}.get(value, str(value))


def _best_swaps(M: Array, gram: Array, keep: int) -> list[tuple[int, int]]:
    """The ``keep`` pairs whose swap explains most, in closed form for all at once."""
    D, m, g = M @ gram, np.diag(M), np.diag(gram)
    own = np.diag(D)
    # sum_b (M_ib - M_jb)(G_jb - G_ib) without the terms b = i and b = j, twice, plus the diagonal.
    gain = D + D.T - own[:, None] - own[None, :]
    gain -= (m[:, None] - M) * (gram - g[:, None]) + (M - m[None, :]) * (g[None, :] - gram)
    gain = 2 * gain + (m[:, None] - m[None, :]) * (g[None, :] - g[:, None])
    first, second = np.triu_indices(len(M), 1)
    best = np.argsort(-gain[first, second], kind="stable")[:keep]
    return list(zip(first[best].tolist(), second[best].tolist(), strict=True))
