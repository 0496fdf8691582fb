"""Read a faceset: its records, pictures and masks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np

from rtswap.core.errors import InputError, reason
from rtswap.core.native_logs import quiet_opencv
from rtswap.core.types import Image, Mask
from rtswap.faceset.record import FaceRecord, record_of
from rtswap.faceset.table import TABLE, not_ours, read_lines
from rtswap.vision.images import read_checked, read_image


@dataclass(frozen=True, slots=True, eq=False)
class Faceset:
    """A folder of aligned faces. Every method raises InputError, in one line, for what is missing or damaged."""

    folder: Path
    settings: Mapping[str, Any]
    """The options that it was extracted with."""
    records: tuple[FaceRecord, ...]
    """In the order in which they were written."""

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> Faceset:
        """Read the table. Faces whose pictures were deleted, and a last line that a kill cut off, are left out."""
        path = Path(folder)
        records: list[FaceRecord] = []
        settings: dict[str, Any] = {}
        for number, line in enumerate(read_lines(path), 1):
            if number == 1:
                settings = line.entry["settings"]
            elif "file" in line.entry:
                try:
                    records.append(record_of(line.entry))
                except (KeyError, TypeError, ValueError, OverflowError):
                    raise not_ours(path / TABLE, number) from None
        there = _names_in(path)
        kept = tuple(record for record in records if record.file in there)
        if not kept:
            got = f"{len(records)} in {TABLE}, and none of their pictures" if records else ""
            raise InputError(f"there are no faces in {path}", got=got, do="Extract some: rtswap extract INPUT --out")
        return cls(path, MappingProxyType(settings), kept)

    def picture(self, record: FaceRecord) -> Image:
        """The face's picture, (size, size, 3) BGR."""
        image = read_image(self.folder / record.file)
        self._check(record, record.file, image.shape[:2])
        return image

    def mask(self, record: FaceRecord) -> Mask:
        """Where the face is visible, (size, size): 255 = face, 0 = hair, hand, background."""
        if not record.mask:
            raise InputError(f"{self.folder / record.file} has no mask", do="Extract the faces again.")
        path = self.folder / record.mask
        data, _ = read_checked(path)
        try:
            with quiet_opencv():
                image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
        except cv2.error:
            image = None
        if image is None:
            raise InputError(f"cannot decode {path}", expected="a PNG", got="a damaged file", do="Extract it again.")
        self._check(record, record.mask, image.shape[:2])
        return np.asarray(image, np.uint8)

    def people(self) -> dict[int, tuple[FaceRecord, ...]]:
        """Person -> their records, by number; -1 holds the faces that were not assigned."""
        found: dict[int, list[FaceRecord]] = {}
        for record in self.records:
            found.setdefault(record.person, []).append(record)
        return {person: tuple(found[person]) for person in sorted(found)}

    def _check(self, record: FaceRecord, name: str, shape: tuple[int, ...]) -> None:
        if shape != (record.size, record.size):
            raise InputError(
                f"{self.folder / name} is not the picture of the table",
                expected=f"{record.size}x{record.size}",
                got=f"{shape[1]}x{shape[0]}",
                do="Extract it again.",
            )


def _names_in(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}", got=reason(error)) from None
