"""From scores of tokens to a map of pixels and a score of the image."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

SIGMA = 4.0  # px, of the smoothing
TOP_SHARE = 0.01  # of the pixels, whose mean is the image score
_REACH = 4.0  # standard deviations that the kernel covers


def anomaly_maps(tokens: Tensor, grid: tuple[int, int], size: int, sigma: float = SIGMA) -> Tensor:
    """Maps (B, S, S) of token scores (B, N): bilinear to S px a side, then Gaussian of sigma px.

    The smoothing continues the border pixels outwards.
    """
    maps = tokens.reshape(-1, 1, *grid)
    maps = functional.interpolate(maps, size=(size, size), mode="bilinear", align_corners=False)
    if sigma > 0:
        maps = _smoothed(maps, sigma)
    return maps[:, 0]


def image_scores(maps: Tensor, share: float = TOP_SHARE) -> Tensor:
    """Mean of the highest ``share`` of the pixels of each map, (B,); at least one pixel."""
    flat = maps.flatten(1)
    count = max(round(share * int(flat.shape[1])), 1)
    return flat.topk(count, dim=1).values.mean(1)


def _smoothed(maps: Tensor, sigma: float) -> Tensor:
    reach = int(_REACH * sigma + 0.5)
    offsets = torch.arange(-reach, reach + 1, dtype=maps.dtype, device=maps.device)
    kernel: Any = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    maps = functional.pad(maps, (reach, reach, reach, reach), mode="replicate")
    maps = functional.conv2d(maps, kernel.reshape(1, 1, -1, 1))
    return functional.conv2d(maps, kernel.reshape(1, 1, 1, -1))
