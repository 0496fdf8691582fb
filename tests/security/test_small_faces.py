"""``--min-face`` in large frames: what is too small to be swapped is covered, never shown."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from people import face_models

from rtswap.app.config import Config
from rtswap.app.networks import FaceModels, open_models
from rtswap.app.program import Program
from rtswap.app.sections import SourceConfig, TrackingConfig
from rtswap.core.types import Frame, Quality
from rtswap.vision.talking_head import persona

HD, QHD, UHD = (1920, 1080), (2560, 1440), (3840, 2160)
CONFIG = Config(source=SourceConfig(photos=("persona:vera",)))


@pytest.fixture(scope="module")
def large_only() -> tuple[Config, FaceModels]:
    config = replace(CONFIG, tracking=TrackingConfig(min_face_px=80))
    return config, open_models(config, on_event=lambda event: None)


def outcome(
    config: Config, models: FaceModels, size: tuple[int, int], face_px: int, *, photos: bool = False, count: int = 3
) -> str:
    """What happens to a face of this width, in each of ``count`` frames. ``photos``: as for ``Program.pipeline``."""
    pipeline = Program(config, on_event=lambda event: None, models=models).pipeline(photos=photos, live=False)
    portrait = persona("ben")  # the face is .45 of its width
    side = round(face_px / 0.45)
    plain = np.full((size[1], size[0], 3), 100, np.uint8)
    place = np.s_[500 : 500 + side, 700 : 700 + side]
    plain[place] = cv2.resize(portrait, (side, side), interpolation=cv2.INTER_AREA)
    found = set()
    for index in range(count):
        outcome = pipeline.process(Frame(plain.copy(), index, index / 30, index / 30), Quality())
        assert outcome.image is not None
        inner = np.s_[500 + side // 3 : 500 + 2 * side // 3, 700 + side // 3 : 700 + 2 * side // 3]
        assert np.abs(outcome.image[inner].astype(float) - plain[inner]).mean() > 2, "bare"
        found.add("swapped" if outcome.swapped else "covered")
    return " ".join(sorted(found))


def test_limits_of_the_input_do_not_concern_the_photo_of_the_source() -> None:
    strict = replace(CONFIG, tracking=TrackingConfig(min_face_px=4096, thresholds=(1.0, 1.0, 1.0)))
    models = open_models(strict, on_event=lambda event: None)
    assert Program(strict, on_event=lambda event: None, models=models).identities[0].portrait.size
    assert models.still_detector.detect(persona("vera")) == []


@pytest.mark.parametrize(("size", "face_px"), [(HD, 50), (HD, 100), (QHD, 70), (UHD, 160)])
def test_a_face_above_the_limit_is_swapped(size: tuple[int, int], face_px: int) -> None:
    assert outcome(CONFIG, face_models(), size, face_px) == "swapped"


@pytest.mark.parametrize("face_px", [40, 70, 100])
def test_a_small_face_in_4k_is_covered_or_swapped(face_px: int) -> None:
    """Above the limit of 35 px, but small in so large a frame: a twenty-fifth of its width is surely found."""
    assert outcome(CONFIG, face_models(), UHD, face_px) in ("covered", "swapped")


def test_the_same_face_in_a_picture_is_swapped() -> None:
    """Pictures are searched at a higher resolution than video."""
    assert outcome(CONFIG, face_models(), UHD, 100, photos=True, count=1) == "swapped"


def test_a_face_below_the_limit_is_covered(large_only: tuple[Config, FaceModels]) -> None:
    assert outcome(*large_only, HD, 28) == "covered"
