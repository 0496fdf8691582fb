"""``--output stills:folder``: every 30th picture as a PNG, named by its number."""

from dataclasses import dataclass
from pathlib import Path

import cv2

from rtswap.core.errors import OutputError
from rtswap.core.parts import OutputRequest, OutputSpec
from rtswap.core.types import MarkedImage


@dataclass
class Stills:
    folder: Path
    every: int = 30

    @property
    def name(self) -> str:
        return f"stills in {self.folder}"

    def send(self, image: MarkedImage) -> None:
        path = self.folder / f"{image.index:06}.png"
        if image.index % self.every == 0 and not cv2.imwrite(str(path), image.image):
            raise OutputError(f"cannot write {path}", do="Check the folder and the free space.")

    def close(self) -> None: ...


def folder_of(address: str) -> str:
    return address.removeprefix("stills:")


def open_stills(address: str, request: OutputRequest) -> Stills:
    Path(folder_of(address)).mkdir(parents=True, exist_ok=True)
    return Stills(Path(folder_of(address)))


SPEC = OutputSpec("stills", "stills:FOLDER", lambda it: it.startswith("stills:"), open_stills, path=folder_of)
