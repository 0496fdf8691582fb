"""Scenes of faces that the border cuts, that lie beside others, that pop up before others, that are far away in soft
and coloured light, and that stand against the light, in glare, behind blinds' shadows, or cheek to cheek."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from staged_scenes import SIZE, After, Pose, Scene, Shot, frames, make_scene, number_scenes, room

from rtswap.core.types import Image


def hard_scenes(turns: int = 1) -> list[Scene]:
    """All of them, ``turns`` times with other people and places."""
    return number_scenes(_all, turns, seed=500, first=3, step=7)


def _all(who: list[str], rng: np.random.Generator) -> Iterator[Scene]:
    for number in range(6):
        yield _against_light(who[number + 16], number, rng)
        yield _glare(who[number + 20], number)
        yield _cheek_to_cheek(who[number + 27], who[number + 32], number + 1)
        yield _blinds(who[number + 2], who[number + 13], number)
        found = [*_near(who[number:], number, rng), *_far(who[number + 8 :], number, rng)]
        yield from found if number > 2 else found[-1:]
        yield from _uncovered(who[number + 4 :], number) if number == 1 else ()


def _near(who: list[str], number: int, rng: np.random.Generator) -> Iterator[Scene]:
    light, px = _LIGHTS[number % len(_LIGHTS)], float(rng.uniform(110, 230))
    inside, along = px * float(rng.uniform(0.02, 0.25)), float(rng.uniform(0.3, 0.7))
    places = [(inside / 480, along), (along, 1 - 1.2 * inside / 360), (1 - inside / 480, along)]
    cut = Pose(who[0], places[number % 3], px, float(rng.uniform(-20, 20)), (0.0, 25.0, -40.0)[number % 3])
    poses = (Pose(who[1], (0.66, 0.5), 80), cut) if number % 3 == 0 else (cut,)
    yield make_scene("cut by the border", [Shot(poses, number, light)] * 7)
    turn, upright = float(rng.choice([-1, 1]) * rng.uniform(60, 120)), Pose(who[2], (0.36, 0.5), 85)
    lying = Pose(who[3], (0.62 if number % 2 else 0.13, 0.5), float(rng.uniform(85, 120)), turn)
    yield make_scene("lies beside", [Shot((lying, upright) if n else (upright,), number, light) for n in range(7)])
    away, face = float(rng.uniform(0, 2 * np.pi)), Pose(who[4], (0.5, 0.5), 145)
    at = 0.5 + 0.14 * float(np.cos(away)), 0.5 + 0.2 * float(np.sin(away))
    before = Pose(who[5], at, float(rng.uniform(40, 60)))
    pops = [Shot((face, before) if n > 3 else (face,), number) for n in range(9)]
    yield make_scene("pops up before the face", pops, "all")


def _far(who: list[str], number: int, rng: np.random.Generator) -> Iterator[Scene]:
    far, near = Pose(who[1], (0.3, 0.6), float(rng.uniform(16, 20))), Pose(who[2], (0.62, 0.45), 90)
    light = _LIGHTS[number % len(_LIGHTS)]
    yield make_scene("far in soft light", [Shot((far, near), number, light)] * 3, size=(960, 540))


def _uncovered(who: list[str], number: int) -> Iterator[Scene]:
    """Somebody who is swapped, and before whose face a picture of another is slid; and a curtain that is opened
    before somebody in a room that seems empty."""
    face = Pose(who[0], (0.5, 0.5), 150)
    held = [Pose(who[1], (0.86 - 0.06 * min(n, 6), 0.5), 62) for n in range(9)]
    yield make_scene("slides before the face", [Shot((face, picture), number) for picture in held])
    opening = [Shot((face,), number, front=_curtain(0.03 * max(0, n - 4))) for n in range(8)]
    yield make_scene("looks out", opening)


def _curtain(gap: float) -> After:
    """``gap``: in widths of the picture."""

    def front(image: Image, index: int) -> Image:
        image, width = image.copy(), image.shape[1]
        for first, last in ((0.3, 0.5 - gap), (0.5 + gap, 0.7)):
            image[40:320, round(first * width) : round(last * width)] = (22, 28, 34)
        return image

    return front


def _against_light(who: str, number: int, rng: np.random.Generator) -> Scene:
    """Somebody who comes into an empty room, of whose face 4 to 20 % of the contrast is left."""
    contrast = (0.04, 0.08, 0.2)[number % 3]
    at, px = (float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.4, 0.6))), float(rng.uniform(60, 160))
    comes = [Shot((Pose(who, at, px, contrast=contrast),) if n > 5 else (), number, _bright) for n in range(9)]
    return make_scene("against the light", comes)


def _glare(who: str, number: int) -> Scene:
    """Somebody who comes into a room where a lamp shines into the camera: a veil of light with a slope lies over a
    face that keeps a fifth of its contrast."""
    x, y = ((240, 330), (240, 60), (120, 180))[number % 3]

    def after(image: Image, index: int) -> Image:
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
        lamp = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 150**2))[..., None]
        return np.clip(image / 5 + 230 * lamp, 0, 255).astype(np.uint8)

    return make_scene(
        "glare", [Shot((Pose(who, (0.5, 0.5), 125),) if n > 5 else (), number, after) for n in range(9)]
    )


def _blinds(who: str, beside: str, number: int) -> Scene:
    """Somebody who joins a person who is swapped, both in sunlight that falls through a blind: shadows as wide as the
    light between them keep a third or a half of it."""
    shade, width, slant = (0.5, 0.33)[number % 2], (14, 9, 20)[number % 3], (0.0, 0.6)[number // 2 % 2]

    def after(image: Image, index: int) -> Image:
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
        lit = (rows + slant * columns + 4 * index) // width % 2 < 1
        return (image * np.where(lit, 1.0, shade)[..., None]).astype(np.uint8)

    first, joins = Pose(beside, (0.3, 0.5), 110), Pose(who, (0.72, 0.48), (60, 85)[number % 2])
    return make_scene("blinds", [Shot((first, joins) if n > 2 else (first,), number, after) for n in range(8)])


def _cheek_to_cheek(behind: str, before: str, number: int) -> Scene:
    """Two who take a picture of themselves, one half before the other: a mesh that spans both swaps one of them."""
    side = (-1) ** number
    near = Pose(before, (0.5 + 0.16 * side, (0.42, 0.46, 0.5)[number % 3]), 104, -6 * side)

    def front(image: Image, index: int) -> Image:
        picture, _ = next(frames(Scene("", (Shot((near,), number),))))
        there = np.abs(picture.astype(np.int16) - room(number, SIZE)).max(axis=-1) > 12
        image[there] = picture[there]
        return image

    shot = Shot((Pose(behind, (0.5, 0.5), 130, 6 * side),), number, front=front)
    return make_scene("cheek to cheek", [shot] * 5, "all" if number % 2 else "one")


def _bright(image: Image, index: int) -> Image:
    """Windows and white walls, whatever the room."""
    share = np.clip((image.max(axis=2, keepdims=True).astype(np.float32) - 60) / 40, 0, 1)
    return np.asarray(image + share * (255 - image) / 2, np.uint8)


def _soft(image: Image, index: int) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.9), np.uint8)


def _blue(image: Image, index: int) -> Image:
    return np.asarray(image * np.array([1, 0.35, 0.2]), np.uint8)


def _hazy(image: Image, index: int) -> Image:
    return np.asarray(image * 0.2 + 105, np.uint8)


_LIGHTS: tuple[After, ...] = (_hazy, _soft, _blue)
