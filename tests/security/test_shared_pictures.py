"""Code of others may use a picture's memory again, or write into it: nobody's bare face leaves because of it, and no
mark is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from faulty_outputs import Fault, Recorder
from faulty_parts import ScriptedInput, ScriptedSwapper, TwoTracks, two_people
from faulty_sessions import assert_closed, play
from prepared_sources import ready  # noqa: F401
from python_api import open_networks_once, photo  # noqa: F401

import rtswap
from rtswap.core.errors import InputError
from rtswap.core.parts import InputSpec
from rtswap.core.plugins import plugin
from rtswap.core.types import Frame, Image, MarkedImage, Quality, StreamInfo, SwappedFace, Target
from rtswap.vision.talking_head import persona

COUNT = 8


class OneBuffer:
    """An input that writes each picture into the same memory, and blacks it out when it is closed."""

    def __init__(self, picture: Image) -> None:
        self.info = StreamInfo(picture.shape[1], picture.shape[0], 30.0, live=False)
        self._picture, self._buffer = picture, picture.copy()

    def frames(self) -> Iterator[Frame]:
        for index in range(COUNT):
            self._buffer[:] = self._picture
            yield Frame(self._buffer, index, time.perf_counter(), index / 30)

    def close(self) -> None:
        self._buffer[:] = self._picture


class Kept:
    name = "kept"

    def __init__(self) -> None:
        self.images: list[Image] = []

    def send(self, image: MarkedImage) -> None:
        self.images.append(image.image)

    def close(self) -> None:
        pass


def changes(picture: Image, image: Image) -> float:
    return float((np.abs(picture.astype(int) - image).max(2) > 12).mean())


def test_an_input_that_uses_its_memory_again_shows_nobody() -> None:
    picture, kept = persona("ben"), Kept()
    rtswap.run_session(OneBuffer(picture), [kept], photo("ada"))
    assert len(kept.images) == COUNT
    assert min(changes(picture, image) for image in kept.images) > 0.03


def test_an_input_of_a_plugin_may_use_its_memory_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Point:
        name, dist, value = "one", None, "one:SPEC"

        def load(self) -> InputSpec:
            return InputSpec("one", "one:", lambda address: True, lambda *given: OneBuffer(persona("ben")))

    monkeypatch.setattr("rtswap.core.plugins._entry_points", lambda group: [Point()])
    input = plugin("rtswap.inputs", "one", InputSpec).open("one:", None)  # type: ignore[arg-type]
    frames = list(input.frames())
    for frame in frames:
        frame.image[:] = 0
    input.close()
    assert len({frame.image.ctypes.data for frame in frames}) == COUNT
    assert not any(frame.image.any() for frame in frames)


@pytest.mark.parametrize("times", [None, (None,), (0.0, "x"), (1j,), (10**400,), (0.0, float("nan"))])
def test_what_is_no_frame_is_told_in_one_line(times: tuple[Any, ...] | None) -> None:
    odd: Any = 7 if times is None else Frame(persona("ben"), 0, *times)
    input = OneBuffer(persona("ben"))
    input.frames = lambda: iter([odd])  # type: ignore[method-assign]
    with pytest.raises(InputError, match=r"^the input gave (no frame|a frame without its time); expected .*; got"):
        rtswap.run_session(input, [Kept()], photo("ada"))


def test_a_frame_that_is_filled_anew_does_not_change_what_came_of_it() -> None:
    picture = persona("ben")
    buffer = picture.copy()
    with rtswap.LiveSwap(photo("ada")) as live:
        results = []
        for _ in range(3):
            buffer[:] = picture
            results.append(live.process(buffer).image)
        buffer[:] = picture
    assert min(changes(picture, image) for image in results) > 0.03


@pytest.mark.parametrize("live", [True, False])
def test_an_output_that_writes_into_the_picture_changes_no_other(live: bool) -> None:
    class Painter(Recorder):
        def send(self, image: MarkedImage) -> None:
            cv2.rectangle(image.image, (0, 0), (400, 400), (0, 0, 0), -1)

    played = play(ScriptedInput(COUNT, live=live), outputs=[Painter(name="painter"), Recorder()])
    assert played.outputs[1].images
    assert_closed(played)
    assert isinstance(played.error, cv2.error)


class OneBufferSwapper(ScriptedSwapper):
    """Works in memory of its own, which it uses again; the second face in a frame breaks it."""

    _memory = np.zeros((256, 256, 3), np.uint8)
    _mask = np.zeros((256, 256), np.uint8)

    def swap(self, face_: Target, quality: Quality) -> SwappedFace:
        height, width = face_.crop.shape[:2]
        crop, mask = self._memory[:height, :width], self._mask[:height, :width]
        crop[:], mask[:] = face_.crop, 255
        if face_.track_id == 1:
            raise Fault("no swap")
        crop[:] = super().swap(face_, quality).crop
        return SwappedFace(crop, mask)


def test_a_swapper_that_uses_its_memory_again_shows_nobody() -> None:
    """The one who could not be swapped was pasted over the one who had been."""
    played = play(ScriptedInput(COUNT, make=two_people), tracker=TwoTracks(), swappers=[OneBufferSwapper()])
    assert_closed(played)
    assert played.bare(1) == []
    assert len(played.output.indices) == COUNT


def test_a_swapper_that_writes_into_the_target_hides_no_copy_of_it() -> None:
    """What it gave back was compared with what it had left of the target."""

    class Inverting(ScriptedSwapper):
        def swap(self, face_: Target, quality: Quality) -> SwappedFace:
            before, mask = face_.crop.copy(), super().swap(face_, quality).mask
            np.subtract(255, face_.crop, out=face_.crop)
            return SwappedFace(before, mask)

    played = play(ScriptedInput(COUNT), swappers=[Inverting()])
    assert_closed(played)
    assert "read-only" in played.events[0]
