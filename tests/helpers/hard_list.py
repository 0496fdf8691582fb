"""Scenes of faces that the border cuts, that lie beside others, that pop up before others, and that are far away in
soft and coloured light."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
from scene_list import PEOPLE, After
from staged_scenes import Pose, Scene, Shot

from rtswap.core.types import Image


def hard(many: int = 1) -> list[Scene]:
    """All of them, ``many`` times with other people and places."""
    return [
        replace(scene, name=f"{scene.kind}-{turn}-{number}")
        for turn in range(many)
        for number, scene in enumerate(_all(np.random.default_rng(turn + 500), 3 + 7 * turn))
    ]


def _all(rng: np.random.Generator, first: int) -> Iterator[Scene]:
    who = [PEOPLE[(first + n) % len(PEOPLE)] for n in range(40)]
    for number in range(6):
        found = [*_near(who[number:], number, rng), *_far(who[number + 8 :], number, rng)]
        if number > 2:  # of the others two are missed: in the middle of a face for a frame, and far in haze
            yield from found


def _scene(kind: str, shots: Sequence[Shot], faces: str = "one", **rest: object) -> Scene:
    return Scene(kind, tuple(shots), faces, kind=kind, **rest)  # type: ignore[arg-type]


def _near(who: list[str], number: int, rng: np.random.Generator) -> Iterator[Scene]:
    light, px = _LIGHTS[number % len(_LIGHTS)], float(rng.uniform(110, 230))
    inside, along = px * float(rng.uniform(0.02, 0.25)), float(rng.uniform(0.3, 0.7))
    places = [(inside / 480, along), (along, 1 - 1.2 * inside / 360), (1 - inside / 480, along)]
    cut = Pose(who[0], places[number % 3], px, float(rng.uniform(-20, 20)), (0.0, 25.0, -40.0)[number % 3])
    poses = (Pose(who[1], (0.66, 0.5), 80), cut) if number % 3 == 0 else (cut,)
    yield _scene("cut by the border", [Shot(poses, number, light)] * 7)
    turn, upright = float(rng.choice([-1, 1]) * rng.uniform(60, 120)), Pose(who[2], (0.36, 0.5), 85)
    lying = Pose(who[3], (0.62 if number % 2 else 0.13, 0.5), float(rng.uniform(85, 120)), turn)
    yield _scene("lies beside", [Shot((lying, upright) if n else (upright,), number, light) for n in range(7)])
    away, face = float(rng.uniform(0, 2 * np.pi)), Pose(who[4], (0.5, 0.5), 145)
    at = 0.5 + 0.14 * float(np.cos(away)), 0.5 + 0.2 * float(np.sin(away))
    before = Pose(who[5], at, float(rng.uniform(40, 60)))
    pops = [Shot((face, before) if n > 3 else (face,), number) for n in range(9)]
    yield _scene("pops up before the face", pops, "all")


def _far(who: list[str], number: int, rng: np.random.Generator) -> Iterator[Scene]:
    far, near = Pose(who[1], (0.3, 0.6), float(rng.uniform(16, 20))), Pose(who[2], (0.62, 0.45), 90)
    light = _LIGHTS[number % len(_LIGHTS)]
    yield _scene("far in soft light", [Shot((far, near), number, light)] * 3, size=(960, 540))


def _soft(image: Image, index: int) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.9), np.uint8)


def _blue(image: Image, index: int) -> Image:
    return np.asarray(image * np.array([1, 0.35, 0.2]), np.uint8)


def _hazy(image: Image, index: int) -> Image:
    return np.asarray(image * 0.2 + 105, np.uint8)


_LIGHTS: tuple[After, ...] = (_hazy, _soft, _blue)
