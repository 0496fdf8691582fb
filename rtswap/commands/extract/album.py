"""The output folder: face pictures, and ``faces.json``, which describes them and lists the finished files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2

from rtswap.core.errors import OutputError, reason
from rtswap.core.files import open_regular, write_atomic
from rtswap.core.types import Image

INDEX, SHEET = "faces.json", "sheet.png"
FORMAT = 1
ABOUT = "Pictures of people are personal data: keep, pass on and delete these as the people shown have agreed to."
_QUALITY = 95
"""Of JPEGs."""


@dataclass(slots=True)
class FileProgress:
    """Progress within one input file."""

    file: str
    complete: bool = False
    frame: int = 0
    """First frame still to process."""
    next_s: float = 0.0
    """Skip video frames before this time, s."""
    seen: int = 0
    """Number of faces, stored or not."""
    refused: dict[str, int] = field(default_factory=dict)
    """Reason -> count."""


class Album:
    """An output folder that continues an earlier run. Every method raises OutputError on a disk error."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, overwrite: bool) -> None:
        self.folder, self.settings = folder, dict(settings)
        self.overwrite = overwrite
        self.faces: list[dict[str, Any]] = []
        self.done: dict[str, FileProgress] = {}
        """SHA-256 of the file -> progress."""
        self.started_over = False
        self._made = False
        self._open()

    def begin(self, sha256: str, file: str) -> FileProgress | None:
        """Return a file's progress; None if it is complete. With ``overwrite`` remove its faces and start over."""
        found = self.done.get(sha256)
        if found is not None and self.overwrite:
            self._remove([face for face in self.faces if face.get("sha256") == sha256])
            found = None
        if found is None:
            found = self.done[sha256] = FileProgress(file)
        return None if found.complete else found

    def has(self, name: str) -> bool:
        """Tell whether an interrupted run already stored this face."""
        return any(face["file"] == name for face in reversed(self.faces))

    def add(self, image: Image, record: dict[str, Any]) -> None:
        """Write the picture and add its record: both or neither."""
        path = self.folder / str(record["file"])
        if path.exists() and not self.overwrite:
            raise OutputError(f"{path} exists but is not in {INDEX}", do="Move it away, or add -y.")
        self.faces.append(record)
        try:
            _write(path, encode(image, path.suffix))
        except BaseException:
            self.faces.pop()
            raise

    def save(self) -> None:
        """Write ``faces.json`` atomically. Remove the folder if this run created it and nothing was stored."""
        if not self.faces and not self.done:
            if self._made:
                self.folder.rmdir()
            return
        content = {
            "format": FORMAT,
            "about": ABOUT,
            "settings": self.settings,
            "files": {sha256: asdict(done) for sha256, done in self.done.items()},
            "faces": self.faces,
        }
        _write(
            self.folder / INDEX,
            json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False).encode(errors="backslashreplace"),
        )

    def write(self, name: str, data: bytes) -> None:
        """Write another file into the folder, replacing that of an earlier run."""
        _write(self.folder / name, data)

    def _open(self) -> None:
        try:
            self._made = not self.folder.exists()
            self.folder.mkdir(parents=True, exist_ok=True)
            text = b""
            if (self.folder / INDEX).exists():
                with open_regular(self.folder / INDEX) as index:
                    text = index.read()
        except (OSError, ValueError) as error:
            raise _cannot_write(self.folder, error) from None
        if not os.access(self.folder, os.W_OK):
            raise OutputError(f"cannot write into {self.folder}", got="no permission", do="Choose another --out.")
        if text:
            self._read(text)
        elif (self.folder / SHEET).exists() and not self.overwrite:
            raise OutputError(f"{self.folder / SHEET} exists", do="Choose another folder with --out, or add -y.")

    def _read(self, text: bytes) -> None:
        path = self.folder / INDEX
        try:
            settings, done, faces = _parse(text)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            if self.overwrite:
                return
            do = "Choose another folder with --out, or replace it with -y."
            raise OutputError(f"{path} was not written by rtswap extract", do=do) from None
        if settings == self.settings:
            self.done, self.faces = done, faces
            return
        if not self.overwrite:
            names = [name for name in self.settings if settings.get(name) != self.settings[name]]
            do = "Choose another folder with --out, or start over with -y."
            raise OutputError(f"{self.folder} was extracted with a different {', '.join(names) or 'setting'}", do=do)
        self.faces, self.started_over = faces, True
        self._remove(faces)

    def _remove(self, faces: list[dict[str, Any]]) -> None:
        gone = {face["file"] for face in faces}
        for name in gone:
            try:
                (self.folder / name).unlink(missing_ok=True)
            except OSError as error:
                raise _cannot_write(self.folder / name, error) from None
        self.faces = [face for face in self.faces if face["file"] not in gone]


def encode(image: Image, suffix: str) -> bytes:
    """Return the image as PNG or JPEG bytes."""
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY] if suffix == ".jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 3]
    return cv2.imencode(suffix, image, options)[1].tobytes()


def _parse(text: bytes) -> tuple[dict[str, Any], dict[str, FileProgress], list[dict[str, Any]]]:
    """Parse ``faces.json``. Raises ValueError, KeyError, TypeError, AttributeError or RecursionError unless
    ``Album.save`` wrote it."""
    content = json.loads(text, parse_constant=_no_number)
    if content["format"] != FORMAT:
        raise ValueError("format")
    done = {str(sha256): _progress_from(entry) for sha256, entry in content["files"].items()}
    faces = list(content["faces"])
    for face in faces:
        name = face["file"]
        if Path(name).name != name or Path(name).suffix not in (".png", ".jpg") or name == SHEET:
            raise ValueError(name)  # -y removes only face pictures inside the folder
        points = [value for point in face["aligned"] for value in point]
        figures = [face["score"], *face["quality"].values(), *points]
        if len(points) != 10 or not all(isinstance(value, (int, float)) for value in figures):
            raise ValueError(name)
        if face["sha256"] not in done:
            raise ValueError(name)
    return dict(content["settings"]), done, faces


def _no_number(word: str) -> float:
    """Reject NaN and infinities, which JSON does not have."""
    raise ValueError(word)


def _progress_from(entry: dict[str, Any]) -> FileProgress:
    made = FileProgress(**entry)
    sound = isinstance(made.frame, int) and isinstance(made.seen, int) and isinstance(made.complete, bool)
    if not sound or not isinstance(made.next_s, float) or not isinstance(made.refused, dict):
        raise ValueError("files")
    if not all(isinstance(count, int) for count in made.refused.values()):
        raise ValueError("refused")
    return made


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomic(path, data)
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from None


def _cannot_write(path: Path, error: Exception) -> OutputError:
    return OutputError(f"cannot write {str(path)[:300]!r}", got=reason(error), do="Choose another folder with --out.")
