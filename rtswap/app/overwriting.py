"""No file that a run reads is written by it, and none is written twice: looked at before anything is opened.

Files are compared by device and inode, so a link or another spelling of the path is the same file. Nothing lifts
this, not even ``--overwrite``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from rtswap.app.config import Config
from rtswap.core.errors import UsageError
from rtswap.core.urls import local_path, scheme
from rtswap.source.personas import is_persona
from rtswap.vision.images import PICTURE_SUFFIXES

_NUMBER = re.compile(r"%0?\d*d")
_NO_FILES = ("window", "null")
_BESIDE = (".mkv", ".bmp")
"""Their manifest lies in a file of its own: ``clip.c2pa``."""
Identity = tuple[int, int] | str


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """What an output writes: in ``folder`` every file whose name matches ``name``."""

    folder: Path
    name: re.Pattern[str]
    first: str
    """The name of the first one."""
    many: bool

    @property
    def shown(self) -> str:
        return str(self.folder if self.many else self.folder / self.first)

    def existing(self) -> Iterable[Path]:
        """What is there now and would be replaced."""
        if not self.many:
            return [self.folder / self.first]
        return (path for path in _children(self.folder) if self.name.fullmatch(path.name))

    def meets(self, other: WrittenFiles) -> bool:
        """Whether both write the same file."""
        if not self.many and not other.many:
            return _identity(self.folder / self.first) == _identity(other.folder / other.first)
        same = _identity(self.folder) == _identity(other.folder)
        return same and bool(self.name.fullmatch(other.first) or other.name.fullmatch(self.first))


def refuse_losses(config: Config) -> None:
    """Of a run. Raises UsageError."""
    marks = config.marks
    pairs = [part for rule in config.source.swap for part in rule.split("=", 1)]
    photos = [photo for photo in (*config.source.photos, *config.source.also, *pairs) if not is_persona(photo)]
    reads = [(config.input.address, "the input"), *((photo, "a photo of the source") for photo in photos)]
    reads += [(path, "what recordings are signed with") for path in (marks.certificate, marks.key) if path]
    written = [target for address in config.output.to for target in written_by(address)]
    if config.metrics.file:
        written += [one_file(Path(config.metrics.file))]
    for one, other in combinations(written, 2):
        if one.meets(other):
            raise UsageError(f"{other.shown} would be written twice", do="Give each output a name of its own.")
    refuse(reads, written)


def refuse(reads: Iterable[tuple[str, str]], written: Sequence[WrittenFiles]) -> None:
    """``reads``: addresses, and what each is. A folder stands for itself and its pictures. Raises UsageError."""
    known: dict[Identity, str] = {}
    for address, what in reads:
        if not scheme(address) or scheme(address) == "file":
            path = local_path(address)
            inside = (child for child in _children(path) if child.suffix.lower() in PICTURE_SUFFIXES)
            known |= {_identity(one): what for one in (path, *inside)}
    for target in written:
        found = [target.folder] if target.many else []
        for path in (*found, *target.existing()):
            if lost := known.get(_identity(path)):
                raise UsageError(
                    f"{path} is {lost}", do="Give the output another name: what is read is never replaced."
                )


def written_by(address: str) -> list[WrittenFiles]:
    """What an output address writes; nothing for a camera, the window and what is sent."""
    address = address.strip()
    if address.partition(":")[0] == "vcam" or address in _NO_FILES or (scheme(address) and scheme(address) != "file"):
        return []
    path = local_path(address)
    if address.endswith(("/", "\\")) or path.is_dir() or not path.suffix:
        return [WrittenFiles(path, re.compile(r"\d+\.png"), "00000.png", True)]
    if number := _NUMBER.search(path.name):
        before, after = path.name[: number.start()], path.name[number.end() :]
        name = re.compile(rf"{re.escape(before)}\d+{re.escape(after)}")
        return [WrittenFiles(path.parent, name, f"{before}00000{after}", True)]
    return [one_file(path)] + ([one_file(path.with_suffix(".c2pa"))] if path.suffix.lower() in _BESIDE else [])


def one_file(path: Path) -> WrittenFiles:
    """The file at ``path``, and nothing else."""
    return WrittenFiles(path.parent, re.compile(re.escape(path.name)), path.name, False)


def _identity(path: Path) -> Identity:
    """Of what a path leads to; where nothing is there yet, its name without links in it."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return os.path.normcase(os.path.realpath(path.parent) + os.sep + path.name) if "\0" not in str(path) else ""
    return found.st_dev, found.st_ino


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (OSError, ValueError):
        return []
