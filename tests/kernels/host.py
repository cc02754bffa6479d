"""Kernels of a ``.cu`` file on the CPU, called as CuPy calls them: ``kernel(grid, block, args)``.

The file is compiled by the system's C++ compiler behind ``cuda_host_shim.h``: as a shared library
(:class:`HostModule`) or as a program under AddressSanitizer and UBSan (:class:`SanitizedModule`).
Every argument is checked against the C++ parameter list: kind and number of bytes.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import os
import shutil
import struct
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".pytest_cache" / "kernels"  # git leaves it out
UNUSED_DAYS = 7
WARNINGS = ("-Wall", "-Wextra", "-Wno-unknown-pragmas")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_VALUE, _BUFFER, _NULL = range(3)


def find_compiler() -> str | None:
    """The C++ compiler: ``CXX``, else c++, g++ or clang++ on the path, else None."""
    names = (os.environ.get("CXX"), "c++", "g++", "clang++")
    return next((path for name in names if name and (path := shutil.which(name))), None)


def sanitizers_work(compiler: str, folder: Path) -> bool:
    """Whether a program under the sanitizers can be built and run; built in `folder`."""
    trial = folder / "trial"
    build = [compiler, *SANITIZERS, "-x", "c++", "-", "-o", str(trial)]
    done = subprocess.run(build, input=b"int main() {}", capture_output=True, check=False)
    return not done.returncode and not subprocess.run([trial], check=False).returncode


class HostModule:
    """A ``.cu`` file as a shared library in this process.

    Parameters
    ----------
    source : the ``.cu`` file; its folder is the include path
    names : kernels to export
    folder : where the library is built
    """

    def __init__(self, source: Path, names: Iterable[str], folder: Path) -> None:
        library = folder / f"{source.stem}_host.so"
        unit = '#include "cuda_host_shim.h"\n' + f'#include "{source.name}"\n'
        unit += "".join(f"HOST_KERNEL({name})\n" for name in names)
        _build(unit, source.parent, library, "-O2", "-fPIC", "-shared")
        self._library = ctypes.CDLL(str(library))

    def get_function(self, name: str) -> HostKernel:
        """One kernel by name, in the call form of ``cupy.RawKernel``."""
        return HostKernel(self._library, name)


class HostKernel:
    """One kernel; ``order`` is 0 for ascending threads, 1 for descending, else a shuffle seed."""

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        self.name = name
        self._launch = getattr(library, f"launch_{name}")
        describe = getattr(library, f"signature_{name}")
        describe.restype = ctypes.c_char_p
        self.signature = tuple(describe().decode().split())

    def __call__(
        self, grid: Sequence[int], block: Sequence[int], args: Sequence[Any], order: int = 0
    ) -> None:
        check_arguments(self.name, self.signature, args)
        addresses = [
            np.asarray(a.ctypes.data if _role(a) == _BUFFER else 0 if a is None else a)
            for a in args
        ]
        values = (ctypes.c_void_p * len(args))(*(a.ctypes.data for a in addresses))
        dims = (ctypes.c_uint32 * 6)(*_three(grid), *_three(block))
        self._launch(dims, ctypes.c_uint32(order), values)


class SanitizedModule:
    """A ``.cu`` file as a program under sanitizers; every launch is a process of its own."""

    def __init__(self, source: Path, names: Sequence[str], folder: Path) -> None:
        self._program = folder / f"{source.stem}_sanitized"
        unit = '#include "cuda_host_shim.h"\n' + f'#include "{source.name}"\n'
        unit += "".join(f"HOST_KERNEL({name})\n" for name in names)
        table = ", ".join(f'{{"{name}", launch_{name}}}' for name in names)
        unit += f'#include "replay_main.h"\nconst HostKernel kernels[] = {{{table}}};\n'
        unit += "int main(int, char** argv) { return replay::main(kernels, argv[1], argv[2]); }\n"
        _build(unit, source.parent, self._program, "-O1", "-g", *SANITIZERS)

    def launch(
        self,
        name: str,
        grid: Sequence[int],
        block: Sequence[int],
        args: Sequence[Any],
        order: int = 0,
    ) -> None:
        """Run one kernel and copy its buffers back into ``args``.

        Raises
        ------
        AssertionError
            A sanitizer stopped the program; the text is its report.
        """
        request = self._program.with_suffix(".in")
        answer = self._program.with_suffix(".out")
        header = struct.pack(
            "64s8I", name.encode(), *_three(grid), *_three(block), order, len(args)
        )
        request.write_bytes(header + b"".join(map(_packed, args)))
        run = subprocess.run(
            [self._program, request, answer], capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stderr
        data = answer.read_bytes()
        for array in (a for a in args if _role(a) == _BUFFER):
            array.view(np.uint8).reshape(-1)[:] = np.frombuffer(data[: array.nbytes], np.uint8)
            data = data[array.nbytes :]


def check_arguments(name: str, signature: Sequence[str], args: Sequence[Any]) -> None:
    """Raise TypeError unless every argument has the kind and the bytes that C++ expects."""
    given = tuple(map(_kind, args))
    if given != tuple(signature):
        raise TypeError(f"{name} takes {' '.join(signature)}, got {' '.join(given)}")


def _kind(argument: Any) -> str:
    if _role(argument) != _VALUE:
        return f"p{ctypes.sizeof(ctypes.c_void_p)}"
    kinds = {"V": "s", "f": "f", "i": "i", "u": "i"}
    return f"{kinds[argument.dtype.kind]}{argument.dtype.itemsize}"


def _role(argument: Any) -> int:
    """A structured array of one element goes by value, as in CuPy; other arrays are buffers."""
    if argument is None:
        return _NULL
    by_value = not isinstance(argument, np.ndarray) or argument.dtype.kind == "V"
    return _VALUE if by_value else _BUFFER


def _packed(argument: Any) -> bytes:
    data = b"" if argument is None else argument.tobytes()
    return struct.pack("IIQ", _role(argument), 0, len(data)) + data


def _three(extent: Sequence[int]) -> tuple[int, ...]:
    return (*extent, 1, 1)[:3]


def _build(unit: str, include: Path, output: Path, *options: str) -> None:
    """Compile ``unit`` to ``output``, or copy what another worker or session made of the same."""
    compiler = find_compiler()
    assert compiler, "no C++ compiler"
    command = [compiler, "-std=c++17", *WARNINGS, f"-I{HERE}", f"-I{include}", *options]
    version = subprocess.run([compiler, "--version"], capture_output=True, check=True).stdout
    digest = hashlib.sha256(version + "\0".join([unit, *command]).encode())
    for file in sorted([*include.glob("*.cu*"), *include.glob("*.h"), *HERE.glob("*.h")]):
        digest.update(file.name.encode() + file.read_bytes())
    with _locked(CACHE / digest.hexdigest()) as made:
        if not made.exists():
            file = output.with_suffix(".cpp")
            file.write_text(unit)
            built = made.with_suffix(".part")
            run = subprocess.run(
                [*command, str(file), "-o", str(built)], capture_output=True, text=True, check=False
            )
            assert run.returncode == 0, run.stderr
            built.replace(made)
        made.touch()
        shutil.copy(made, output)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[Path]:
    """The path, for one process at a time; what lay unused beside it for long is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for old in set(path.parent.iterdir()) - set(path.parent.glob("*.lock")):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - old.stat().st_mtime > UNUSED_DAYS * 86400:
                    old.unlink()
        yield path
