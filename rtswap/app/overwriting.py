"""Refuse a run that would overwrite a file it reads or write a file twice; checked before any file is opened.

Files are compared by device and inode, so links and other spellings of a path are recognised. ``--overwrite`` does
not disable this check.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path

from rtswap.app.config import Config
from rtswap.app.mapping import read_swap_rules
from rtswap.core.errors import InputError, UsageError
from rtswap.core.urls import expanded, local_path, scheme, trimmed
from rtswap.media.inputs.image import pictures_at
from rtswap.media.output_names import NUMBER, candidates, is_folder, manifest_beside
from rtswap.media.outputs import with_prefix
from rtswap.media.playlists import files_named
from rtswap.source.personas import is_persona
from rtswap.vision.images import PICTURE_SUFFIXES

_NO_FILES = ("window", "null", "vcam")
Identity = tuple[int, int, str] | str


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """The files that an output writes: those in ``folder`` whose names match ``name``."""

    folder: Path
    name: re.Pattern[str]
    first: str
    """Name of the first file."""
    many: bool

    @property
    def shown(self) -> str:
        return str(self.folder if self.many else self.folder / self.first)

    def existing(self) -> Iterable[Path]:
        """Return the files that the output may replace."""
        if not self.many:
            return [self.folder / self.first]
        return (path for path in _children(self.folder) if self.name.fullmatch(path.name))

    def meets(self, other: WrittenFiles) -> bool:
        """Whether both could write the same file."""
        if not self.many and not other.many:
            return _identity(self.folder / self.first) == _identity(other.folder / other.first)
        same = _identity(self.folder) == _identity(other.folder)
        return same and bool(self.name.fullmatch(other.first) or other.name.fullmatch(self.first))


def refuse_losses(config: Config) -> None:
    """Check the inputs and outputs of a run. Raises UsageError."""
    marks = config.marks
    rules = read_swap_rules(config)
    sources = *config.source.photos, *config.source.also, *(rule.source for rule in rules)
    photos = [(photo, "a photo of the source") for photo in sources]
    photos += [(rule.person, "an example photo") for rule in rules if rule.is_example]
    reads = [(config.input.address, "the input"), *(one for one in photos if not is_persona(one[0]))]
    reads += [(path, "the signing certificate or key") for path in (marks.certificate, marks.key) if path]
    pictures = _pictures(config.input.address)
    written = [target for address in config.output.to for target in files_written_by(address, pictures)]
    written += [one_file(expanded(path)) for path in (config.metrics.file, config.metrics.log) if path]
    for one, other in combinations(written, 2):
        if one.meets(other):
            raise UsageError(f"two outputs write {other.shown}", do="Give each output a different name.")
    refuse(reads, written)


def refuse(reads: Iterable[tuple[str, str]], written: Sequence[WrittenFiles]) -> None:
    """Raise UsageError if an output would replace an input. ``reads``: (address, what it is); a folder stands for
    itself and its images, a playlist for what it names."""
    known: dict[Identity, str] = {}
    for address, what in reads:
        if not scheme(address) or scheme(address) == "file":
            path = local_path(address)
            found = path, *_pictures(address), *files_named(path)
            manifests = (beside for one in found if (beside := manifest_beside(one)) is not None and beside.exists())
            known |= {_identity(one): f"the manifest of {what}" for one in manifests}
            known |= {_identity(one): what for one in found}
    for target in written:
        folder = [target.folder] if target.many else []
        for path in (*folder, *target.existing()):
            if lost := known.get(_identity(path)):
                raise UsageError(
                    f"the output {path} is {lost}", do="Give the output another name: inputs are never overwritten."
                )


def files_written_by(address: str, pictures: Iterable[Path] = ()) -> list[WrittenFiles]:
    """Return the files that an output address writes; empty for a virtual camera, the window and network streams.
    ``pictures``: the input's picture files, whose names a folder keeps."""
    address = trimmed(address)
    if address in _NO_FILES or (scheme(address) and scheme(address) != "file"):
        return []
    other = with_prefix(address)
    if other is not None:
        if other.path is None:
            return []
        address = other.path(address)
    path = local_path(address)
    if is_folder(address):
        return [WrittenFiles(path, _names_in_folder(pictures), "00000.png", True)]
    if number := NUMBER.search(path.name):
        before, after = path.name[: number.start()], path.name[number.end() :]
        name = re.compile(rf"{re.escape(before)}\d+{re.escape(after)}")
        return [WrittenFiles(path.parent, name, f"{before}00000{after}", True)]
    beside = manifest_beside(path)
    return [one_file(path)] + ([one_file(beside)] if beside is not None else [])


def _names_in_folder(pictures: Iterable[Path]) -> re.Pattern[str]:
    """Return the pattern of the names that a folder receives: numbers, or the possible names of the pictures."""
    names = {re.escape(name) for file in pictures for name in islice(candidates(file), 2)}
    return re.compile("|".join((r"\d+\.png", *(rf"{name}(\.png)*" for name in sorted(names)))), re.IGNORECASE)


def _pictures(address: str) -> list[Path]:
    """Return the picture file, or those of the folder or pattern, at an input address."""
    if scheme(address) not in ("", "file"):
        return []
    path = local_path(address)
    try:
        found = pictures_at(path)
    except InputError:
        return []
    return [one for one in (found or [path]) if one.suffix.lower() in PICTURE_SUFFIXES]


def one_file(path: Path) -> WrittenFiles:
    """Return the WrittenFiles for a single file."""
    return WrittenFiles(path.parent, re.compile(re.escape(path.name)), path.name, False)


def _identity(path: Path) -> Identity:
    """Return device and inode of a file; if it does not exist, those of its folder, and its name, of which some file
    systems ignore the case; if that does not exist either, the path."""
    for place, name in ((path, ""), (path.parent, path.name.casefold())):
        with suppress(OSError, ValueError):
            found = place.stat()
            return found.st_dev, found.st_ino, name
    return os.path.normcase(os.path.realpath(path)) if "\0" not in str(path) else ""


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (OSError, ValueError):
        return []
