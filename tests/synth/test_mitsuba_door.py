"""The door to Mitsuba: which libraries it tries, and what it says where none works."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mvps.errors import InputError
from mvps.synth import mitsuba_door as door


@pytest.fixture(autouse=True)
def _forgetful(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    door._choose.cache_clear()
    door.working_library.cache_clear()
    yield
    door._choose.cache_clear()
    door.working_library.cache_clear()


@pytest.mark.parametrize(
    ("name", "major"),
    [
        ("libLLVM-14.so.1", 14),
        ("libLLVM-15.so", 15),
        ("libLLVM.so.19.1", 19),
        ("libLLVM-19.so.1", 19),
        ("libLLVM.so.20", 20),
        ("libLLVM.so", 0),
    ],
)
def test_names_state_versions(name: str, major: int, tmp_path: Path) -> None:
    assert door.version(tmp_path / name) == major


def test_old_libraries_are_not_even_tried_and_the_newest_comes_first(monkeypatch, tmp_path) -> None:
    for name in ("libLLVM-14.so.1", "libLLVM-15.so.1", "libLLVM-17.so.1", "libLLVM.so.19.1"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "libLLVM-19.so").symlink_to("libLLVM.so.19.1")
    monkeypatch.setattr(door, "_FOLDERS", (str(tmp_path),))
    monkeypatch.delenv(door.VARIABLE, raising=False)
    names = [path.resolve().name for path in door.candidates()]
    assert names == ["libLLVM.so.19.1", "libLLVM-17.so.1"]
    monkeypatch.setenv(door.VARIABLE, str(tmp_path / "libLLVM-17.so.1"))
    assert door.candidates()[0].name == "libLLVM-17.so.1"
    monkeypatch.setenv(door.VARIABLE, str(tmp_path / "libLLVM-15.so.1"))
    assert [door.version(path) for path in door.candidates()] == [19, 17]


def test_a_library_is_probed_once_and_remembered(monkeypatch, tmp_path: Path) -> None:
    library = tmp_path / "libLLVM.so.19.1"
    library.write_bytes(b"")
    monkeypatch.setattr(door, "_FOLDERS", (str(tmp_path),))
    monkeypatch.delenv(door.VARIABLE, raising=False)
    probes = []
    monkeypatch.setattr(door, "_probe", lambda path: probes.append(path) or True)
    assert door.working_library() == library
    door.working_library.cache_clear()
    assert door.working_library() == library
    assert len(probes) == 1


def test_a_broken_library_fails_its_probe_without_harm(tmp_path: Path) -> None:
    pytest.importorskip("mitsuba", reason="Mitsuba is not installed (extra synth)")
    broken = tmp_path / "libLLVM.so.19.1"
    broken.write_bytes(b"not a library")
    assert door._probe(broken) is False


def test_without_a_library_one_line_advises_and_the_slow_variant_runs(monkeypatch, capsys) -> None:
    pytest.importorskip("mitsuba", reason="Mitsuba is not installed (extra synth)")
    monkeypatch.setattr(door, "candidates", lambda: ())
    assert door.open_mitsuba().variant() == "scalar_rgb"
    assert door.open_mitsuba().variant() == "scalar_rgb"
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "install libllvm19" in said
    with pytest.raises(InputError, match="libllvm19"):
        door.open_mitsuba("llvm_ad_rgb")


def test_a_variable_that_names_no_file_is_told_in_one_line(monkeypatch, tmp_path, capsys) -> None:
    pytest.importorskip("mitsuba", reason="Mitsuba is not installed (extra synth)")
    gone = tmp_path / "libLLVM.so.19.1"
    monkeypatch.setenv(door.VARIABLE, str(gone))
    monkeypatch.setattr(door, "_FOLDERS", (str(tmp_path),))
    monkeypatch.setattr(door, "ADVICE", "")
    assert door.open_mitsuba().variant() == "scalar_rgb"
    door.open_mitsuba()
    said = [line for line in capsys.readouterr().err.splitlines() if door.VARIABLE in line]
    assert len(said) == 1
    assert f"names {gone}, which is no file" in said[0]


def test_without_mitsuba_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "mitsuba", None)
    with pytest.raises(InputError, match=r"mvps\[synth\]"):
        door.open_mitsuba("scalar_rgb")


def test_a_variant_set_for_one_renderer_does_not_stay_for_the_next() -> None:
    pytest.importorskip("mitsuba", reason="Mitsuba is not installed (extra synth)")
    usual = door.open_mitsuba().variant()
    assert door.open_mitsuba("scalar_rgb").variant() == "scalar_rgb"
    assert door.open_mitsuba().variant() == usual


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(InputError, match="cuda_ad_rgb"):
        door.open_mitsuba("cuda_ad_rgb")
