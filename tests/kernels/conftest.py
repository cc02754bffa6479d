"""The CUDA source compiled for the CPU, once a session."""

from __future__ import annotations

import pytest
from host import HostModule, find_compiler

from mvps.native import resource_dir
from mvps.stereo import cuda


@pytest.fixture(scope="session")
def host_module(tmp_path_factory) -> HostModule:
    if find_compiler() is None:
        pytest.skip("no C++ compiler, so the CUDA source cannot run on the CPU")
    source = resource_dir("kernels") / cuda.SOURCE
    return HostModule(source, cuda.KERNELS, tmp_path_factory.mktemp("host"))
