"""CUDA devices through CuPy: what is there, why not, and their failures in one line."""

from __future__ import annotations

import contextlib
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mvps.errors import DeviceError, MissingExtraError

_DLPACK_CUDA = (2, 13)  # kDLCUDA, kDLCUDAManaged


@dataclass(frozen=True)
class DeviceInfo:
    """One CUDA device and the software that drives it.

    ``memory`` is in bytes; ``driver`` is the newest CUDA version that the driver supports,
    ``runtime`` the one that CuPy was built with.
    """

    index: int
    name: str
    compute_capability: str
    memory: int
    driver: str
    runtime: str


def load_cupy() -> Any:
    """The module ``cupy``.

    Raises
    ------
    MissingExtraError
        It is not installed.
    DeviceError
        It is installed and cannot be loaded.
    """
    try:
        return importlib.import_module("cupy")
    except Exception as error:  # a broken installation fails in many ways
        if isinstance(error, ModuleNotFoundError) and error.name == "cupy":
            what = "CuPy (CUDA 13; for CUDA 12 the extra is cuda12)"
            raise MissingExtraError(what, "cuda13") from None
        raise DeviceError(f"CuPy cannot be loaded: {one_line(error)}") from None


def device_count() -> int:
    """Number of CUDA devices, at least 1.

    Raises
    ------
    MissingExtraError
        CuPy is not installed.
    DeviceError
        There is no device, no driver, or the driver is too old.
    """
    runtime = load_cupy().cuda.runtime
    try:
        count = int(runtime.getDeviceCount())
    except runtime.CUDARuntimeError as error:
        raise DeviceError(_no_device(runtime, str(error))) from None
    if not count:
        raise DeviceError("no CUDA device was found")
    return count


def check_device(index: int) -> None:
    """Find out, without touching its memory, whether a device can be used.

    Raises
    ------
    MissingExtraError
        CuPy, or the compiler that it needs, is not installed.
    DeviceError
        There is no such device, or the driver is too old.
    """
    count = device_count()
    if index >= count:
        there = "cuda:0 only" if count == 1 else f"cuda:0 to cuda:{count - 1}"
        raise DeviceError(f"cuda:{index} is not there; this machine has {there}")
    cuda = load_cupy().cuda
    try:
        cuda.nvrtc.getVersion()
    except RuntimeError:
        major = cuda.runtime.runtimeGetVersion() // 1000
        raise MissingExtraError("NVRTC, the compiler of CUDA,", f"cuda{major}") from None


def device_info() -> tuple[DeviceInfo, ...]:
    """Every CUDA device of this machine.

    Raises
    ------
    MissingExtraError
        CuPy is not installed.
    DeviceError
        There is no driver, or it is too old.
    """
    count = device_count()
    runtime = load_cupy().cuda.runtime
    versions = _version(runtime.driverGetVersion()), _version(runtime.runtimeGetVersion())
    found = []
    for index in range(count):
        seen = runtime.getDeviceProperties(index)
        capability = f"{seen['major']}.{seen['minor']}"
        name = seen["name"].decode()
        found.append(DeviceInfo(index, name, capability, seen["totalGlobalMem"], *versions))
    return tuple(found)


def device_of(array: Any) -> str | None:
    """``"cuda:1"`` for an array on that device (CuPy, or anything with DLPack), None for others."""
    describe = getattr(array, "__dlpack_device__", None)
    kind, index = describe() if describe else (None, 0)
    return f"cuda:{int(index)}" if kind in _DLPACK_CUDA else None


@contextlib.contextmanager
def working_on(index: int) -> Iterator[Any]:
    """Make a device current and report its failures in one line; yields CuPy.

    Raises
    ------
    DeviceError
        The device ran out of memory, refused the kernels or failed.
    """
    cp = load_cupy()
    cuda, name = cp.cuda, f"cuda:{index}"
    try:
        with cuda.Device(index):
            yield cp
    except cuda.memory.OutOfMemoryError as error:
        remedy = "use smaller images or another device"
        raise DeviceError(f"{name}: {one_line(error)}; {remedy}") from None
    except cuda.compiler.CompileException as error:
        raise DeviceError(f"{name}: the kernels do not compile: {one_line(error)}") from None
    except _failures(cuda) as error:
        raise DeviceError(f"{name}: {one_line(error)}") from None


def _failures(cuda: Any) -> tuple[type[Exception], ...]:
    return cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError, cuda.nvrtc.NVRTCError


def _no_device(runtime: Any, text: str) -> str:
    if "cudaErrorNoDevice" in text:
        return "no CUDA device was found"
    if "cudaErrorInsufficientDriver" not in text:
        return f"the CUDA devices cannot be used: {one_line(text)}"
    if not (driver := runtime.driverGetVersion()):
        return "no NVIDIA driver was found"
    return (
        f"the NVIDIA driver supports CUDA {_version(driver)}, but CuPy here needs "
        f"{_version(runtime.runtimeGetVersion())}; update the driver or install an older CuPy "
        "(extra cuda12)"
    )


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def one_line(error: Any) -> str:
    """The words of a message without its frame, at most 200 characters."""
    words = " ".join(re.sub(r"={3,}", " ", str(error)).split())
    return words if len(words) <= 200 else words[:199] + "…"
