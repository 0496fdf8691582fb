"""Parts of another package that break: at the call that ``ATTACK_FAULT`` names, as ``METHOD NUMBER WHAT``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from attack_material import face_picture

from rtswap.core.parts import FinishSpec, InputSpec, OutputSpec, SwapperSpec
from rtswap.core.types import Frame, StreamInfo, SwappedFace
from rtswap.swappers.mesh.swapper import MeshSwapModel

METHODS = {
    "--swapper": ("load", "build", "bind", "view", "swap", "forget"),
    "--finish": ("load", "build", "apply", "forget"),
    "-i": ("load", "takes", "open", "frames", "frame", "close"),
    "-o": ("load", "takes", "open", "send", "close"),
}
"""The flag that selects a part -> the calls that may break."""
RAISED: tuple[type[BaseException], ...] = (
    ValueError,
    OSError,
    MemoryError,
    StopIteration,
    RecursionError,
    KeyboardInterrupt,
    SystemExit,
)
RETURNED: dict[str, Any] = {
    "None": None,
    "text": "x",
    "nan": np.float32("nan"),
    "empty": np.zeros((0, 0, 3), np.uint8),
    "floats": np.full((9, 9, 3), np.nan, np.float32),
    "face of nothing": SwappedFace(np.zeros((0, 0, 3), np.uint8), np.zeros((0, 0), np.uint8)),
}
WHAT = (*(kind.__name__ for kind in RAISED), *RETURNED)


CALLS: Counter[str] = Counter()


def _break(name: str) -> tuple[bool, Any]:
    """Whether this call breaks, and what it returns then. May raise."""
    method, number, what = os.environ.get("ATTACK_FAULT", "none 0 None").split(" ", 2)
    CALLS[name] += 1
    if name != method or CALLS[name] < int(number):
        return False, None
    for kind in RAISED:
        if kind.__name__ == what:
            raise kind("broken on purpose\nin two lines")
    return True, RETURNED[what]


def breaking(name: str, method: Any) -> Any:
    """``method``, which breaks when it is its turn. The methods of what builders return do, too."""

    def call(*given: Any, **named: Any) -> Any:
        broken, value = _break(name)
        found = value if broken else method(*given, **named)
        return Breaking(found) if name in ("build", "bind", "open") and not broken else found

    return call


class Breaking:
    """A part with breaking methods."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return breaking(name, found) if callable(found) else found


class _Finish:
    def apply(self, swapped: SwappedFace, target: object, quality: object) -> SwappedFace:
        return swapped

    def forget(self, track_id: int) -> None: ...


class _Input:
    info = StreamInfo(240, 240, 25.0, live=False)

    def frames(self) -> Iterator[Frame]:
        for index in range(4):
            broken, value = _break("frame")
            yield value if broken else Frame(face_picture().copy(), index, 0.0, index / 25)

    def close(self) -> None: ...


class _Output:
    name = "breaking"

    def send(self, image: object) -> None: ...

    def close(self) -> None: ...


_break("load")
_TAKES = breaking("takes", lambda address: address == "breaking:")
SWAPPER = SwapperSpec("breaking", "breaks", breaking("build", lambda context: MeshSwapModel()))
FINISH = FinishSpec("breaking", "breaks", "color", breaking("build", lambda context: _Finish()))
INPUT = InputSpec("breaking", "breaking:", _TAKES, breaking("open", lambda *_: _Input()))
OUTPUT = OutputSpec("breaking", "breaking:", _TAKES, breaking("open", lambda *_: _Output()))


def install(folder: Path) -> Path:
    """Write what makes Python find the parts, into ``folder``, which is to be on the path; returns it."""
    info = folder / "breaking-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: breaking\nVersion: 1.0\n")
    groups = {"swappers": "SWAPPER", "finishes": "FINISH", "inputs": "INPUT", "outputs": "OUTPUT"}
    (info / "entry_points.txt").write_text(
        "".join(f"[rtswap.{group}]\nbreaking = attack_plugin:{name}\n" for group, name in groups.items())
    )
    return folder
