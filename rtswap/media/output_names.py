"""Names of the files that a folder receives: each keeps the name of its input."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path

from rtswap.core.errors import OutputError
from rtswap.core.files import refuse_existing
from rtswap.core.urls import local_path, trimmed

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp", ".tif", ".tiff")
"""Formats of pictures that rtswap writes."""
NUMBER = re.compile(r"%0?(\d{0,2})d")
"""Where a name, such as ``out_%05d.png``, gets the number of each picture."""
BESIDE = (".mkv", ".webm", ".apng", ".bmp")
"""Suffixes whose C2PA manifest is a separate file: ``clip.c2pa``."""


def is_folder(address: str) -> bool:
    """Whether an output is a folder: it exists, or the address ends with a slash (``v1.2/``) or has no suffix."""
    path = local_path(address)
    return trimmed(address).endswith(("/", "\\")) or os.path.isdir(path) or not path.suffix


def manifest_beside(path: Path) -> Path | None:
    """Return the file that holds the manifest of ``path``; None if ``path`` itself does."""
    return path.with_suffix(".c2pa") if path.suffix.lower() in BESIDE else None


def refuse_taken(path: Path, overwrite: bool, audio_from: str | None = None) -> None:
    """``refuse_existing`` for ``path`` and the manifest beside it, which may be that of another file: ``clip.c2pa``
    belongs to ``clip.mkv`` or to ``clip.webm``. Raises OutputError."""
    refuse_existing(path, overwrite, audio_from)
    beside = manifest_beside(path)
    if beside is not None and beside.exists() and not overwrite:
        do = "Choose another name, or add --overwrite."
        raise OutputError(f"{beside} already exists; {path.name} would have its manifest there", do=do)


class OutputNames:
    """Chooses a different name for each file: ``a.jpg`` stays ``a.jpg``, ``a.heic`` becomes ``a.png``, or
    ``a.heic.png`` if that name is taken. Names that differ only in case count as the same, as on macOS and Windows.
    A file that is named again keeps its name.
    """

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._named: dict[Path, str] = {}

    def name(self, file: Path, *, kept: Collection[str] = IMAGE_SUFFIXES, other: str = ".png") -> str:
        """Return the output name of ``file``. ``kept``: suffixes that it may keep; ``other``: the suffix instead."""
        if file in self._named:
            return self._named[file]
        for name in candidates(file, kept=kept, other=other):
            written = _write(name)
            belongs_to_another = name != file.name and file.with_name(name).exists()
            if self._taken.isdisjoint(written) and not belongs_to_another:
                break
        self._taken |= written
        self._named[file] = name
        return name


def candidates(file: Path, *, kept: Collection[str] = IMAGE_SUFFIXES, other: str = ".png") -> Iterator[str]:
    """Yield the possible output names of a file, the preferred one first, without end."""
    yield file.name if file.suffix.lower() in kept else file.stem + other
    for times in count(1):
        yield file.name + other * times


def _write(name: str) -> set[str]:
    """Return the files written under a name, in one case: the file, and its manifest if that is a file of its own."""
    path = Path(name.casefold())
    beside = manifest_beside(path)
    return {path.name} | ({beside.name} if beside is not None else set())
