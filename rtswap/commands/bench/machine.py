"""Describe the machine of a measurement, and write the result file."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from rtswap.core.errors import OutputError, reason
from rtswap.core.files import make_writable, write_atomic
from rtswap.core.machine import package_version, processor_name
from rtswap.core.memory import peak_memory

PACKAGES = ("rtswap", "numpy", "opencv-python", "onnxruntime", "openvino", "torch", "tensorrt_rtx", "av")


def machine() -> dict[str, Any]:
    """Return CPU, memory, load, system and package versions, for the result."""
    versions = {name: package_version(name) or None for name in PACKAGES}
    return {
        "cpu": processor_name(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": versions,
    }


def peak_rss_mb() -> float:
    """Return the peak resident memory of this process in MB."""
    return round(peak_memory() / (1 << 20), 1)


def check_writable(path: Path) -> None:
    """Raise OutputError if ``path`` cannot be written as JSON; call it before a long measurement."""
    if path.suffix.lower() in (".png", ".jpg"):
        raise OutputError(f"cannot write figures to {path}", expected="a name that ends in .json", got=path.suffix)
    if path.is_dir() or not path.absolute().parent.is_dir():
        got = "a folder" if path.is_dir() else f"no folder {path.absolute().parent}"
        raise OutputError(f"cannot write {path}", got=got, do="Choose another path with --out.")
    try:
        make_writable(path.absolute().parent)
    except OSError as error:
        raise OutputError(f"cannot write {path}", got=reason(error), do="Choose another path with --out.") from None


def write_result(path: Path, result: Mapping[str, Any]) -> None:
    """Write the result as JSON. Raises OutputError."""
    write_file(path, (json.dumps(result, indent=1) + "\n").encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a file. Raises OutputError."""
    try:
        write_atomic(path, content)
    except OSError as error:
        raise OutputError(f"cannot write {path}", got=reason(error), do="Choose another path with --out.") from error
