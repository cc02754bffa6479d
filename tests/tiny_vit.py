"""A ViT small enough to run in every test, its weights random but fixed, in a store of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvps.datasets import Record
from mvps.detect.encoder import Encoder, load_encoder
from mvps.detect.weights import create_vit, import_weights

MODEL = "test_vit"  # timm's own for tests: patches of 16 px, 64 features, 6 blocks
LAYERS = (1, 2, 4)
SIZE = 64


def tiny_state(seed: int = 0) -> dict[str, object]:
    import torch

    torch.manual_seed(seed)
    model = create_vit(MODEL, pretrained=False)
    return {k: v.clone() for k, v in model.state_dict().items()}


def import_tiny(folder: Path, name: str = "tiny") -> None:
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.safetensors"
    save_file(tiny_state(), path)
    import_weights(path, name, MODEL)


def tiny_encoder(size: int = SIZE) -> Encoder:
    return load_encoder("tiny", size=size, layers=LAYERS, device="cpu")


def write_records(folder: Path, count: int = 5, side: int = 80) -> list[Record]:
    """Records with a colour image and a normal map each, all different."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    generator = np.random.default_rng(0)
    records = []
    for i in range(count):
        paths = folder / f"{i}_rgb.png", folder / f"{i}_nv.png"
        vectors = generator.normal(size=(side, side, 3)) * 0.3 + (0, 0, 1)
        vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
        colour = generator.integers(0, 256, (side, side, 3), np.uint8)
        coded = np.round((vectors + 1) / 2 * 255).astype(np.uint8)
        for path, image in zip(paths, (colour, coded), strict=True):
            assert cv2.imwrite(str(path), image[..., ::-1])
        records.append(Record("part", f"{i:04d}", "top", "train", 0, "good", *paths))
    return records


@pytest.fixture
def tiny_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MVPS_CACHE", str(tmp_path / "cache"))
    import_tiny(tmp_path / "given")
    return tmp_path
