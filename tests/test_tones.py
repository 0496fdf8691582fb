"""From end to end: people of one tone of skin on people of another, painted so that the truth is known. No tone may
arise that neither face has."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import pytest
from people import face_models, person

from rtswap.app.config import Config
from rtswap.app.program import Program
from rtswap.commands.evaluate.naturalness import FINE, SIDE, blotches, skin_mask, spread
from rtswap.core.types import Image, Points, Quality, SourceIdentity, Track
from rtswap.disclosure import Disclosure
from rtswap.runtime.metrics import Spans
from rtswap.vision.crops import cut_sharp, place_upright
from rtswap.vision.geometry import box_of, keypoints_of, transform
from rtswap.vision.resample import blurred

TONES = {"light": (150, 170, 208), "dark": (48, 66, 104)}
"""BGR of skin."""
FLUSHED = (50, 280, 9)
"""Landmarks of cheeks and forehead, around which a skin is redder."""
FAR = 3.0
"""CIELAB distance from all colours of both faces from which a colour is of neither."""


@cache
def painted(name: str, tone: str, *, flushed: bool) -> SourceIdentity:
    """A persona whose skin has another median colour: each channel's light is scaled, as another albedo would."""
    own = person(name)
    linear = (own.portrait.astype(np.float32) / 255) ** 2.2
    inside = skin_mask(own.landmarks[:, :2], own.portrait.shape[0])
    linear *= (np.array(TONES[tone], np.float32) / 255) ** 2.2 / np.median(linear[inside], axis=0)
    y, x = np.mgrid[: len(linear), : linear.shape[1]]
    reach = 0.13 * float(np.ptp(own.landmarks[:, 0]))
    for u, v in own.landmarks[list(FLUSHED) if flushed else [], :2]:
        spot = np.exp(-0.5 * ((x - u) ** 2 + (y - v) ** 2) / reach**2)[..., None]
        linear *= 1 - np.array([0.45, 0.45, 0.1], np.float32) * spot
    picture = np.rint(255 * np.clip(linear, 0, 1) ** (1 / 2.2)).astype(np.uint8)
    return SourceIdentity(picture, own.landmarks, name=name)


def swap(source: SourceIdentity, target: SourceIdentity) -> Image:
    program = Program(
        Config(),
        on_event=lambda event: None,
        models=face_models(),
        sources=[source],
        disclosure=Disclosure(None, reason="a test"),
    )
    points = target.landmarks
    track = Track(1, box_of(points), keypoints_of(points), points, np.ones(468, np.float32), 1.0)
    render = program.renderer(live=False).begin(target.portrait.copy())
    assert render.swap([(track, 0)], quality=Quality(), now=0.0, stages=Spans()).done
    render.paste()
    return render.deliver().image


def colours(image: Image, mesh: Points) -> np.ndarray:
    """(N, 2) a and b of the skin, without pores."""
    matrix = place_upright(mesh, SIDE, margin=1.5, middle=SIDE / 2)
    assert matrix is not None
    points = transform(matrix, mesh[:, :2])
    lab = cv2.cvtColor(cut_sharp(image, matrix, SIDE).astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    return blurred(lab, FINE * float(np.ptp(points[:, 0])))[skin_mask(points, SIDE)][:, 1:]


def share_of_neither(found: np.ndarray, *faces: np.ndarray) -> float:
    """The share of colours farther than ``FAR`` from the hull of all colours of the faces and mixtures of them."""
    hull = cv2.convexHull(np.concatenate(faces).astype(np.float32))
    away = [cv2.pointPolygonTest(hull, (float(a), float(b)), True) for a, b in found[::7]]
    return float(np.mean(np.array(away) < -FAR))


PAIRS = [
    ("ben dark", "ada light"),
    ("carl dark", "dan light"),
    ("dan dark", "ada light"),
    ("ada light", "carl dark"),
    ("dan light", "ben dark"),
]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_no_tone_arises_that_neither_face_has(source: str, target: str) -> None:
    one, other = (painted(*who.split(), flushed=who == source) for who in (source, target))
    result = swap(one, other)
    photos = [(face.portrait, face.landmarks) for face in (one, other)]
    found = colours(result, other.landmarks)
    assert share_of_neither(found, *(colours(*photo) for photo in photos)) < 0.005
    ratio = blotches(spread(result, other.landmarks), *(spread(*photo) for photo in photos))
    assert ratio.chroma < 0.95
    assert ratio.light < 1.25
