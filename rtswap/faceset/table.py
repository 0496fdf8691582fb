"""The table of a faceset, ``faces.jsonl``: a header, then one line per face and one per input file as it progresses.

Lines are only ever appended, so that a kill loses at most the last one, which ``read_lines`` passes over and
``TableWriter`` cuts off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

from rtswap.core.errors import InputError, OutputError, reason
from rtswap.core.files import is_linked, open_itself, open_regular, read_regular, replacing, write_atomic
from rtswap.core.text import as_argument
from rtswap.core.version import __version__

TABLE = "faces.jsonl"
SHEET = "sheet.png"
"""Who is who in a faceset."""
OLD_TABLE = "faces.json"
"""What ``rtswap extract`` wrote before there was a faceset."""
FORMAT = 1
ABOUT = "Pictures of people are personal data: keep, pass on and delete these as the people shown have agreed to."
_LONGEST = 1 << 20
"""Bytes in a line; a face takes 12 kB."""


class Line(NamedTuple):
    """A parsed line of the table."""

    entry: dict[str, Any]
    end: int
    """Number of bytes up to its end."""


def header(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The first line. ``settings``: the options that determine what is extracted, as JSON types."""
    return {"faceset": FORMAT, "made_by": f"rtswap {__version__}", "about": ABOUT, "settings": dict(settings)}


def read_lines(folder: Path) -> Iterator[Line]:
    """Yield the header and then every complete line. Raises InputError if the folder has no table, or one of another
    version, or one that rtswap did not write."""
    path = folder / TABLE
    end = 0
    with _open(folder) as file:
        number = 0
        while text := _next_line(file, path):
            if not text.endswith(b"\n"):
                break  # cut off by a kill
            number, end = number + 1, end + len(text)
            entry = _parse(text)
            if entry is None or (number == 1 and "faceset" not in entry):
                raise not_ours(path, number)
            if number == 1:
                _check_version(path, entry)
            yield Line(entry, end)
    if not end:
        raise not_ours(path, 1)


def not_ours(path: Path, number: int) -> InputError:
    """The error for a line that rtswap did not write."""
    return InputError(
        f"{path} was not written by rtswap extract",
        expected="a faceset's table (docs/faceset.md)",
        got=f"something else in line {number}",
        do="Extract the faces again into a new folder.",
    )


def has_table(folder: Path) -> bool:
    """Whether there is a table in the folder, of whatever version."""
    return os.path.lexists(folder / TABLE)


def refuse_old(folder: Path) -> None:
    """Raise InputError if an older rtswap wrote the folder."""
    if not has_table(folder) and os.path.lexists(folder / OLD_TABLE):
        raise InputError(
            f"{folder} was written by an older rtswap extract",
            expected=TABLE,
            got=OLD_TABLE,
            do="Extract the faces again into a new folder: rtswap extract INPUT --out NEW",
        )


class TableWriter:
    """Appends lines to a table. Each reaches the file before ``append`` returns. Raises OutputError."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], keep: int = 0) -> None:
        """Go on with a table after its first ``keep`` bytes, or begin one. The folder must exist. A link in the place
        of the table is replaced: what it leads to is not written to."""
        self._path = folder / TABLE
        try:
            if is_linked(self._path):
                write_atomic(self._path, read_regular(self._path)[:keep] if keep else b"")
            self._file = open(  # noqa: SIM115 - close() closes it
                self._path, "r+b" if keep else "w+b", buffering=0, opener=open_itself
            )
            self._file.truncate(keep)
            self._file.seek(keep)
        except (OSError, ValueError) as error:
            raise self._cannot(error) from None
        self._end = keep
        if not keep:
            self.append(header(settings))

    def append(self, entry: Mapping[str, Any] | str) -> None:
        """Write one line: an entry, or the JSON of one."""
        text = entry if isinstance(entry, str) else _dump(entry)
        data = text.encode("ascii") + b"\n"
        try:
            written = 0
            while written < len(data):
                written += self._file.write(data[written:]) or 0
        except BaseException as error:
            with suppress(OSError):
                self._file.truncate(self._end)
                self._file.seek(self._end)
            if isinstance(error, OSError):
                raise self._cannot(error) from None
            raise
        self._end += len(data)

    def close(self) -> None:
        """Close the file. Can be called again."""
        try:
            self._file.close()
        except OSError as error:
            raise self._cannot(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _cannot(self, error: Exception) -> OutputError:
        return OutputError(f"cannot write {self._path}", got=reason(error), do="Free some space, or choose --out.")


def rewrite(folder: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Replace the table by these lines, the first a header, all at once: a kill leaves the old table, which ``lines``
    may read meanwhile. Raises OutputError."""
    path = folder / TABLE
    try:
        with replacing(path) as file:
            for entry in lines:
                file.write(_dump(entry).encode("ascii") + b"\n")
    except OSError as error:
        raise OutputError(f"cannot write {path}", got=reason(error), do="Free some space, or choose --out.") from None


def _dump(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _open(folder: Path) -> BinaryIO:
    refuse_old(folder)
    try:
        return open_regular(folder / TABLE)
    except (FileNotFoundError, NotADirectoryError):
        there, inside = os.path.lexists(folder), os.path.isdir(folder)
        raise InputError(
            f"{str(folder)[:300]!r} is not a faceset",
            expected=f"a folder with {TABLE}, which rtswap extract writes",
            got=f"no {TABLE}" if inside else "a file" if there else "no such folder",
            do=f"Extract its faces first: rtswap extract {as_argument(folder)} --for-training --out DIR"
            if there
            else "Check the path.",
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {str(folder / TABLE)[:300]!r}", got=reason(error)) from None


def _next_line(file: BinaryIO, path: Path) -> bytes:
    try:
        return file.readline(_LONGEST)
    except OSError as error:
        raise InputError(f"cannot read {path}", got=reason(error)) from None


def _parse(text: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _no_number(word: str) -> float:
    """Reject NaN and infinities, which JSON does not have."""
    raise ValueError(word)


def _check_version(path: Path, entry: Mapping[str, Any]) -> None:
    version = entry["faceset"]
    if version == FORMAT and type(version) is int and isinstance(entry.get("settings"), dict):
        return
    if type(version) is not int or version == FORMAT:
        raise not_ours(path, 1)
    raise InputError(
        f"{path} was written by another version",
        expected=f"version {FORMAT}",
        got=f"version {version}",
        do="Update rtswap." if version > FORMAT else "Extract the faces again into a new folder.",
    )
