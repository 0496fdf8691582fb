"""How busy the GPU is and how much of its memory is taken, asked of the driver's library NVML in microseconds."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

_LIBRARY = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"


class _Utilization(ctypes.Structure):
    """nvmlUtilization_t: percent of the last sample period in which a kernel ran; and in which memory was used."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    """nvmlMemory_t: bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class GpuLoad:
    """The first GPU. Where there is none, or NVML does not answer, nothing is measured."""

    def __init__(self, library: Any | None = None) -> None:
        self._library = _open() if library is None else library
        self._device = ctypes.c_void_p()
        self._busy: list[int] = []
        self._most_bytes = 0
        ready = self._ask("nvmlInit_v2") and self._ask("nvmlDeviceGetHandleByIndex_v2", 0, ctypes.byref(self._device))
        if not ready:
            self._library = None

    def sample(self) -> None:
        """Note the moment."""
        load, memory = _Utilization(), _Memory()
        if self._ask("nvmlDeviceGetUtilizationRates", self._device, ctypes.byref(load)):
            self._busy.append(int(load.gpu))
        if self._ask("nvmlDeviceGetMemoryInfo", self._device, ctypes.byref(memory)):
            self._most_bytes = max(self._most_bytes, int(memory.used))

    @property
    def busy(self) -> float | None:
        """0..1, the mean of the moments: the share of time in which the GPU did anything at all."""
        return sum(self._busy) / len(self._busy) / 100 if self._busy else None

    @property
    def most_mb(self) -> float | None:
        """Memory taken at most, by everybody."""
        return self._most_bytes / 1e6 if self._most_bytes else None

    def _ask(self, function: str, *arguments: Any) -> bool:
        return self._library is not None and getattr(self._library, function)(*arguments) == 0


def _open() -> Any | None:
    try:
        return ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
