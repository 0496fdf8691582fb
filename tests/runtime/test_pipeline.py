"""One frame after the other, with parts that play a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from face_stream import middle, picture, shows_face, track_at
from faulty_parts import ScriptedLookout, ScriptedSwapper

from rtswap.compositing.canvas.host import HostCanvas
from rtswap.compositing.renderer import LEAST_SIGHT, HostRenderer
from rtswap.core.types import Box, Frame, Head, Image, Quality, Sighting, Track
from rtswap.disclosure.badge import Badge, render
from rtswap.disclosure.badge_reader import BadgeReader
from rtswap.disclosure.stamp import Stamp
from rtswap.runtime.guard import Reason
from rtswap.runtime.pipeline import MORE_SIGHT, Outcome, Pipeline, Policy


class PartlySeen:
    """A tracker to which so much of the face is visible, frame by frame."""

    others: Sequence[Box] = ()

    def __init__(self, shares: Sequence[float]) -> None:
        self._shares = shares

    def update(self, frame: Frame, quality: Quality, sighting: Sighting | None = None) -> list[Track]:
        visibility = (np.arange(468) < self._shares[frame.index] * 468).astype(np.float32)
        return [replace(track_at(*middle(frame.index)), visibility=visibility)]

    def reset(self) -> None: ...


def outcomes(shares: Sequence[float], pictures: Sequence[Image] = (), heads: Sequence[Box] = ()) -> list[Outcome]:
    pictures = pictures or [picture(n) for n in range(len(shares))]
    pipeline = Pipeline(
        PartlySeen(shares),
        HostRenderer([ScriptedSwapper()], canvas=HostCanvas, stamp=Stamp(None)),
        lookout=ScriptedLookout(lambda index: Sighting(tuple(Head(box, 0.9) for box in heads))),
        policy=Policy(),
        on_event=lambda text: None,
    )
    return [pipeline.process(Frame(image, n, n / 30, n / 30), Quality()) for n, image in enumerate(pictures)]


def test_swap_and_cover_do_not_alternate_where_half_of_a_face_is_seen() -> None:
    around = [LEAST_SIGHT - 0.02, LEAST_SIGHT + 0.02] * 5
    played = outcomes([1.0, *around, LEAST_SIGHT + 2 * MORE_SIGHT])
    assert [one.swapped for one in played] == [1, *[0] * 10, 1]
    assert all(one.image is not None and not shows_face(one.image) for one in played)
    assert played[5].reasons == {Reason.HIDDEN}


def test_the_badge_of_an_input_is_not_covered() -> None:
    size = 640, 360
    plain, marked = picture(0, size), picture(0, size)
    badge = render(Badge(position="br"), *size)
    badge.blend_into(marked)
    high = badge.layers[0].ink.shape[0]
    box = np.array([badge.x, badge.y, badge.x + high, badge.y + high], np.float32)
    covered = [one.covered for one in outcomes([1.0, 1.0], [marked, plain], [box])]
    assert covered == [0, 1]


def test_no_head_is_compared_with_badges_twice_in_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []
    monkeypatch.setattr(BadgeReader, "is_badge", lambda self, image, box: asked.append(box.tobytes()))
    boxes = [np.array([10, 10, 30, 30], np.float32), np.array([50, 10, 80, 40], np.float32)]
    outcomes([1.0], heads=boxes)
    assert sorted(asked) == sorted(box.tobytes() for box in boxes)
