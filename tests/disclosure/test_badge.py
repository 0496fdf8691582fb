"""The badge can be read, stays small and cheap, sits where it was asked for, and never breaks a frame."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtswap import config
from rtswap.disclosure import POSITIONS, STYLES, TEXTS, Badge, Disclosure
from rtswap.disclosure.badge import render
from rtswap.errors import ConfigError
from rtswap.types import Frame, Image, MarkedImage

GREY = 128


def grey(width: int, height: int) -> Image:
    return np.full((height, width, 3), GREY, np.uint8)


def marked(badge: Badge | None, image: Image) -> MarkedImage:
    frame = Frame(image, index=7, captured_at=1.5, time_s=0.25)
    return Disclosure(badge).mark(image, frame=frame, swapped=2, stages={"swap": 0.003})


def changed(image: Image) -> tuple[int, int, int, int]:
    """x, y, w, h of what differs from plain grey."""
    return cv2.boundingRect((image != GREY).any(axis=2).astype(np.uint8))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(("width", "height"), [(320, 240), (1280, 720), (720, 1280), (3840, 2160)])
def test_sits_in_its_corner_and_is_small(style: str, position: str, width: int, height: int) -> None:
    image = grey(width, height)
    marked(Badge(style, position), image)
    x, y, w, h = changed(image)
    assert ("l" in position) == (x < width / 2 and x + w < width * 0.75)
    assert ("t" in position) == (y + h < height / 2)
    assert h < height * 0.11
    assert w * h < width * height * 0.05


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("background", [0, 128, 255])
@pytest.mark.parametrize("width", [320, 1280])
def test_letters_stand_out_on_any_background(style: str, background: int, width: int) -> None:
    """WCAG asks for a contrast of 4.5:1 between letters and what is around them."""
    image = np.full((width * 9 // 16, width, 3), background, np.uint8)
    marked(Badge(style), image)
    x, y, w, h = changed(np.where(image == background, GREY, 255 - GREY).astype(np.uint8))
    values = np.sort(image[y : y + h, x : x + w, 0].ravel())
    dark, light = (luminance(float(values[round(q * (len(values) - 1))])) for q in (0.03, 0.97))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(value: float) -> float:
    """sRGB 0..255 -> relative luminance, WCAG 2."""
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


@pytest.mark.parametrize("language", TEXTS)
def test_every_letter_of_every_language_can_be_drawn(language: str) -> None:
    """OpenCV draws a question mark for a letter it does not have; a letter must look unlike one."""
    font = cv2.FontFace("sans")

    def drawn(text: str) -> Image:
        canvas = np.zeros((80, 80, 3), np.uint8)
        cv2.putText(canvas, text, (20, 60), (255, 255, 255), font, 40, 600)
        return canvas

    unknown = drawn("\U0010fffd")
    assert unknown.any()
    for letter in set(TEXTS[language]) - {" "}:
        assert drawn(letter).any()
        assert not np.array_equal(drawn(letter), unknown), letter


def test_languages_look_different() -> None:
    shapes = {language: render(Badge(language=language), 1280, 720).ink.tobytes() for language in TEXTS}
    assert len(set(shapes.values())) == len(TEXTS)


@given(width=st.integers(1, 64), height=st.integers(1, 64), style=st.sampled_from(STYLES))
@settings(max_examples=60, deadline=None)
def test_tiny_frames(width: int, height: int, style: str) -> None:
    image = grey(width, height)
    assert marked(Badge(style, "tr"), image).image is image


def test_works_in_place_and_tells_what_it_was_told() -> None:
    image = grey(640, 480)
    found = marked(Badge(), image)
    assert found.image is image
    assert (found.index, found.captured_at, found.time_s, found.swapped) == (7, 1.5, 0.25, 2)
    assert found.stages == {"swap": 0.003}
    x, y, w, h = changed(image)
    image[y : y + h, x : x + w] = GREY
    assert (image == GREY).all()


def test_without_badge_no_pixel_changes() -> None:
    image = grey(640, 480)
    assert marked(None, image).image is image
    assert (image == GREY).all()


def test_follows_a_stream_that_changes_its_size() -> None:
    disclosure = Disclosure(Badge())
    for width, height in [(640, 480), (320, 240), (640, 480), (8, 8)]:
        fresh, image = grey(width, height), grey(width, height)
        disclosure.mark(image, frame=Frame(image, 0, 0.0), swapped=0, stages={})
        marked(Badge(), fresh)
        assert np.array_equal(image, fresh)


def test_a_view_into_a_larger_picture_can_be_marked() -> None:
    whole = grey(800, 600)
    marked(Badge(), whole[50:530, 100:740])
    expected = grey(640, 480)
    marked(Badge(), expected)
    assert np.array_equal(whole[50:530, 100:740], expected)
    assert (whole[:50] == GREY).all()
    assert (whole[:, :100] == GREY).all()


def test_costs_a_tenth_of_a_millisecond() -> None:
    image = grey(1280, 720)
    frame = Frame(image, 0, 0.0)
    disclosure = Disclosure(Badge())
    times = []
    for _ in range(200):
        began = time.perf_counter()
        disclosure.mark(image, frame=frame, swapped=1, stages={})
        times.append(time.perf_counter() - began)
    assert np.median(times) < 0.0003  # 0.03 ms on an idle machine; test machines are busy


@pytest.mark.parametrize("wrong", [{"style": "drak"}, {"position": "top"}, {"language": "xx"}])
def test_unknown_names_are_refused_with_what_is_known(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Badge(**wrong)
    with pytest.raises(ConfigError, match="Did you mean dark"):
        Badge(style="drak")


def test_configuration_offers_what_can_be_drawn() -> None:
    """config.py must not import OpenCV, so that the help comes at once: it repeats the names."""
    assert config.BADGE_STYLES == STYLES
    assert config.BADGE_POSITIONS == POSITIONS
    assert tuple(TEXTS) == config.BADGE_LANGUAGES
