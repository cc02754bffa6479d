"""Features: the same tokens from the encoder and from the cache, in files shared safely."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_vit import LAYERS, SIZE, tiny_encoder, write_records

from mvps.datasets import NORMALS, RGB
from mvps.detect import cache as cache_module
from mvps.detect.cache import FeatureCache, content_digest, feature_key, prune, usage
from mvps.detect.encoder import load_encoder
from mvps.detect.features import FeatureSource
from mvps.detect.preprocess import Preprocess, load_planes
from mvps.errors import ImageError, InputError

PREPROCESS = Preprocess(SIZE, SIZE)


def source(folder: Path, cache: FeatureCache | None = None, count: int = 5) -> FeatureSource:
    records = write_records(folder / "images", count)
    return FeatureSource(records, (RGB, NORMALS), tiny_encoder(), PREPROCESS, cache)


def test_tokens_are_the_blocks_outputs_without_the_class_token(tiny_store: Path) -> None:
    encoder = tiny_encoder()
    images = np.random.default_rng(0).normal(size=(2, 3, SIZE, SIZE)).astype(np.float32)
    seen: list[torch.Tensor] = []
    for layer in LAYERS:
        encoder.model.blocks[layer].register_forward_hook(
            lambda _m, _i, out: seen.append(out.detach())
        )
    tokens = encoder(images)
    grid = SIZE // 16
    assert tokens.shape == (2, len(LAYERS), grid * grid, 64)
    for i, out in enumerate(seen):
        torch.testing.assert_close(tokens[:, i], out[:, 1:])


def test_blocks_after_the_last_layer_are_not_run(tiny_store: Path) -> None:
    encoder = tiny_encoder()
    ran: list[int] = []
    for i, block in enumerate(encoder.model.blocks):
        block.register_forward_hook(lambda _m, _i, _o, i=i: ran.append(i))
    encoder(np.zeros((1, 3, SIZE, SIZE), np.float32))
    assert ran == list(range(LAYERS[-1] + 1))


def test_the_encoder_takes_no_gradient(tiny_store: Path) -> None:
    encoder = tiny_encoder()
    assert not any(weight.requires_grad for weight in encoder.model.parameters())
    assert not encoder(np.zeros((1, 3, SIZE, SIZE), np.float32)).requires_grad


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 70}, "no multiple of the patch, 16 px; try 64"),
        ({"layers": (2, 6)}, "use 0 to 5"),
        ({"layers": ()}, "use 0 to 5"),
    ],
)
def test_settings_that_the_encoder_cannot_have(
    tiny_store: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_encoder("tiny", **{"size": SIZE, "device": "cpu", **options})  # type: ignore[arg-type]


def test_an_unknown_encoder_names_the_way_out(tiny_store: Path) -> None:
    with pytest.raises(InputError, match="neither imported weights nor a timm model"):
        load_encoder("vit_tinny", size=SIZE, device="cpu")


def test_cached_and_fresh_features_are_the_same(tiny_store: Path) -> None:
    plain = source(tiny_store)
    cached = source(tiny_store, FeatureCache(tiny_store / "features"))
    first, second, fresh = cached.batch([3, 1]), cached.batch([3, 1]), plain.batch([3, 1])
    assert (cached.traffic.encoded, cached.traffic.cached) == (4, 4)
    for modality in (RGB, NORMALS):
        assert first.tokens[modality].shape == (2, len(LAYERS), 16, 64)
        assert torch.equal(first.tokens[modality], second.tokens[modality])
        assert torch.equal(first.tokens[modality], fresh.tokens[modality])
    assert first.names == ("part/0003/top", "part/0001/top")


def test_an_image_has_the_same_features_in_any_company(tiny_store: Path) -> None:
    plain = source(tiny_store)
    alone, together = plain.batch([2]), plain.batch([0, 1, 2, 3, 4])
    for modality in (RGB, NORMALS):
        torch.testing.assert_close(
            alone.tokens[modality][0], together.tokens[modality][2], atol=2e-3, rtol=2e-3
        )


def test_warming_encodes_each_image_once(tiny_store: Path) -> None:
    cached = source(tiny_store, FeatureCache(tiny_store / "features"))
    done: list[int] = []
    cached.warm(done.append)
    assert sum(done) == 10 and cached.traffic.encoded == 10
    for _ in cached.batches(2):
        pass
    assert cached.traffic.encoded == 10
    assert usage(tiny_store / "features").files == 10


def test_a_budget_is_never_overrun_and_the_rest_is_encoded_again(tiny_store: Path) -> None:
    one = len(LAYERS) * 16 * 64 * 2
    cached = source(tiny_store, FeatureCache(tiny_store / "features", budget=3 * one + 500))
    cached.warm()
    assert usage(tiny_store / "features").files == 3
    tokens = [batch.tokens[RGB] for batch in cached.batches(5)]
    assert torch.equal(tokens[0], source(tiny_store).batch(range(5)).tokens[RGB])
    assert usage(tiny_store / "features").size <= 3 * one + 500
    assert cached.bytes_needed == 10 * one


def test_a_change_of_anything_that_decides_features_changes_their_key(tiny_store: Path) -> None:
    image = write_records(tiny_store / "images", 1)[0].rgb
    assert image is not None
    content = content_digest(image)
    keys = {feature_key(content, *parts) for parts in (("a", "b"), ("a", "c"), ("ab",))}
    image.write_bytes(image.read_bytes() + b"\0")
    keys.add(feature_key(content_digest(image), "a", "b"))
    assert len(keys) == 4
    facts = tiny_encoder().facts
    changes = {"digest": "x", "layers": (1,), "size": 32, "half": True, "model": "y"}
    others = {dataclasses.replace(facts, **{k: v}).key for k, v in changes.items()}
    assert len(others | {facts.key}) == 6


def test_a_damaged_file_is_encoded_again(tiny_store: Path) -> None:
    cached = source(tiny_store, FeatureCache(tiny_store / "features"))
    before = cached.batch([0])
    for path in (tiny_store / "features").glob("*/*.npy"):
        path.write_bytes(path.read_bytes()[:100])
    again = source(tiny_store, FeatureCache(tiny_store / "features"))
    assert torch.equal(again.batch([0]).tokens[RGB], before.tokens[RGB])
    assert again.traffic.encoded == 2


def test_a_pickle_in_the_cache_is_not_loaded(tiny_store: Path) -> None:
    cache = FeatureCache(tiny_store / "features")
    path = tiny_store / "features" / "ab" / ("ab" + "0" * 62 + ".npy")
    path.parent.mkdir(parents=True)
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert cache.get("ab" + "0" * 62) is None


def test_pruning_drops_what_was_not_used_for_longest(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    tokens = np.zeros((1, 4, 8), np.float16)
    keys = [f"{i:02x}" + "0" * 62 for i in range(4)]
    for i, key in enumerate(keys):
        assert cache.put(key, tokens)
        os.utime(tmp_path / key[:2] / f"{key}.npy", (i, i))
    assert cache.get(keys[0]) is not None  # used just now
    size = usage(tmp_path).size // 4
    assert prune(tmp_path, 2 * size).files == 2
    assert [cache.holds(key) for key in keys] == [True, False, False, True]
    assert prune(tmp_path, 0).files == 2


def test_a_full_disk_ends_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = FeatureCache(tmp_path / "features")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module.np, "save", full)
    assert not cache.put("ab" + "0" * 62, np.zeros((1, 4, 8), np.float16))
    assert usage(tmp_path / "features").files == 0
    assert not list((tmp_path / "features").rglob("*.part"))


def test_a_source_refuses_what_it_cannot_serve(tiny_store: Path) -> None:
    records = write_records(tiny_store / "images", 1)
    with pytest.raises(InputError, match="images of 48 px for an encoder of 64 px"):
        FeatureSource(records, (RGB,), tiny_encoder(), Preprocess(48, 48))
    blind = dataclasses.replace(records[0], normals=None)
    with pytest.raises(InputError, match="has no normals"):
        FeatureSource([blind], (RGB, NORMALS), tiny_encoder(), PREPROCESS).batch([0])
    assert records[0].rgb is not None
    records[0].rgb.write_bytes(b"no image")
    with pytest.raises(ImageError):
        FeatureSource(records, (RGB,), tiny_encoder(), PREPROCESS).batch([0])


def test_normals_are_averaged_as_vectors(tmp_path: Path) -> None:
    """Two facets 60 degrees to either side average to the straight normal, of full length."""
    import cv2

    tilt = np.radians(60)
    left, right = (-np.sin(tilt), 0, np.cos(tilt)), (np.sin(tilt), 0, np.cos(tilt))
    vectors = np.empty((64, 64, 3))
    vectors[:, 0::2], vectors[:, 1::2] = left, right
    coded = np.round((vectors + 1) / 2 * 65535).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "n.png"), coded[..., ::-1])
    record = dataclasses.replace(write_records(tmp_path, 1)[0], normals=tmp_path / "n.png")
    planes = load_planes(record, NORMALS, Preprocess(32, 32))
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    got = (planes.transpose(1, 2, 0) * deviation + mean) * 2 - 1
    np.testing.assert_allclose(got, np.broadcast_to((0, 0, 1), got.shape), atol=1e-3)
