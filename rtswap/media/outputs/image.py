"""Image output: one image file, numbered images or a folder, each image written atomically."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import cv2

from rtswap.core.errors import OutputError, UsageError, reason
from rtswap.core.files import make_writable, write_atomic
from rtswap.core.parts import OutputRequest, OutputSpec
from rtswap.core.text import as_argument
from rtswap.core.types import Image, MarkedImage
from rtswap.core.urls import expanded, scheme
from rtswap.media.output_names import IMAGE_SUFFIXES, NUMBER, OutputNames, is_folder, refuse_taken

_QUALITY = {
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
    ".avif": [cv2.IMWRITE_AVIF_QUALITY, 95],
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 3],
}


class ImageOutput:
    """Output to ``face.png`` (one image), ``out_%05d.png`` (by frame index) or a folder, where images keep the names
    of their input files (``OutputNames``) and frames without one become ``00000.png`` ....

    Raises OutputError if a file exists (unless ``overwrite``) or cannot be written, and for a second frame if the
    name has no number. ``sign`` is called with each finished file.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        frames: int | None = None,
        overwrite: bool = False,
        sign: Callable[[Path], None] | None = None,
    ) -> None:
        self._path, self._overwrite, self._sign = Path(path), overwrite, sign
        folder = is_folder(str(path))
        self._names = OutputNames() if folder else None
        self._pattern = self._path / "%05d.png" if folder else self._path
        if self._pattern.suffix.lower() not in IMAGE_SUFFIXES:
            raise UsageError(
                f"cannot write images to {path}", expected=f"a name ending in {', '.join(IMAGE_SUFFIXES)}"
            )
        if len(NUMBER.findall(self._pattern.name)) > 1:
            raise UsageError(f"{path} has more than one number field", expected="one, as in out_%05d.png")
        self._many = NUMBER.search(self._pattern.name) is not None
        self._sent = False
        if folder:
            _make_folder(self._path)
        self._check_folder()
        if not self._many:
            if frames is not None and frames > 1:
                raise self._too_many("several")
            refuse_taken(self._path, overwrite)

    @property
    def name(self) -> str:
        return str(self._path)

    def keeps(self, picture: Path) -> bool:
        """Whether the folder has the output of ``picture`` already, and keeps it. Its name is then decided, so that
        pictures asked about in the same order get the same names in every run."""
        return self._names is not None and (self._path / self._names.name(picture)).exists() and not self._overwrite

    def send(self, image: MarkedImage) -> None:
        if self._sent and not self._many:
            raise self._too_many("a second one")
        path = self._path_for(image)
        refuse_taken(path, self._overwrite)
        self._write(path, image.image)
        self._sent = True
        if self._sign is not None:
            self._sign(path)

    def close(self) -> None:
        return

    def _too_many(self, got: str) -> OutputError:
        many = f"{self._path.stem}_%05d{self._path.suffix}"
        do = f"Write a video or .gif, or use {many} for a picture of each frame."
        return OutputError(f"{self.name} can hold only one frame", got=got, do=do)

    def _path_for(self, image: MarkedImage) -> Path:
        if self._names is not None and image.path is not None:
            return self._path / self._names.name(image.path)
        return self._numbered(image.index) if self._many else self._path

    def _numbered(self, index: int) -> Path:
        def digits(match: re.Match[str]) -> str:
            return str(index).zfill(int(match.group(1) or 0))

        return self._pattern.with_name(NUMBER.sub(digits, self._pattern.name))

    def _check_folder(self) -> None:
        parent = self._pattern.parent
        if not parent.is_dir():
            raise OutputError(
                f"the folder {parent} for {self._pattern.name} does not exist",
                do=f"Create it first: mkdir -p {as_argument(parent)}",
            )
        try:
            make_writable(parent)
        except OSError as error:
            raise OutputError(f"cannot write to {parent}", got=reason(error), do="Choose another folder.") from None

    def _write(self, path: Path, image: Image) -> None:
        suffix = path.suffix.lower()
        try:
            ok, data = cv2.imencode(suffix, image, _QUALITY.get(suffix, []))
        except cv2.error as error:
            raise OutputError(f"cannot encode {path}", got=str(error.err)) from None
        if not ok:
            raise OutputError(f"cannot encode {path}", got=f"{image.shape[1]}x{image.shape[0]} pixels")
        try:
            write_atomic(path, data.tobytes(), overwrite=self._overwrite)
        except OSError as error:
            raise OutputError(f"cannot write {path}", got=reason(error), do="Choose another folder.") from None


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        create = f"Create its parent folder first: mkdir -p {as_argument(path.parent)}"
        do = create if missing else "Choose another folder."
        raise OutputError(f"cannot create the folder {path}", got=reason(error), do=do) from None


def _takes(address: str) -> bool:
    if not address or scheme(address):
        return False
    path = expanded(address)
    return address.endswith(("/", "\\")) or path.suffix.lower() in IMAGE_SUFFIXES or os.path.isdir(path)


def _open(address: str, request: OutputRequest) -> ImageOutput:
    return ImageOutput(
        os.path.expanduser(address), frames=request.frames, overwrite=request.overwrite, sign=request.sign
    )


def _check(address: str, request: OutputRequest) -> None:
    path = expanded(address)
    if not is_folder(address) and not NUMBER.search(path.name):
        refuse_taken(path, request.overwrite)


SPEC = OutputSpec("image", "image (.png .jpg .webp .avif .bmp .tif), folder/", _takes, _open, _check, by_suffix=True)
