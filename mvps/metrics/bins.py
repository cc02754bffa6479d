"""Bins of float32 scores: the upper bits of the integer that orders as the float does.

Flipping the sign bit of positive floats and every bit of negative ones gives unsigned integers in
the floats' order (Herf, "Radix tricks", 2001). The top 18 bits, sign, exponent and 9 of the
mantissa, are the bins; where scores bunch, single prefixes are resolved by up to 14 bits more, at
which a bin is one float.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mvps import native

PREFIX_BITS = 18
REST_BITS = 32 - PREFIX_BITS
PREFIXES = 1 << PREFIX_BITS
# Bins beyond one a prefix: with every array over them, some 20 MB at the most.
BUDGET = 110_000
_SIGN = np.uint32(1 << 31)
_REST = np.uint32((1 << REST_BITS) - 1)
_LOWEST_KEY = np.uint32(0x007FFFFF)  # of -inf; smaller ones are NaN
# Scores at a time, so that what is made of them stays in the second-level cache.
_CHUNK = 1 << 16


@dataclass(frozen=True)
class Bins:
    """How scores fall into bins, in increasing order.

    Parameters
    ----------
    bits : (PREFIXES,) uint8, by how many bits more each prefix is resolved; None: by none
    """

    bits: NDArray[np.uint8] | None = None

    @cached_property
    def starts(self) -> NDArray[np.int32]:
        """(PREFIXES,) first bin of each prefix."""
        if self.bits is None:
            return np.arange(PREFIXES, dtype=np.int32)
        widths = 1 << self.bits.astype(np.int32)
        starts: NDArray[np.int32] = (np.cumsum(widths) - widths).astype(np.int32)
        return starts

    @cached_property
    def total(self) -> int:
        """Number of bins."""
        return int(self.starts[-1]) + (1 if self.bits is None else 1 << int(self.bits[-1]))

    def same(self, other: Bins) -> bool:
        """Whether the bins of two are the same."""
        if self.bits is None or other.bits is None:
            return self.bits is other.bits
        return np.array_equal(self.bits, other.bits)

    def find(self, scores: NDArray[np.float32]) -> NDArray[np.intp]:
        """Bin of each score (n,), which holds no NaN."""
        # Adding zero makes one of the two zeros, which compare as equal.
        raw = (scores + np.float32(0)).view(np.int32)
        keys = ((raw >> 31) ^ raw).view(np.uint32)
        keys ^= np.where(raw < 0, np.uint32(0), _SIGN)
        prefixes = (keys >> np.uint32(REST_BITS)).astype(np.intp)
        if self.bits is None:
            return prefixes
        rest = (keys & _REST) >> (REST_BITS - self.bits[prefixes]).astype(np.uint32)
        return self.starts[prefixes].astype(np.intp) + rest.astype(np.intp)

    def count(self, scores: NDArray[np.float32], counts: NDArray[np.int64]) -> None:
        """Add contiguous scores (n,), which hold no NaN, to the counts of the bins (total,)."""
        core = native.library()
        if core is not None:
            fine = self.bits is not None
            core.mvps_score_counts(
                scores.ctypes.data,
                scores.size,
                self.starts.ctypes.data if fine else None,
                self.bits.ctypes.data if self.bits is not None else None,
                counts.ctypes.data,
            )
            return
        for at in range(0, scores.size, _CHUNK):
            found = self.find(scores[at : at + _CHUNK])
            first = int(found.min())
            part = np.bincount(found - first)
            counts[first : first + len(part)] += part

    def prefixes(self, bins: NDArray[np.intp]) -> NDArray[np.intp]:
        """Prefix of each bin."""
        if self.bits is None:
            return bins
        return np.searchsorted(self.starts, bins, side="right") - 1

    def lowest(self, bins: NDArray[np.intp]) -> NDArray[np.float32]:
        """Smallest float of each bin."""
        prefixes = self.prefixes(bins)
        keys = prefixes.astype(np.uint32) << np.uint32(REST_BITS)
        if self.bits is not None:
            shift = (REST_BITS - self.bits[prefixes]).astype(np.uint32)
            keys |= (bins - self.starts[prefixes]).astype(np.uint32) << shift
        keys = np.maximum(keys, _LOWEST_KEY)
        raw: NDArray[np.uint32] = np.where(keys >= _SIGN, keys ^ _SIGN, ~keys)
        return raw.view(np.float32)

    def mixed(self, bins: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether each bin holds more than one float."""
        if self.bits is None:
            return np.ones(len(bins), np.bool_)
        return self.bits[self.prefixes(bins)] < REST_BITS

    def refined(self, bins: NDArray[np.intp], slack: NDArray[np.float64], aim: float) -> Bins:
        """Bins that resolve more where more of an error bound comes from.

        A prefix resolved by k bits keeps about its part of the bound over 2^k; the sum of parts is
        least, for a number of bins, where 2^k goes with the root of the part.

        Parameters
        ----------
        bins : (n,) bins in use
        slack : (n,) what each adds to the bound now
        aim : bound wanted; bins are added until it is foreseen, or BUDGET is spent
        """
        now = np.zeros(PREFIXES, np.uint8) if self.bits is None else self.bits
        prefixes = self.prefixes(bins)
        parts = np.bincount(prefixes, slack * 2.0 ** now[prefixes], PREFIXES)
        used = np.flatnonzero(parts)
        parts, best = parts[used], now[used]
        others = _bins_of(now) - _bins_of(best)
        for step in np.arange(-20, 64, 0.05):
            more = np.clip(np.rint(np.log2(parts) / 2 + step), 0, REST_BITS)
            bits = np.maximum(now[used], more.astype(np.uint8))
            if others + _bins_of(bits) > BUDGET:
                break
            best = bits
            if np.where(bits < REST_BITS, parts / 2.0**bits, 0).sum() <= aim:
                break
        finer = now.copy()
        finer[used] = best
        return Bins(finer)


def _bins_of(bits: NDArray[np.uint8]) -> int:
    """Number of bins of the prefixes that are resolved at all."""
    return int((1 << bits[bits > 0].astype(np.int64)).sum())
