"""Weights: whatever is imported is checked tensor by tensor and known by its digest."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_vit import MODEL, import_tiny, tiny_state

from mvps.detect.weights import (
    find_weights,
    import_weights,
    list_weights,
    load_tensors,
    tensors_digest,
    verify_weights,
)
from mvps.errors import InputError


def test_imported_weights_are_listed_verified_and_the_same_tensors(tiny_store: Path) -> None:
    weights = verify_weights("tiny")
    assert [w.name for w in list_weights()] == ["tiny"]
    assert (weights.model, weights.source) == (MODEL, "tiny.safetensors")
    given = {k: v for k, v in tiny_state().items() if not k.startswith("head.")}
    kept = load_tensors(weights)
    assert kept.keys() == given.keys()
    assert all(torch.equal(kept[name], given[name]) for name in given)


def test_the_digest_does_not_depend_on_the_kind_of_file(tiny_store: Path) -> None:
    torch.save({"state_dict": tiny_state()}, tiny_store / "tiny.pth")
    again = import_weights(tiny_store / "tiny.pth", "again", MODEL)
    assert again.digest == find_weights("tiny").digest
    other = tiny_state(seed=1)
    assert tensors_digest(other) != tensors_digest(tiny_state())


def test_a_changed_store_is_noticed(tiny_store: Path) -> None:
    weights = find_weights("tiny")
    tensors = load_file(weights.path)
    tensors["cls_token"][0, 0, 0] += 1e-3
    header = {"model": weights.model, "digest": weights.digest, "source": weights.source}
    save_file(tensors, weights.path, header)
    with pytest.raises(InputError, match="differs from what was imported"):
        verify_weights("tiny")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda t: t.pop("blocks.3.attn.qkv.weight"), "blocks.3.attn.qkv.weight is missing"),
        (lambda t: t.update(extra=torch.zeros(2)), "extra is unknown to test_vit"),
        (lambda t: t.update(cls_token=torch.zeros(1, 1, 32)), "cls_token has shape"),
        (lambda t: t["norm.weight"].fill_(float("nan")), "norm.weight holds NaN"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tiny_store: Path, harm: object, message: str) -> None:
    tensors = tiny_state()
    harm(tensors)  # type: ignore[operator]
    save_file(tensors, tiny_store / "bad.safetensors")
    with pytest.raises(InputError, match=message):
        import_weights(tiny_store / "bad.safetensors", "bad", MODEL)
    assert [w.name for w in list_weights()] == ["tiny"]


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tiny_store: Path) -> None:
    mark = tiny_store / "was-here"

    class Touch:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return (Path.touch, (mark,))

    for name, save in (
        ("torch.pth", lambda path: torch.save({"w": Touch()}, path, pickle_module=pickle)),
        ("plain.pth", lambda path: path.write_bytes(pickle.dumps(Path("x")))),
    ):
        path = tiny_store / name
        try:
            save(path)
        except (pickle.PicklingError, AttributeError):  # a local class: write the call by hand
            path.write_bytes(b"cposix\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.")
        with pytest.raises(InputError, match=r"may run code|cannot be read"):
            import_weights(path, "bad", MODEL)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.safetensors", None, "no such file"),
        ("cut.safetensors", b"\x10\0\0\0\0\0\0\0{", "is no safetensors file"),
        ("text.pth", b"hello", "may run code|cannot be read"),
        ("text.onnx", b"hello", "is no ONNX file|is no DINOv2 export"),
        ("text.txt", b"hello", "of no known kind"),
    ],
)
def test_files_that_are_no_weights(
    tiny_store: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tiny_store / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        import_weights(path, "bad", MODEL)


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "x" * 101])
def test_a_name_cannot_leave_the_store(tiny_store: Path, name: str) -> None:
    with pytest.raises(InputError, match="no plain name"):
        import_weights(tiny_store / "given" / "tiny.safetensors", name, MODEL)
    with pytest.raises(InputError, match="no weights of this name"):
        find_weights(name)


def test_a_foreign_file_in_the_store_is_not_taken_for_weights(tiny_store: Path) -> None:
    save_file({"a": torch.zeros(1)}, find_weights("tiny").path.with_name("other.safetensors"))
    assert [w.name for w in list_weights()] == ["tiny"]
    with pytest.raises(InputError, match="was not written by mvps weights import"):
        find_weights("other")


def test_a_model_of_no_known_shape_must_be_named(tiny_store: Path) -> None:
    with pytest.raises(InputError, match="name it with --model"):
        import_weights(tiny_store / "given" / "tiny.safetensors", "guess")
    with pytest.raises(InputError, match="timm"):
        import_weights(tiny_store / "given" / "tiny.safetensors", "guess", "resnet18")


def test_importing_under_a_taken_name_replaces_the_weights(tiny_store: Path) -> None:
    save_file(tiny_state(seed=5), tiny_store / "new.safetensors")
    before = find_weights("tiny").digest
    import_weights(tiny_store / "new.safetensors", "tiny", MODEL)
    assert verify_weights("tiny").digest != before
    import_tiny(tiny_store / "given")
    assert verify_weights("tiny").digest == before
