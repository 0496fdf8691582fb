"""Python processes of our own that never run code of the working folder.

``python -m`` and ``python -c`` look for modules in the working folder first: a ``numpy.py`` beside somebody's video
would be run. Children start with ``-P``, which leaves that out, and look where this process looks.
"""

from __future__ import annotations

import os
import sys

_HOME = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
"""The folder in which the package rtswap lies."""
_STANDARD = os.path.dirname(os.path.realpath(os.__file__))
"""Where Python's own modules lie."""


def trusted(paths: list[str]) -> list[str]:
    """``sys.path`` without the working folder, unless rtswap or Python itself lies there."""
    here = os.path.realpath(os.curdir)
    kept = [path or here for path in paths if os.path.realpath(path) in (_HOME, _STANDARD) or not _same(path, here)]
    return kept if _HOME in map(os.path.realpath, kept) else [*kept, _HOME]


def python(code: str) -> list[str]:
    """The command that runs ``code`` in a Python of its own. What it imports is what this process would import."""
    return [sys.executable, "-P", "-c", f"import sys; sys.path[:] = {trusted(sys.path)!r}\n{code}"]


def _same(path: str, folder: str) -> bool:
    """Whether both are one folder, by whatever name."""
    try:
        return os.path.samefile(path or os.curdir, folder)
    except OSError:
        return False


def program(name: str) -> str | None:
    """Where a program of this machine lies, by ``PATH``; None where it is missing, or only in the working folder."""
    import shutil

    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(folder)]
    found = shutil.which(name, path=os.pathsep.join(folders))  # Windows looks in the working folder in any case
    return None if found is None or _same(os.path.dirname(found), os.curdir) else found
