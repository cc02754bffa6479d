"""Builds the optional compiled core: the sources of kernels/ once an instruction set, one library.

The library holds plain C functions that ctypes calls, so it is bound to no Python version. Without
a working compiler the installation goes on and NumPy does the work.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CCompilerError, ExecError, PlatformError

KERNELS = Path("kernels")
LIBRARY = "mvps._native"
BASELINE = "baseline"
VARIANTS = {
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx2", "-mfma"],
}
FLAGS = [
    "-O3",
    "-g0",
    "-std=gnu++17",  # c++17 proper would keep GCC from fusing multiply and add
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-exceptions",
    "-fno-rtti",
    "-fvisibility=hidden",
    # False alarms of GCC's own vector headers.
    "-Wno-ignored-attributes",
    "-Wno-uninitialized",
    "-Wno-maybe-uninitialized",
]
SOURCES = {
    "least_squares.cpp": [],
    "robust.cpp": [],
    "near.cpp": [],
    "quality.cpp": [],
    "quantise.cpp": ["-ffp-contract=off"],
    "png_filters.cpp": [],
    "remap.cpp": [],
    "scores.cpp": [],
    "block_sums.cpp": [],
}


class BuildCore(build_ext):
    """Compiles every variant that the target and the compiler allow."""

    def get_ext_filename(self, fullname: str) -> str:
        if fullname.endswith(LIBRARY.rpartition(".")[2]):
            return str(Path(*fullname.split("."))) + (".dll" if sys.platform == "win32" else ".so")
        return super().get_ext_filename(fullname)

    def get_export_symbols(self, ext: Extension) -> list[str]:
        return []  # the sources mark their own; there is no PyInit function

    def build_extension(self, ext: Extension) -> None:
        objects = self._compiled(KERNELS / "processor.cpp", BASELINE, [])
        objects += self._variant(BASELINE, [])
        if sysconfig.get_platform().endswith(("x86_64", "amd64")):
            for name, flags in VARIANTS.items():
                try:
                    objects += self._variant(name, flags)
                except (CCompilerError, ExecError, PlatformError) as error:
                    self.warn(f"the compiled core lacks its {name} variant: {error}")
        # The C driver links: nothing of the C++ library is used, so nothing of it is needed later.
        target = self.get_ext_fullpath(ext.name)
        self.compiler.link_shared_object(objects, target, target_lang="c")

    def _variant(self, name: str, flags: list[str]) -> list[str]:
        objects = []
        for source, extra in SOURCES.items():
            objects += self._compiled(KERNELS / source, name, [*flags, *extra])
        return objects

    def _compiled(self, source: Path, variant: str, flags: list[str]) -> list[str]:
        return self.compiler.compile(
            [str(source)],
            output_dir=str(Path(self.build_temp) / variant),
            macros=[("LS_VARIANT", variant)],
            extra_postargs=[*FLAGS, *flags],
            depends=[str(path) for path in sorted(KERNELS.glob("*"))],
        )


setup(
    cmdclass={"build_ext": BuildCore},
    ext_modules=[
        Extension(
            LIBRARY,
            sources=[str(KERNELS / name) for name in ("processor.cpp", *SOURCES)],
            depends=[str(path) for path in sorted(KERNELS.glob("*.*h"))],
            language="c++",
            optional=True,
        )
    ],
)
