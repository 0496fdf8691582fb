"""Canvases, stamps and outputs that fail on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from rtswap.compositing.canvas.host import HostCanvas
from rtswap.core.errors import OutputError
from rtswap.core.types import DeviceTensor, Image, MarkedImage, Matrix, StampedImage
from rtswap.disclosure import Disclosure
from rtswap.disclosure.stamp import Stamp


class Fault(Exception):
    """The error that these parts raise on demand."""


class FaultyCanvas(HostCanvas):
    """Fails in one method, in the frames that ``broken`` names by counting canvases."""

    def __init__(self, image: Image, kind: str) -> None:
        super().__init__(image)
        self._kind = kind

    def crop(self, matrix: Matrix, size: tuple[int, int]) -> Image:
        self._maybe("crop")
        return super().crop(matrix, size)

    def paste(self, crop: Image, mask: Any, matrix: Matrix) -> None:
        self._maybe("paste")
        super().paste(crop, mask, matrix)

    def cover(self, box: Any, style: str) -> None:
        self._maybe("cover")
        super().cover(box, style)

    def image(self) -> Image:
        self._maybe("image")
        return super().image()

    def _maybe(self, kind: str) -> None:
        if kind == self._kind:
            raise Fault(f"the canvas broke in {kind}")


def canvases(kind: str, faults: Iterable[int]) -> Callable[[Image], HostCanvas]:
    """Makes canvases; those counted in ``faults`` are broken."""
    broken, count = frozenset(faults), iter(range(1_000_000))

    def make(image: Image) -> HostCanvas:
        now = next(count) in broken
        if now and kind == "make":
            raise Fault("no canvas")
        return FaultyCanvas(image, kind if now else "")

    return make


TAG = np.tile(np.array([[0], [255]], np.uint8), (6, 3))
"""(12, 3) what the stamp below writes into the last row: small frames carry no invisible mark."""


def is_tagged(image: Image) -> bool:
    return np.array_equal(image[-1, : len(TAG)], TAG[: image.shape[1]])


class FaultyStamp(Stamp):
    """Writes TAG. Fails in the pictures in ``faults``: ``raises``, or leaves the picture as it is and gives a receipt
    that is ``forged``, for ``another picture``, or of ``another stamp``."""

    def __init__(self, kind: str = "", faults: Iterable[int] = ()) -> None:
        super().__init__(None)
        self._kind, self._faults, self._calls = kind, frozenset(faults), -1

    def apply(self, image: Image) -> StampedImage:
        if wrong := self._now():
            return wrong(image)
        image[-1, : len(TAG)] = TAG[: image.shape[1]]
        return super().apply(image)

    def apply_on_gpu(self, frame: DeviceTensor) -> Callable[[Image], StampedImage]:
        if wrong := self._now():
            return self._broken(None) if self._kind == "raises" else wrong
        frame[-1, : len(TAG)] = frame.new_tensor(TAG[: frame.shape[1]])
        return super().apply_on_gpu(frame)

    def _now(self) -> Callable[[Image], StampedImage] | None:
        self._calls += 1
        wrong: dict[str, Callable[[Image], StampedImage]] = {
            "raises": self._broken,
            "forged": StampedImage,
            "another picture": lambda image: replace(Stamp.apply(self, image.copy()), image=image),
            "another stamp": Stamp(None).apply,
        }
        return wrong[self._kind] if self._calls in self._faults else None

    def _broken(self, _: Image | None) -> Any:
        raise Fault("no mark")


class FaultyDisclosure(Disclosure):
    """A disclosure whose stamp is a ``FaultyStamp``."""

    def __init__(self, kind: str = "", faults: Iterable[int] = ()) -> None:
        super().__init__(None, reason="a test")
        self.stamp = FaultyStamp(kind, faults)


class Recorder:
    """An output that keeps a copy of everything. ``faults``: the sends in which ``kind`` happens."""

    def __init__(self, kind: str = "", faults: Iterable[int] = (), *, name: str = "recorder") -> None:
        self.name = name
        self._kind, self._faults = kind, frozenset(faults)
        self.images: list[Image] = []
        self.indices: list[int] = []
        self.ages: list[float] = []
        self.times: list[float | None] = []
        self.swapped: list[int] = []
        self.closes = 0
        self.sent_after_close = 0
        self.sends = -1
        self.threads: set[str] = set()
        self.release = threading.Event()

    def send(self, image: MarkedImage) -> None:
        self.sends += 1
        self.threads.add(threading.current_thread().name)
        self.sent_after_close += self.closes > 0
        self.images.append(image.image.copy())
        self.indices.append(image.index)
        self.times.append(image.time_s)
        self.swapped.append(image.swapped)
        self.ages.append(time.perf_counter() - image.captured_at)
        if self.sends in self._faults:
            self._break()

    def close(self) -> None:
        self.closes += 1
        if self._kind == "close: OutputError":
            raise OutputError("the disk is full")
        if self._kind == "close: OSError":
            raise OSError(28, "no space left on device")

    def _break(self) -> None:
        if self._kind == "slow":
            time.sleep(0.01)
        if self._kind == "hang":
            self.release.wait(30)
        errors = {"OutputError": OutputError("gone"), "ValueError": ValueError("?"), "TimeoutError": TimeoutError()}
        if self._kind in errors:
            raise errors[self._kind]
