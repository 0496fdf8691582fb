"""An output of one's own: keeps every n-th picture as a PNG, named by its number."""

from dataclasses import dataclass
from pathlib import Path

import cv2

from rtswap.core.errors import OutputError
from rtswap.core.types import MarkedImage


@dataclass
class Contact:
    folder: Path
    every: int = 30

    @property
    def name(self) -> str:
        return f"contact sheet in {self.folder}"

    def send(self, image: MarkedImage) -> None:
        if image.index % self.every == 0:
            path = self.folder / f"{image.index:06}.png"
            if not cv2.imwrite(str(path), image.image):
                raise OutputError(f"cannot write {path}", do="Is there room, and may you write there?")

    def close(self) -> None:
        """Nothing is held open."""
