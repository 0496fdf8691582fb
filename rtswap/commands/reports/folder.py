"""What a command writes: a result folder, complete or not at all, and JSON with one row per line."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rtswap.core.errors import OutputError, reason
from rtswap.core.files import make_partial, make_writable


@contextmanager
def publish_folder(path: Path, names: Sequence[str], *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary folder that is renamed to ``path`` on success and deleted on failure.

    ``names``: the files it will hold. If ``path`` exists they are moved into it in this order, from a folder in it:
    those beside it may be on another disk or not writable, and ``.`` has no name. Raises OutputError if ``path``
    cannot be written, or if it holds such files and ``overwrite`` is False.
    """
    _refuse(path, names, overwrite)
    place = path / "rtswap" if path.exists() else path
    work = make_partial(place, Path.mkdir, do="Choose another folder with -o.")
    do = "Free some space, or choose another folder with -o."
    try:
        yield work
        try:
            _publish(work, path, names)
        except OSError as error:
            raise OutputError(f"cannot write {path}", got=reason(error), do=do) from None
    except OutputError as error:
        if str(work) not in error.do:
            raise
        raise OutputError(error.what, got=error.got, do=do) from None  # what it names is deleted
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _refuse(path: Path, names: Sequence[str], overwrite: bool) -> None:
    try:
        if not path.exists():
            return
        there = [name for name in names if (path / name).exists()]
    except (OSError, ValueError) as error:
        raise OutputError(f"cannot write {str(path)[:300]!r}", got=reason(error)) from None
    if not path.is_dir():
        raise OutputError(
            f"cannot write into {path}", expected="a folder", got="a file", do="Choose another name with -o."
        )
    if there and not overwrite:
        do = "Choose another folder with -o, or add --overwrite."
        raise OutputError(f"{path / there[0]} already exists", do=do)
    try:
        make_writable(path)
    except OSError as error:
        do = "Choose another folder with -o."
        raise OutputError(f"cannot write into {path}", got=reason(error), do=do) from None


def _publish(work: Path, path: Path, names: Sequence[str]) -> None:
    if not path.exists():
        work.rename(path)
        return
    (path / names[-1]).unlink(missing_ok=True)  # the last file shows that the folder is complete
    for name in names:
        (work / name).replace(path / name)


def finite(value: float, digits: int = 4) -> float | None:
    """Round ``value`` for JSON; NaN and infinities become None."""
    return round(value, digits) if math.isfinite(value) else None


def write_rows(path: Path, head: Mapping[str, Any], rows: Mapping[str, Iterable[Any]]) -> None:
    """``head`` as JSON, then each list of ``rows``, a line for each entry, so that two files can be compared by eye.
    Raises OutputError."""
    try:
        with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(json.dumps(head, indent=1, ensure_ascii=False)[:-2])
            for key, values in rows.items():
                file.write(f',\n "{key}": [')
                for number, value in enumerate(values):
                    file.write(("," if number else "") + "\n  " + json.dumps(value, ensure_ascii=False))
                file.write("\n ]")
            file.write("\n}\n")
    except OSError as error:
        raise OutputError(f"cannot write {path}", got=reason(error)) from None
