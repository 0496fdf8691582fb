"""Read the GPU's utilization and memory use from NVML, the driver's library; one call takes microseconds."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_LIBRARY = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"


class _Utilization(ctypes.Structure):
    """nvmlUtilization_t: percent of the last sample period in which a kernel ran; in which memory was accessed."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    """nvmlMemory_t: bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class GpuLoad:
    """Load of the first GPU. Measures nothing if there is no GPU or NVML does not respond."""

    def __init__(self, library: Any | None = None) -> None:
        self._library = _open() if library is None else library
        self._device = ctypes.c_void_p()
        self._busy: list[int] = []
        self._most_bytes = 0
        ready = self._ask("nvmlInit_v2") and self._ask("nvmlDeviceGetHandleByIndex_v2", 0, ctypes.byref(self._device))
        if not ready:
            self._library = None

    def sample(self) -> None:
        """Take one sample."""
        load, memory = _Utilization(), _Memory()
        if self._ask("nvmlDeviceGetUtilizationRates", self._device, ctypes.byref(load)):
            self._busy.append(int(load.gpu))
        if self._ask("nvmlDeviceGetMemoryInfo", self._device, ctypes.byref(memory)):
            self._most_bytes = max(self._most_bytes, int(memory.used))

    @property
    def busy(self) -> float | None:
        """Mean over the samples of the share of time in which any kernel ran, 0..1; None without samples."""
        return sum(self._busy) / len(self._busy) / 100 if self._busy else None

    @property
    def most_mb(self) -> float | None:
        """Peak memory use of all processes, MB; None without samples."""
        return self._most_bytes / 1e6 if self._most_bytes else None

    def _ask(self, function: str, *arguments: Any) -> bool:
        return self._library is not None and getattr(self._library, function)(*arguments) == 0


def _open() -> Any | None:
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
