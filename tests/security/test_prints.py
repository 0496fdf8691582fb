"""A face that is printed on the clothes of the followed person is never taken for theirs."""

from __future__ import annotations

import cv2
import numpy as np
from people import face_models

from rtswap.app.config import Config
from rtswap.app.program import Program
from rtswap.app.sections import SourceConfig, TrackingConfig
from rtswap.core.types import Frame, Image, Quality
from rtswap.vision.talking_head import persona

CONFIG = Config(source=SourceConfig(photos=("persona:vera",)), tracking=TrackingConfig(faces="one"))
SHOWN, HIDDEN = 6, 12
"""Frames with the face of the person, then frames in which something is held before it."""
FACE, PRINT = np.s_[20:320, 150:450], np.s_[330:470, 230:370]


def picture(index: int) -> Image:
    """Ben in a shirt with Carl's face."""
    image = np.full((480, 600, 3), 110, np.uint8)
    place = image[FACE]
    place[:] = cv2.resize(persona("ben"), place.shape[1::-1], interpolation=cv2.INTER_AREA)
    shirt = image[PRINT]
    shirt[:] = cv2.resize(persona("carl"), shirt.shape[1::-1], interpolation=cv2.INTER_AREA)
    if index >= SHOWN:
        place[:] = 90
    return np.roll(image, index % 2, 1)


def test_it_is_covered_and_not_followed_even_while_the_face_is_hidden() -> None:
    pipeline = Program(CONFIG, on_event=lambda event: None, models=face_models()).pipeline(live=False)
    followed = []
    for index in range(SHOWN + HIDDEN):
        plain = picture(index)
        outcome = pipeline.process(Frame(plain.copy(), index, index / 30, index / 30), Quality())
        assert outcome.image is not None
        assert outcome.swapped == (index < SHOWN)
        followed += [float(track.box[2] - track.box[0]) for track, _ in pipeline.people if index < SHOWN]
        inner = np.s_[370:430, 270:330]
        assert np.abs(outcome.image[inner].astype(float) - plain[inner]).mean() > 2, f"the print is bare in {index}"
    assert min(followed) > 90
