"""Start child processes that never run code from the working folder.

``python -m`` and ``python -c`` search the working folder for modules first, so a ``numpy.py`` next to a video would
be executed. Child processes start with ``-P``, which skips the working folder, and use this process's ``sys.path``.
"""

from __future__ import annotations

import os
import sys

_HOME = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
"""The folder that contains the package rtswap."""
_STANDARD = os.path.dirname(os.path.realpath(os.__file__))
"""The folder of Python's standard library."""


def trusted(paths: list[str]) -> list[str]:
    """Return ``sys.path`` without the working folder, unless rtswap or Python itself is installed there."""
    try:
        here = os.path.realpath(os.curdir)
    except OSError:  # the folder was deleted: nothing can be imported from it
        return [path for path in paths if os.path.isabs(path)]
    kept = [path or here for path in paths if os.path.realpath(path) in (_HOME, _STANDARD) or not _same(path, here)]
    return kept if _HOME in map(os.path.realpath, kept) else [*kept, _HOME]


def python(code: str) -> list[str]:
    """Return the command that runs ``code`` in a new Python process with the same import path as this one."""
    return [sys.executable, "-P", "-c", f"import sys; sys.path[:] = {trusted(sys.path)!r}\n{code}"]


def _same(path: str, folder: str) -> bool:
    """Whether both paths are the same folder."""
    try:
        return os.path.samefile(path or os.curdir, folder)
    except OSError:
        return False


def program(name: str) -> str | None:
    """Return the path of a program found on ``PATH``; None if it is missing or only in the working folder."""
    import shutil

    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(folder)]
    found = shutil.which(name, path=os.pathsep.join(folders))  # Windows always searches the working folder too
    return None if found is None or _same(os.path.dirname(found), os.curdir) else found
