"""rtswap's own badge in an input is no head."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from people import face_models
from staged_scenes import Pose, Scene, Shot, frames, room

from rtswap.core.types import Image
from rtswap.disclosure.badge import POSITIONS, Badge, render
from rtswap.disclosure.badge_reader import BadgeReader
from rtswap.runtime.own_heads import COVERED_FROM
from rtswap.tracking.reduced_picture import reduced

SIZE = (640, 360)


def heads(image: Image) -> np.ndarray:
    """Boxes that the second detector takes for heads, and that would be covered."""
    small = reduced(image)
    found = face_models().heads.find(small, COVERED_FROM)
    return found[:, :4] * np.tile(np.divide(image.shape[1::-1], small.shape[1::-1]), 2).astype(np.float32)


@pytest.mark.parametrize("language", ["en", "bg", "de", "fr"])
def test_no_badge_is_a_head(language: str) -> None:
    taken, reader = 0, BadgeReader()
    for number, position in enumerate(POSITIONS):
        for style in ("auto", "outline"):
            image = room(number, SIZE).copy()
            before = len(heads(image))
            render(Badge(style, position, language), *SIZE).blend_into(image)
            image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
            found = heads(image)
            taken += len(found) - before
            assert sum(not reader.is_badge(image, box) for box in found) <= before
    assert taken > 0, "the detector would not have needed it"


@pytest.mark.parametrize("px", [14, 20, 26, 40])
def test_a_face_in_the_badges_place_is_no_badge(px: int) -> None:
    reader = BadgeReader()
    for who in ("ada", "ben", "ravi"):
        picture, (face,) = next(frames(Scene("", (Shot((Pose(who, (0.08, 0.92), px),)),), size=SIZE)))
        middle = face.mesh.mean(0)
        for shift in (-0.25, 0, 0.25):
            box = np.concatenate([middle - px / 2, middle + px / 2]) + np.float32(shift * px)
            assert not reader.is_badge(picture, box.astype(np.float32))


def test_a_head_that_reaches_beyond_the_badge_is_none() -> None:
    image, reader = room(1, SIZE).copy(), BadgeReader()
    patch = render(Badge(), *SIZE)
    patch.blend_into(image)
    high = patch.layers[0].ink.shape[0]
    box = np.array([patch.x, patch.y, patch.x + high, patch.y + high], np.float32)
    assert reader.is_badge(image, box)
    assert not reader.is_badge(image, box + np.float32(0.7 * high) * np.array([0, -1, 0, 0], np.float32))
    assert not reader.is_badge(image, box + np.float32(0.9 * high))
    assert not reader.is_badge(image, np.full(4, np.nan, np.float32))
