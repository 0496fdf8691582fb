"""The badge is readable, small, fast and at the requested position, and never breaks a frame."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtswap.app import option_kinds
from rtswap.core.errors import ConfigError
from rtswap.core.types import Frame, Image, MarkedImage
from rtswap.disclosure import POSITIONS, STYLES, TEXTS, Badge, Disclosure
from rtswap.disclosure.badge import render

GREY = 128


def grey(width: int, height: int) -> Image:
    return np.full((height, width, 3), GREY, np.uint8)


def marked(badge: Badge | None, image: Image) -> MarkedImage:
    frame = Frame(image, index=7, captured_at=1.5, time_s=0.25)
    return Disclosure(badge, reason="a test").mark(image, frame=frame, swapped=2, stages={"swap": 0.003})


def changed(image: Image) -> tuple[int, int, int, int]:
    """x, y, w, h of what differs from plain grey."""
    return cv2.boundingRect(cv2.absdiff(cv2.extractChannel(image, 1), GREY))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize(("width", "height"), [(320, 240), (1280, 720), (720, 1280), (3840, 2160)])
def test_is_at_the_requested_position_and_small(style: str, position: str, width: int, height: int) -> None:
    image = grey(width, height)
    marked(Badge(style, position), image)
    x, y, w, h = changed(image)
    off = x + w / 2 - width / 2  # the outlined words have no plate to end at: up to 1 % beside the middle
    middle = {"l": off < -width * 0.2, "c": abs(off) <= 1 + width * 0.01, "r": off > width * 0.2}
    assert middle[position[1]]
    assert (y + h < height * 0.2) if position[0] == "t" else (y > height * 0.8)
    assert h < height * 0.13
    assert w <= width * 0.2


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
    for letter in set(TEXTS[language].icon + "".join(TEXTS[language].lines)) - {" "}:
        assert drawn(letter).any()
        assert not np.array_equal(drawn(letter), unknown), letter


def test_languages_look_different() -> None:
    shapes = {render(Badge(language=language), 1280, 720).layers[0].ink.tobytes() for language in TEXTS}
    assert len(shapes) == len(TEXTS)


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize(
    ("width", "height"), [(1920, 1080), (1280, 720), (720, 1280), (640, 480), (320, 180), (90, 60)]
)
def test_every_language_stays_within_a_fifth_of_the_width(language: str, width: int, height: int) -> None:
    """Words that could not be read are left out; in wide frames none are."""
    image = grey(width, height)
    marked(Badge("dark", "br", language), image)
    _, _, w, h = changed(image)
    assert w <= width * 0.2
    if width >= 1280:
        assert w > 2 * h


@given(
    width=st.one_of(st.integers(1, 64), st.integers(1, 2000)),
    height=st.one_of(st.integers(1, 64), st.integers(1, 2000)),
    style=st.sampled_from(STYLES),
    position=st.sampled_from(POSITIONS),
    language=st.sampled_from(sorted(TEXTS)),
)
@settings(max_examples=40, deadline=None)
def test_odd_frames(width: int, height: int, style: str, position: str, language: str) -> None:
    """It lies inside, whole, and comes out the same each time."""
    badge = Badge(style, position, language)
    first, again = grey(width, height), grey(width, height)
    assert marked(badge, first).image is first
    marked(badge, again)
    assert np.array_equal(first, again)
    patch = render(badge, width, height)
    for layer in patch.layers:
        h, w = layer.ink.shape[:2]
        assert 0 <= patch.x <= width - w
        assert 0 <= patch.y <= height - h


def test_works_in_place_and_reports_its_options() -> None:
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


@pytest.mark.parametrize("wrong", [{"style": "drak"}, {"position": "top"}, {"language": "xx"}])
def test_unknown_names_are_refused_with_the_known_ones(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        Badge(**wrong)
    with pytest.raises(ConfigError, match="Did you mean dark"):
        Badge(style="drak")


def test_configuration_offers_what_can_be_drawn() -> None:
    """option_kinds.py must not import OpenCV, so that the help comes at once: it repeats the names."""
    assert option_kinds.BADGE_STYLES == STYLES
    assert option_kinds.BADGE_POSITIONS == POSITIONS
    assert tuple(TEXTS) == option_kinds.BADGE_LANGUAGES
