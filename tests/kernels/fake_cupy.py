"""A stand-in for CuPy without a GPU: device arrays are NumPy arrays, launches run on the CPU.

It offers only what ``mvps.stereo.cuda`` may use and refuses what the real one refuses, so that the
door's checks, argument order and numbers can be tested on any machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

MAX_PARAMETER_BYTES = 4096


class CUDARuntimeError(RuntimeError):
    """As ``cupy.cuda.runtime.CUDARuntimeError``: the text begins with the name of the error."""


class CUDADriverError(RuntimeError):
    """As ``cupy.cuda.driver.CUDADriverError``."""


class NVRTCError(RuntimeError):
    """As ``cupy.cuda.nvrtc.NVRTCError``."""


class OutOfMemoryError(MemoryError):
    """As ``cupy.cuda.memory.OutOfMemoryError``."""


class CompileException(Exception):  # noqa: N818 - the name it has in CuPy
    """As ``cupy.cuda.compiler.CompileException``."""


class DeviceArray(np.ndarray):
    """An array "on the device"; only ``set`` and ``get`` cross the border."""

    index: int = 0

    def __array_finalize__(self, parent: Any) -> None:
        self.index = getattr(parent, "index", 0)

    @property
    def device(self) -> SimpleNamespace:
        return SimpleNamespace(id=self.index)

    def set(self, host: np.ndarray, stream: Any = None) -> None:
        assert isinstance(host, np.ndarray) and not isinstance(host, DeviceArray)
        if host.shape != self.shape or host.dtype != self.dtype:
            raise ValueError(f"shape or dtype mismatch: {host.shape} and {self.shape}")
        self[...] = host

    def get(self, stream: Any = None, out: np.ndarray | None = None, blocking: bool = True) -> Any:
        assert out is not None and not isinstance(out, DeviceArray)
        assert out.flags.c_contiguous and self.flags.c_contiguous
        out[...] = self.view(np.ndarray)
        return out

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.index


@dataclass
class Launch:
    """What one kernel was launched with."""

    name: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    args: tuple[Any, ...]
    device: int


@dataclass
class Machine:
    """The pretended machine: its devices and everything that happened on it.

    Parameters
    ----------
    module : HostModule that runs the kernels
    devices : number of CUDA devices
    fault : text of the CUDARuntimeError that counting devices raises, empty for none
    driver : newest CUDA version of the driver, 0 for no driver
    memory : bytes that one allocation may take
    nvrtc : whether the CUDA compiler is installed
    order : order of the threads, as ``HostKernel`` takes it
    compile_error : what the CUDA compiler says, empty for success
    """

    module: Any = None
    devices: int = 1
    fault: str = ""
    driver: int = 13000
    memory: int = 1 << 40
    nvrtc: bool = True
    order: int = 0
    compile_error: str = ""
    current: int = 0
    launches: list[Launch] = field(default_factory=list)
    compiled: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    synchronised: int = 0

    def count_devices(self) -> int:
        if self.fault:
            raise CUDARuntimeError(self.fault)
        return self.devices

    def nvrtc_version(self) -> tuple[int, int]:
        if not self.nvrtc:
            raise RuntimeError('Failure finding "libnvrtc.so.13"')
        return 13, 2

    def properties(self, index: int) -> dict[str, Any]:
        return {"name": b"Pretended GPU", "major": 9, "minor": 0, "totalGlobalMem": 16 << 30}

    @contextlib.contextmanager
    def use(self, index: int) -> Iterator[None]:
        if not 0 <= index < self.devices:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        previous, self.current = self.current, index
        try:
            yield
        finally:
            self.current = previous

    def empty(self, shape: Any, dtype: Any = float) -> DeviceArray:
        """Poisoned, not zeroed: a result that a kernel leaves out shows."""
        array = np.empty(shape, dtype)
        if array.nbytes > self.memory:
            raise OutOfMemoryError(f"Out of memory allocating {array.nbytes} bytes")
        array.view(np.uint8).reshape(-1)[:] = 0xFF
        return self.on_device(array)

    def on_device(self, host: Any) -> DeviceArray:
        array = np.array(host, order="C").view(DeviceArray)
        array.index = self.current
        return array

    def compile(self, *, code: str, options: tuple[str, ...] = ()) -> Any:
        def get_function(name: str) -> Any:
            if self.compile_error:
                raise CompileException(self.compile_error)
            return lambda grid, block, args: self.launch(name, grid, block, args)

        self.compiled.append((code, options))
        return SimpleNamespace(get_function=get_function)

    def launch(self, name: str, grid: Any, block: Any, args: Any) -> None:
        assert sum(_parameter_bytes(a) for a in args) < MAX_PARAMETER_BYTES
        self.launches.append(Launch(name, grid, block, tuple(args), self.current))
        self.module.get_function(name)(grid, block, args, self.order)


def _parameter_bytes(argument: Any) -> int:
    if argument is None:
        return 8
    if isinstance(argument, DeviceArray):
        return 8
    if isinstance(argument, np.ndarray):
        # CuPy passes an array of one element by value and refuses all others.
        assert argument.size == 1, "a NumPy array went to a kernel"
        return argument.dtype.itemsize
    assert isinstance(argument, np.generic), "a plain Python number has no fixed size"
    return argument.dtype.itemsize


def fake_cupy(machine: Machine) -> ModuleType:
    """The module to put into ``sys.modules["cupy"]``."""

    class Stream:
        def __init__(self, non_blocking: bool = False) -> None:
            self.device = machine.current

        def __enter__(self) -> Stream:
            return self

        def __exit__(self, *_: object) -> None: ...

        def synchronize(self) -> None:
            machine.synchronised += 1

    runtime = SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=machine.count_devices,
        getDeviceProperties=machine.properties,
        driverGetVersion=lambda: machine.driver,
        runtimeGetVersion=lambda: 13020,
    )
    cupy = ModuleType("cupy")
    cupy.__dict__.update(
        __version__="14.2.0",
        ndarray=DeviceArray,
        empty=machine.empty,
        asarray=machine.on_device,
        asnumpy=lambda array: np.array(array.view(np.ndarray)),
        from_dlpack=lambda array: array.device_array,
        RawModule=machine.compile,
        cuda=SimpleNamespace(
            runtime=runtime,
            driver=SimpleNamespace(CUDADriverError=CUDADriverError),
            nvrtc=SimpleNamespace(NVRTCError=NVRTCError, getVersion=machine.nvrtc_version),
            Device=machine.use,
            Stream=Stream,
            alloc_pinned_memory=bytearray,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            compiler=SimpleNamespace(CompileException=CompileException),
        ),
    )
    return cupy
