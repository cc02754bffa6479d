"""Everything here needs torch and timm."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="the detect extra is not installed")
pytest.importorskip("safetensors", reason="the detect extra is not installed")

from tiny_vit import tiny_store

__all__ = ["tiny_store"]
