"""Report the CPU name and the versions of installed packages."""

from __future__ import annotations

import platform
from pathlib import Path


def processor_name() -> str:
    """Return the CPU's name as the kernel or the platform reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def package_version(package: str) -> str:
    """Return the installed version, or an empty string if the package is not installed."""
    from importlib import metadata  # slow to import and rarely needed

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
