"""NVRTC over ctypes: compiles a ``.cu`` file for any architecture without a driver or a device.

The figures come from ptxas (``-v``) and are what the assembler allotted, not an estimate.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ENTRY = re.compile(
    r"Compiling entry function '(?P<name>\w+)'.*?"
    r"(?P<stack>\d+) bytes stack frame, (?P<stores>\d+) bytes spill stores, "
    r"(?P<loads>\d+) bytes spill loads.*?Used (?P<registers>\d+) registers(?P<rest>[^\n]*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Usage:
    """What one kernel takes: registers a thread, bytes of stack, of spills and of local memory."""

    registers: int
    stack: int
    spills: int
    local: int


class CompileError(Exception):
    """NVRTC refused the source; the text is its log."""


@cache
def find_library() -> Path | None:
    """Path of libnvrtc inside the installed wheel, or None."""
    spec = importlib.util.find_spec("nvidia")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        found = [p for p in Path(folder).glob("**/libnvrtc.so.*") if "alt" not in p.name]
        found += Path(folder).glob("**/nvrtc64_*_0.dll")
        if found:
            return max(found)
    return None


class Nvrtc:
    """The few calls of NVRTC that the tests need."""

    def __init__(self, library: Path) -> None:
        self._library = ctypes.CDLL(str(library))

    def architectures(self) -> tuple[int, ...]:
        """Compute capabilities (75 for sm_75) that this NVRTC can assemble for."""
        count = ctypes.c_int()
        self._call("GetNumSupportedArchs", ctypes.byref(count))
        found = (ctypes.c_int * count.value)()
        self._call("GetSupportedArchs", found)
        return tuple(found)

    def compile(
        self, source: Path, architecture: int, options: Sequence[str] = ()
    ) -> dict[str, Usage]:
        """Assemble ``source`` for one architecture; usage of every kernel in it, by name.

        Raises
        ------
        CompileError
            The source does not compile.
        """
        program = ctypes.c_void_p()
        text = source.read_bytes()
        self._call(
            "CreateProgram", ctypes.byref(program), text, source.name.encode(), 0, None, None
        )
        try:
            words = [*options, f"--gpu-architecture=sm_{architecture}", "--ptxas-options=-v"]
            array = (ctypes.c_char_p * len(words))(*(word.encode() for word in words))
            status = self._library.nvrtcCompileProgram(program, len(words), array)
            log = self._log(program)
        finally:
            self._call("DestroyProgram", ctypes.byref(program))
        if status:
            raise CompileError(f"sm_{architecture}: {log}")
        return parse_usage(log)

    def _log(self, program: ctypes.c_void_p) -> str:
        size = ctypes.c_size_t()
        self._call("GetProgramLogSize", program, ctypes.byref(size))
        log = ctypes.create_string_buffer(size.value)
        self._call("GetProgramLog", program, log)
        return log.value.decode()

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self._library, f"nvrtc{name}")(*arguments)
        if status:
            raise RuntimeError(f"nvrtc{name} returned {status}")


def parse_usage(log: str) -> dict[str, Usage]:
    """Usage of every entry function that a ``ptxas -v`` log speaks of."""
    usage = {}
    for match in _ENTRY.finditer(log):
        local = re.search(r"(\d+) bytes lmem", match["rest"])
        usage[match["name"]] = Usage(
            registers=int(match["registers"]),
            stack=int(match["stack"]),
            spills=int(match["stores"]) + int(match["loads"]),
            local=int(local[1]) if local else 0,
        )
    return usage
