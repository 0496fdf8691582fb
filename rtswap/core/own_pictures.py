"""Copies of the pictures that other code yields. A camera library often writes each picture into the same memory:
while one is swapped, sent or sent again, the next one would put the bare face into it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from numbers import Real

import numpy as np

from rtswap.core.errors import InputError
from rtswap.core.protocols import Input
from rtswap.core.types import Frame, StreamInfo


def own(frame: Frame) -> Frame:
    """The frame with a picture that nobody else has. Raises InputError for what is no frame."""
    if not isinstance(frame, Frame):
        expected = "a rtswap.core.types.Frame"
        raise InputError("the input gave no frame", expected=expected, got=type(frame).__name__)
    times = frame.captured_at, frame.time_s or 0.0, frame.duration_s or 0.0
    if not all(map(is_seconds, times)):
        kinds = ", ".join(type(time).__name__ for time in times if not is_seconds(time))
        raise InputError("the input gave a frame without its time", expected="seconds, finite", got=kinds)
    return replace(frame, image=np.array(frame.image, order="C"))


def is_seconds(value: object) -> bool:
    """Whether it is a time: a number of which there is a float."""
    try:
        return isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # 10**400
        return False


class OwnPictures:
    """An input of other code's, with pictures of its own."""

    def __init__(self, input: Input) -> None:
        self._input = input

    @property
    def info(self) -> StreamInfo:
        return self._input.info

    def frames(self) -> Iterator[Frame]:
        return map(own, self._input.frames())

    def close(self) -> None:
        self._input.close()
