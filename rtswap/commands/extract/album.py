"""The output folder, a faceset: pictures, masks, the table, and how far each input file has been processed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from rtswap.core.errors import InputError, OutputError, reason
from rtswap.core.files import alone_in, is_other, make_writable, write_atomic
from rtswap.core.types import Image, Mask, Points
from rtswap.faceset.record import MASK_SUFFIX, NOBODY, FaceRecord, line_of, record_of
from rtswap.faceset.table import (
    SHEET,
    TABLE,
    TableWriter,
    has_table,
    header,
    not_ours,
    read_lines,
    refuse_old,
    rewrite,
)
from rtswap.vision.geometry import inverse, transform

_QUALITY = 95
"""Of JPEGs."""
_NOT_OURS = (KeyError, TypeError, ValueError, OverflowError, AttributeError)


@dataclass(slots=True)
class FileProgress:
    """Progress within one input file."""

    name: str
    complete: bool = False
    frame: int = 0
    """First frame still to process."""
    next_s: float = 0.0
    """Skip video frames before this time, s."""
    seen: int = 0
    """Number of faces, stored or not."""
    refused: dict[str, int] = field(default_factory=dict)
    """Reason -> count."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredFace:
    """A stored face in memory: without its landmarks, so that a long video takes little."""

    file: str
    mask: str
    sha256: str
    frame: int | None
    time_s: float
    middle: tuple[float, float]
    """Mean of the keypoints in the frame, px."""
    keypoints: Points
    score: float
    face_px: float
    yaw: float
    person: int

    @classmethod
    def of(cls, record: FaceRecord) -> StoredFace:
        """The essence of a record."""
        x, y = transform(inverse(record.matrix), record.keypoints).mean(axis=0).tolist()
        face_px = record.quality.get("face_px", 0.0)
        return cls(
            record.file,
            record.mask,
            record.sha256,
            record.frame,
            record.time_s or 0.0,
            (x, y),
            record.keypoints,
            record.score,
            face_px,
            record.pose.yaw,
            record.person,
        )


