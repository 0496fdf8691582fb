"""Report the CPU name and the versions of installed packages, and how to install others."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

from rtswap.core.text import as_argument


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


def pip_install(what: str) -> str:
    """Return the command that installs ``what``, pip's words for it, for the Python that runs."""
    return pip(f'install "{what}"' if "[" in what else f"install {what}")


def pip(command: str) -> str:
    """Return a command of pip for the Python that runs: where its environment is not active, as after ``make setup``,
    the shell's ``pip`` is that of another, for which no index has rtswap."""
    found = shutil.which("pip")
    folder = os.path.dirname(sys.executable)
    if found and os.path.realpath(os.path.dirname(found)) == os.path.realpath(folder):
        return f"pip {command}"
    return f"{as_argument(sys.executable)} -m pip {command}"
