"""Read weight files from other installed packages, without importing them, and verify their hashes."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

from rtswap.core.errors import ModelError, NotInstalled, reason
from rtswap.core.isolation import pip_install


def find_weights(what: str, inside: str, package: str, version: str) -> Path:
    """Return the path of the file ``inside`` the package's folder. Raises NotInstalled, with ``what`` in the
    message."""
    spec = importlib.util.find_spec(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    for folder in folders:
        path = Path(folder) / inside
        if path.is_file():
            return path
    raise NotInstalled(
        f"{what} are not installed",
        expected=f"the package {package} {version}",
        got="the package without this file" if folders else "no such package",
        do=f"Run: {pip_install(f'{package}=={version}')}",
    )


def read_verified(path: Path, sha256: str, package: str, version: str) -> bytes:
    """Read a file and verify its SHA-256. ``package``, ``version``: for messages. Raises ModelError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {path}", got=reason(error)) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path} is not the file of {package} {version}",
            expected=f"sha256 {sha256[:12]}...",
            got=f"{found[:12]}...",
            do=f"Run: {pip_install(f'--force-reinstall --no-deps {package}=={version}')}",
        )
    return content
