"""The way to torch and timm: one clear line where they are missing, one repair of torchvision."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

from mvps.errors import DeviceError, MissingExtraError
from mvps.machine import cores

THREADS = "MVPS_TORCH_THREADS"  # environment: fewer than all cores, where others need them


def require_torch() -> Any:
    """The module torch, on all cores.

    Raises
    ------
    MissingExtraError
        The extra ``detect`` is not installed.
    """
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise MissingExtraError("torch", "detect") from None
    # The command line starts every BLAS with one thread; torch works alone and gets all.
    wanted = int(os.environ.get(THREADS, "0")) or cores()
    if torch.get_num_threads() != wanted:
        torch.set_num_threads(wanted)
    return torch


def require_timm() -> Any:
    """The module timm.

    Raises
    ------
    MissingExtraError
        The extra ``detect`` is not installed.
    """
    require_torch()
    try:
        _import_torchvision()
        return importlib.import_module("timm")
    except ImportError:
        raise MissingExtraError("timm", "detect") from None


def _import_torchvision() -> None:
    """Import torchvision, also one that was built for another torch.

    The compiled operators of such a build never load, and the import stops at declaring their
    shapes. timm calls none of them, so that their schemas alone are enough.
    """
    try:
        importlib.import_module("torchvision")
        return
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    for name in [n for n in sys.modules if n.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    torch = importlib.import_module("torch")
    schemas = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        schemas.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    module = importlib.import_module("torchvision")
    module._mvps_schemas = schemas  # type: ignore[attr-defined]  # they live as long as the object


def pick_device(name: str) -> str:
    """Torch's name of a device: "auto" is the first GPU where there is one.

    Raises
    ------
    DeviceError
        The device is not there.
    """
    torch = require_torch()
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name != "cpu" and not name.startswith("cuda"):
        raise DeviceError(f"--device {name}: unknown; use auto, cpu, cuda or cuda:N")
    if name.startswith("cuda"):
        index = name.partition(":")[2] or "0"
        if not (index.isdecimal() and int(index) < torch.cuda.device_count()):
            raise DeviceError(f"--device {name}: torch sees no such GPU; use cpu")
    return name
