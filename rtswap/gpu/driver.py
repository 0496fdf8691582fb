"""List the NVIDIA GPUs through the driver library: takes a millisecond, without torch or a child process."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

from rtswap.core.errors import EngineError
from rtswap.core.memory import lift_memory_limit

_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
_MAJOR, _MINOR = 75, 76
"""CUdevice_attribute: compute capability."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU."""

    name: str
    capability: str
    """``8.9``"""
    memory_gib: float
    cuda: str
    """CUDA version: the newest that the driver supports, or the one torch was built for."""

    @property
    def model(self) -> str:
        """Name and compute capability, which plans are tied to."""
        return f"{self.name}, compute capability {self.capability}"

    def __str__(self) -> str:
        return f"{self.model}, {self.memory_gib:.0f} GiB, CUDA {self.cuda}"


def find_gpus() -> tuple[Gpu, ...]:
    """Return all GPUs; rtswap uses the first. Raises EngineError with the reason if there is none."""
    try:
        driver = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise EngineError("no NVIDIA driver found", got=f"cannot load {_LIBRARY}") from error
    _ask(driver, "cuInit", 0)
    version = _number(driver, "cuDriverGetVersion")
    cuda = f"{version // 1000}.{version % 1000 // 10}"
    gpus = tuple(_gpu(driver, index, cuda) for index in range(_number(driver, "cuDeviceGetCount")))
    if not gpus:
        raise EngineError("the NVIDIA driver finds no GPU")
    lift_memory_limit()
    return gpus


def _gpu(driver: Any, index: int, cuda: str) -> Gpu:
    device = _number(driver, "cuDeviceGet", index)
    name = ctypes.create_string_buffer(100)
    _ask(driver, "cuDeviceGetName", name, len(name), device)
    memory = ctypes.c_size_t()
    _ask(driver, "cuDeviceTotalMem_v2", ctypes.byref(memory), device)
    major, minor = (_number(driver, "cuDeviceGetAttribute", which, device) for which in (_MAJOR, _MINOR))
    return Gpu(name.value.decode("utf-8", "replace"), f"{major}.{minor}", memory.value / 2**30, cuda)


def _number(driver: Any, function: str, *arguments: Any) -> int:
    found = ctypes.c_int()
    _ask(driver, function, ctypes.byref(found), *arguments)
    return found.value


def _ask(driver: Any, function: str, *arguments: Any) -> None:
    code = getattr(driver, function)(*arguments)
    if code != 0:
        raise EngineError("the NVIDIA driver failed", got=f"{function} returned error {code}")
