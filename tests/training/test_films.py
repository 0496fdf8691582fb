"""The films for trainings of two people show what they are asked to show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from people import person

from rtswap.media.inputs import open_input
from rtswap.vision.talking_head import Motion
from training.landmarks.rendering import eye_distance
from training.personas.films import BROWS, FPS, SIZE, LivelyHead, Wander, film, write

REST = Motion(yaw=0, pitch=0, roll=0, opening=0, lids=0, shift=(0, 0))


@pytest.fixture
def head() -> LivelyHead:
    who = person("ben")
    return LivelyHead(who.portrait, who.landmarks, 120.0)


def test_brows_rise_and_one_eye_winks_as_far_as_asked(head: LivelyHead) -> None:
    rest = head.mesh(REST)
    unit = eye_distance(rest)
    head.brows, head.wink = 0.1, -0.2
    moved = head.mesh(REST)
    assert (rest - moved)[list(BROWS), 1] / unit == pytest.approx([0.1, 0.1], abs=0.03)
    shut = [abs(float((moved[lower] - moved[upper])[1])) / unit for upper, lower in ((159, 145), (386, 374))]
    assert shut[0] < 0.5 * shut[1]


def test_values_wander_within_their_range_without_jumps() -> None:
    value = Wander(np.random.default_rng(3), 0.5, 2.5)
    values = np.array([value.at(index / 100) for index in range(1000)])
    assert 0 <= values.min() < 0.3
    assert 0.7 < values.max() <= 1
    assert np.abs(np.diff(values)).max() < 0.1


def test_a_film_is_written_and_the_same_seed_gives_the_same_film(head: LivelyHead, tmp_path: Path) -> None:
    room = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
    first, second, other = (list(film(head, room, 8 / FPS, seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first[-1], other[-1])
    write(tmp_path / "film.mp4", iter(first))
    read = open_input(str(tmp_path / "film.mp4"))
    assert [frame.image.shape for frame in read.frames()] == [(SIZE[1], SIZE[0], 3)] * 8
    read.close()
