"""Everything here needs torch and timm."""

from __future__ import annotations

import os

import pytest

os.environ["MVPS_TORCH_THREADS"] = "1"  # as many tests run side by side as there are cores

pytest.importorskip("torch", reason="the detect extra is not installed")
pytest.importorskip("safetensors", reason="the detect extra is not installed")

from tiny_vit import tiny_store

__all__ = ["tiny_store"]
