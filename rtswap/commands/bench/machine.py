"""What the figures were taken on, and the file that holds them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from rtswap.core.errors import OutputError

PACKAGES = ("rtswap", "numpy", "opencv-python", "onnxruntime", "openvino", "torch", "tensorrt_rtx", "av")


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": versions,
    }


def _version(package: str) -> str | None:
    """None where it is not installed: from a checkout without installing rtswap, without OpenVINO."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def peak_rss_mb() -> float:
    """The most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if platform.system() == "Darwin" else 1024), 1)


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def check_writable(path: Path) -> None:
    """Before minutes are spent on measuring. Raises OutputError where ``path`` cannot be written as JSON."""
    if path.suffix.lower() in (".png", ".jpg"):
        raise OutputError(f"{path} is to hold figures", expected="a name that ends in .json", got=path.suffix)
    if path.is_dir() or not path.absolute().parent.is_dir():
        got = "a folder" if path.is_dir() else f"no folder {path.absolute().parent}"
        raise OutputError(f"{path} cannot be written", got=got, do="Give --out another path.")


def write_result(path: Path, result: Mapping[str, Any]) -> None:
    """As JSON. Raises OutputError."""
    try:
        path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise OutputError(f"{path} cannot be written", got=str(error), do="Give --out another path.") from error