class Album:
    """An output folder that continues an earlier run. Every method raises OutputError on a disk error.

    Faces are added one by one and settled picture by picture: those of a picture that a kill interrupted are cut off
    the table and extracted again, so that the result is the same as without the kill.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, overwrite: bool) -> None:
        self.folder, self.settings = folder, dict(settings)
        self.overwrite = overwrite
        self.faces: list[StoredFace] = []
        self.done: dict[str, FileProgress] = {}
        """SHA-256 of the file -> progress."""
        self.started_over = False
        self._keep = 0
        """Bytes of the table that are settled."""
        self._table: TableWriter | None = None
        self._made = False
        self._alone = ExitStack()
        """While this is open, no other run writes into the folder: both would write over the other's lines."""
        try:
            self._open()
        except BaseException:
            self._alone.close()
            raise

    def begin(self, sha256: str, file: str) -> FileProgress | None:
        """Return a file's progress; None if it is complete."""
        found = self.done.setdefault(sha256, FileProgress(file))
        return None if found.complete else found

    def add(self, record: FaceRecord, picture: bytes, mask: Mask) -> None:
        """Write the picture and the mask, then the record's line."""
        self._write(record.file, picture)
        self._write(record.mask, encode(mask, MASK_SUFFIX))
        self._lines().append(line_of(record))
        self.faces.append(StoredFace.of(record))

    def settle(self, sha256: str) -> None:
        """Write down a file's progress: from now on a kill loses none of its faces."""
        self._lines().append({"input": sha256} | asdict(self.done[sha256]))

    def drop(self, sha256s: set[str]) -> None:
        """Remove the faces of these files and forget that they were processed."""
        self.remove([face for face in self.faces if face.sha256 in sha256s])
        self.done = {sha256: done for sha256, done in self.done.items() if sha256 not in sha256s}
        self._rewrite(lambda entry: None if entry.get("input") in sha256s else entry)

    def remove(self, faces: list[StoredFace]) -> None:
        """Remove faces: their lines, then their pictures and masks."""
        gone = {face.file for face in faces}
        if not gone:
            return
        self._rewrite(lambda entry: None if entry.get("file") in gone else entry)
        self.faces = [face for face in self.faces if face.file not in gone]
        for face in faces:
            for name in filter(None, (face.file, face.mask)):
                try:
                    (self.folder / name).unlink(missing_ok=True)
                except OSError as error:
                    raise _cannot_write(self.folder / name, error) from None

    def assign(self, people: Mapping[str, int]) -> None:
        """Write down who the faces are. ``people``: picture -> person; ``NOBODY`` for all others."""
        found = [replace(face, person=people.get(face.file, NOBODY)) for face in self.faces]
        if all(face.person == new.person for face, new in zip(self.faces, found, strict=True)):
            return
        self._rewrite(
            lambda entry: entry | {"person": people.get(entry["file"], NOBODY)} if "file" in entry else entry
        )
        self.faces = found

    def write(self, name: str, data: bytes) -> None:
        """Write another file into the folder, replacing that of an earlier run."""
        try:
            write_atomic(self.folder / name, data)
        except (OSError, ValueError) as error:
            raise _cannot_write(self.folder / name, error) from None

    def close(self) -> None:
        """Close the table. Remove the folder if this run created it and nothing was stored."""
        with self._alone:
            self._close_table()
            if self._made and not any(self.folder.iterdir()):
                self.folder.rmdir()

    def _close_table(self) -> None:
        if self._table is not None:
            self._table.close()
            self._table = None

    def _lines(self) -> TableWriter:
        if self._table is None:
            self._table = TableWriter(self.folder, self.settings, self._keep)
        return self._table

    def _rewrite(self, changed: Callable[[dict[str, Any]], Mapping[str, Any] | None]) -> None:
        """Replace each line by what ``changed`` makes of it; None removes it."""
        kept = math.inf if self._table is not None else self._keep
        if not kept:
            return
        self._close_table()

        def lines() -> Iterator[Mapping[str, Any]]:
            yield header(self.settings)
            for number, line in enumerate(read_lines(self.folder)):
                new = changed(line.entry) if number and line.end <= kept else None
                if new is not None:
                    yield new

        rewrite(self.folder, lines())
        self._keep = (self.folder / TABLE).stat().st_size

    def _write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        try:
            if not self.overwrite and is_other(path, data):  # equal: an interrupted run's
                raise OutputError(f"{path} exists but is not in {TABLE}", do="Move it away, or add -y.")
        except OSError as error:
            raise _cannot_write(path, error) from None
        self.write(name, data)

    def _open(self) -> None:
        try:
            self._made = not self.folder.exists()
            make_writable(self.folder)
        except (OSError, ValueError) as error:
            raise _cannot_write(self.folder, error) from None
        self._alone.enter_context(alone_in(self.folder))
        if has_table(self.folder):
            self._read()
        elif not self.overwrite:
            refuse_old(self.folder)
            if (self.folder / SHEET).exists():
                raise OutputError(f"{self.folder / SHEET} exists", do="Choose another folder with --out, or add -y.")

    def _read(self) -> None:
        try:
            settings = self._read_settled()
        except InputError as error:
            if self.overwrite:
                return
            do = "Choose another folder with --out, or replace it with -y."
            raise OutputError(error.what, expected=error.expected, got=error.got, do=do) from None
        if settings == self.settings:
            return
        if self.faces and not self.overwrite:
            flags = ", ".join(_differing(settings, self.settings))
            other = f"a different {flags}" if flags else "different settings"
            do = "Choose another folder with --out, or start over with -y."
            raise OutputError(f"{self.folder} was extracted with {other}", do=do)
        self.started_over = bool(self.faces)
        self.drop(set(self.done))
        self._keep = 0

    def _read_settled(self) -> dict[str, Any]:
        """Read the table up to the last line that settles a picture. Returns its settings. Raises InputError."""
        settings: dict[str, Any] = {}
        faces: list[StoredFace] = []
        done: dict[str, FileProgress] = {}
        settled = keep = 0
        for number, line in enumerate(read_lines(self.folder), 1):
            try:
                if number == 1:
                    settings, keep = line.entry["settings"], line.end
                elif "file" in line.entry:
                    faces.append(StoredFace.of(record_of(line.entry)))
                else:
                    done[_sha256_of(line.entry)] = _progress_from(line.entry)
                    settled, keep = len(faces), line.end
            except _NOT_OURS:
                raise not_ours(self.folder / TABLE, number) from None
        self.faces, self.done, self._keep = faces[:settled], done, keep
        return settings


def encode(image: Image | Mask, suffix: str) -> bytes:
    """Return the image as PNG or JPEG bytes."""
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 3]
    return cv2.imencode(suffix, np.ascontiguousarray(image), options)[1].tobytes()


def _sha256_of(entry: Mapping[str, Any]) -> str:
    if not isinstance(entry["input"], str):
        raise TypeError("input")
    return entry["input"]


def _progress_from(entry: Mapping[str, Any]) -> FileProgress:
    made = FileProgress(**{name: value for name, value in entry.items() if name != "input"})
    if not isinstance(made.name, str) or type(made.complete) is not bool or type(made.next_s) not in (int, float):
        raise TypeError("progress")
    if any(type(count) is not int for count in (made.frame, made.seen, *made.refused.values())):
        raise TypeError("progress")
    return made


def _cannot_write(path: Path, error: Exception) -> OutputError:
    return OutputError(f"cannot write {str(path)[:300]!r}", got=reason(error), do="Choose another folder with --out.")


def _differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Return the flags whose settings differ."""
    found: list[str] = []
    for name, value in now.items():
        old = before.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            found += _differing(old, value)
        elif name == "light" and isinstance(old, list):
            pairs = zip(("--min-light", "--max-light"), old, value, strict=False)
            found += [flag for flag, one, other in pairs if one != other]
        elif old != value:
            found.append("--" + name.removesuffix("_s").removesuffix("_px").replace("_", "-"))
    return found
