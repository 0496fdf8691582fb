"""Run no code from the working folder, neither here nor in child processes.

``python -m`` and ``python -c`` search the working folder for modules first, so a ``numpy.py`` next to a video would
be executed. Child processes start with ``-P``, which skips the working folder, and use this process's ``sys.path``.
Packages that read settings there are imported elsewhere.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in the package's __init__
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

_HOME = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))
"""The folder that contains the package rtswap."""
PICTURE_LIMIT = "OPENCV_IO_MAX_IMAGE_PIXELS", "100000000"
"""What limits pictures in OpenCV, read as it loads: ``vision.images.MAX_PIXELS``."""
_STANDARD = os.path.dirname(os.path.realpath(os.__file__))
"""The folder of Python's standard library."""


def trusted(paths: list[str]) -> list[str]:
    """Return ``sys.path`` without the working folder, unless rtswap or Python itself is installed there."""
    try:
        here = os.path.realpath(os.curdir)
    except OSError:  # the folder was deleted: nothing can be imported from it
        return [path for path in paths if os.path.isabs(path)]
    absolute = [path or here for path in paths if os.path.isabs(path or here)]
    kept = [path for path in absolute if os.path.realpath(path) in (_HOME, _STANDARD) or not _same(path, here)]
    return kept if _HOME in map(os.path.realpath, kept) else [*kept, _HOME]


def leave_working_folder() -> None:
    """Let this command, and the programs that it starts, find neither modules nor programs in the working folder.

    Python puts it on the import path for ``python -m``, and for an empty entry of ``PYTHONPATH`` (as of
    ``$PYTHONPATH:/more`` where that was not set); packages that are installed to be edited add relative names. In
    ``PATH`` an empty entry means it, too; Python's own ``platform`` and ``webbrowser`` run what they find there."""
    sys.path[:] = [path for path in sys.path if os.path.isabs(path)]
    given = os.environ.get("PYTHONPATH", "")
    if given and not all(map(os.path.isabs, given.split(os.pathsep))):
        sys.path[:] = trusted(sys.path)
    os.environ["PATH"] = os.pathsep.join(absolute_path()) or os.defpath


def absolute_path() -> list[str]:
    """The folders of ``PATH`` but those that mean the working folder, whichever it is."""
    return [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(folder)]


def keep_library_path() -> None:
    """Leave no empty entry in ``LD_LIBRARY_PATH``, by which child processes would load a ``libc.so.6`` of the working
    folder. OpenCV appends what there is when it is imported: an empty entry, if there is nothing."""
    if sys.platform == "linux":
        given = [path for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path]
        os.environ["LD_LIBRARY_PATH"] = ":".join(given or [os.path.dirname(os.path.realpath(__file__))])


def elsewhere() -> AbstractContextManager[None]:
    """Be in another folder in the block, in which a package is imported that reads settings from the working folder
    (a ``matplotlibrc`` can make matplotlib run LaTeX). The working folder is that of all threads."""
    from contextlib import chdir

    return chdir(_HOME)


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

    found = shutil.which(name, path=os.pathsep.join(absolute_path()))  # Windows searches the working folder, too
    return None if found is None or _same(os.path.dirname(found), os.curdir) else found


def pip_install(what: str) -> str:
    """Return the command that installs ``what``, pip's words for it, for the Python that runs."""
    return pip(f'install "{what}"' if "[" in what else f"install {what}")


def pip(command: str) -> str:
    """Return a command of pip for the Python that runs: where its environment is not active, as after ``make setup``,
    the shell's ``pip`` is that of another, for which no index has rtswap."""
    found = program("pip")
    folder = os.path.dirname(sys.executable)
    if found and os.path.realpath(os.path.dirname(found)) == os.path.realpath(folder):
        return f"pip {command}"
    from rtswap.core.text import as_argument

    return f"{as_argument(sys.executable)} -m pip {command}"
