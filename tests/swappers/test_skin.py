"""What of the photo is face: hair over the forehead is left behind, brows, eyes and beards come along."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from people import NAMES, person

from rtswap.geometry import canonical
from rtswap.swappers.skin import face_mask
from rtswap.swappers.texture import SIZE, Texture, chart
from rtswap.topology import LEFT_BROW, LEFT_EYE, LIPS_OUTER, RIGHT_BROW, RIGHT_EYE
from rtswap.types import SourceIdentity

SIDE = 128
HAIR = (18, 22, 30)


def painted(who: SourceIdentity, polygon: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The portrait with one area painted over."""
    picture = who.portrait.copy()
    cv2.fillPoly(picture, [np.round(polygon).astype(np.int32)], colour)
    return picture


def at(mask: np.ndarray, points: list[int]) -> np.ndarray:
    """Values where landmarks lie."""
    x, y = np.clip(np.round(chart().points[points, :2] * (SIDE / SIZE)).astype(int), 0, SIDE - 1).T
    return mask[y, x]


def region(above: float) -> list[int]:
    """Landmarks that lie higher than that in the canonical face."""
    return [int(i) for i in np.flatnonzero(canonical().mesh[:, 1] < above)]


@pytest.mark.parametrize("name", NAMES)
def test_most_of_a_bare_face_is_face(name: str) -> None:
    who = person(name)
    mask = Texture.bake(who.portrait, who.landmarks).face
    middle = np.flatnonzero(np.linalg.norm(canonical().mesh[:, :2], axis=1) < 0.6)
    assert at(mask, [int(i) for i in middle]).min() > 150
    assert at(mask, [int(i) for i in middle]).mean() > 245
    features = [*LEFT_EYE, *RIGHT_EYE, *LEFT_BROW, *RIGHT_BROW, *LIPS_OUTER]
    assert (at(mask, features) > 200).mean() > 0.97


@pytest.mark.parametrize("name", NAMES)
def test_a_dark_fringe_is_left_out_and_the_brows_are_not(name: str) -> None:
    who = person(name)
    top = who.landmarks[10, :2]
    brows = who.landmarks[[*LEFT_BROW, *RIGHT_BROW], :2]
    line = (top[1] + brows[:, 1].min()) / 2
    left, right = brows[:, 0].min() - 60, brows[:, 0].max() + 60
    fringe = np.array([[left, top[1] - 40], [right, top[1] - 40], [right, line], [left, line]])
    mask = Texture.bake(painted(who, fringe, HAIR), who.landmarks).face
    bare = Texture.bake(who.portrait, who.landmarks).face
    forehead = [i for i in region(-0.55) if who.landmarks[i, 1] < line - 8]
    assert len(forehead) >= 5
    assert at(mask, forehead).mean() < 60
    assert at(mask, [*LEFT_BROW, *RIGHT_BROW]).mean() > 0.9 * at(bare, [*LEFT_BROW, *RIGHT_BROW]).mean()
    assert at(mask, [*LEFT_EYE, *RIGHT_EYE, *LIPS_OUTER]).min() > 200


@pytest.mark.parametrize("name", NAMES)
def test_a_dark_beard_stays(name: str) -> None:
    who = person(name)
    chin = canonical().mesh
    beard = [int(i) for i in np.flatnonzero((chin[:, 1] > 0.75) & (np.abs(chin[:, 0]) < 0.45))]
    outline = cv2.convexHull(who.landmarks[beard, :2])[:, 0]
    mask = Texture.bake(painted(who, outline, (40, 45, 60)), who.landmarks).face
    assert (at(mask, beard) > 200).mean() > 0.9


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (0, 0, 255), (255, 0, 0)])
def test_one_plain_colour_is_no_reason_to_fail(colour: tuple[int, int, int]) -> None:
    texture = np.full((SIDE, SIDE, 3), colour, np.uint8)
    mask = face_mask(texture, chart().points / (SIZE / SIDE), chart().triangles)
    assert mask.shape == (SIDE, SIDE)
    assert mask.dtype == np.uint8
    assert mask[SIDE // 2, SIDE // 2] > 200


def test_side_light_is_not_taken_for_hair() -> None:
    """A face lit from one side, half as bright on the other, is a face all over."""
    who = person("dan")
    x = np.linspace(-1, 1, who.portrait.shape[1])
    shade = np.clip(0.75 + 0.35 * x, 0, 1)[None, :, None]
    lit = (who.portrait * shade).astype(np.uint8)
    bare, shaded = (Texture.bake(picture, who.landmarks).face for picture in (who.portrait, lit))
    cheeks = [i for i in range(468) if -0.1 < canonical().mesh[i, 1] < 0.6 and abs(canonical().mesh[i, 0]) < 0.75]
    assert at(shaded, cheeks).mean() > 0.9 * at(bare, cheeks).mean()
