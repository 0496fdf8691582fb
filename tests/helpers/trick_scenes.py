"""More scenes of somebody who tries to be seen: close beside a swapped face, in pictures within the picture, behind
bars that roll, in strobe light, through the worst of codecs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
from staged_scenes import (
    SIZE,
    After,
    Pose,
    Scene,
    Shot,
    as_it_is,
    first_of_each_kind,
    make_scene,
    number_scenes,
    room,
)

from rtswap.core.types import Image

COUNT = 12


def trick_scenes(turns: int = 1) -> list[Scene]:
    """All of them, ``turns`` times with other people and places; where ``turns`` is 1, one of each kind."""
    found = number_scenes(_all, turns, seed=300, first=1, step=9)
    return found if turns > 1 else first_of_each_kind(found)


def _all(who: list[str], rng: np.random.Generator) -> Iterator[Scene]:
    yield from _close_beside(who, rng)
    yield from _pictures_within(who, rng)
    yield from _bars_and_light(who)
    yield from _codecs(who)
    yield from _moves(who, rng)
    yield from _near_and_far(who)


def _close_beside(who: list[str], rng: np.random.Generator) -> Iterator[Scene]:
    """Where the head of somebody who is swapped moves, changes call for no look."""
    near = Pose(who[0], (0.5, 0.5), 110)
    for faces in ("one", "all"):
        for step in (4, 5, 6, 7):
            for at, px in (((0.72, 0.32), 34), ((0.3, 0.75), 40), ((0.74, 0.55), 60), ((0.29, 0.45), 90)):
                pops = [Shot((near, Pose(who[step], at, px)) if n >= step else (near,)) for n in range(COUNT)]
                yield make_scene("pops up beside", pops, faces)
            blinks = [Shot((near, Pose(who[step], (0.73, 0.4), 50)) if n % step == 3 else (near,)) for n in range(14)]
            yield make_scene("flashes beside", blinks, faces)
        for pace in (0.02, 0.05):
            sway = [
                (Pose(who[2], (0.5 + pace * n, 0.45), 100), Pose(who[3], (0.5 - pace * n, 0.52), 115))
                for n in range(COUNT)
            ]
            yield make_scene("steps out from behind", [Shot(poses) for poses in sway], faces)
            rise = [
                (Pose(who[4], (0.52, 0.6 - 1.2 * pace * n), 90), replace(near, at=(0.5, 0.6))) for n in range(COUNT)
            ]
            yield make_scene("rises behind", [Shot(poses) for poses in rise], faces)
        three = [
            (
                Pose(who[5], (0.5 - 0.018 * n, 0.42), 80),
                Pose(who[6], (0.5 + 0.018 * n, 0.42), 80),
                Pose(who[7], (0.5, 0.55), 110),
            )
            for n in range(14)
        ]
        yield make_scene("two behind one", [Shot(poses) for poses in three], faces)


def _pictures_within(who: list[str], rng: np.random.Generator) -> Iterator[Scene]:
    places = [(0.25, 0.28), (0.75, 0.28), (0.25, 0.75), (0.75, 0.75)]
    for faces in ("one", "all"):
        for change in (3, 4):
            grid = [
                tuple(Pose(who[k + 4 * (n // change == k + 1)], at, 70) for k, at in enumerate(places))
                for n in range(16)
            ]
            yield make_scene("tiles of a call", [Shot(poses, after=_tiles) for poses in grid], faces)
        slides = [
            (Pose(who[8], (0.3, 0.5), 100), Pose(who[9], (0.95 - 0.02 * n, 0.2 + 0.04 * n), 46)) for n in range(14)
        ]
        yield make_scene("inset that slides", [Shot(poses, after=_frame_at(poses[1])) for poses in slides], faces)
        grows = [(Pose(who[10], (0.28, 0.5), 90), Pose(who[11], (0.72, 0.45), 14 * 1.22**n)) for n in range(12)]
        yield make_scene("inset that grows", [Shot(poses, after=_frame_at(poses[1])) for poses in grows], faces)
        mirror = [
            (Pose(who[12], (0.38, 0.55), 100, yaw=30), Pose(who[12], (0.92 - 0.01 * n, 0.45), 80, yaw=-35))
            for n in range(10)
        ]
        yield make_scene("mirror at the side", [Shot(poses, 2) for poses in mirror], faces)
        wall = [Pose(who[13], (0.35, 0.55), 110), *(Pose(who[14 + k], (0.75, 0.2 + 0.3 * k), 34) for k in range(3))]
        yield make_scene("portraits on the wall", [Shot(tuple(wall), 3)] * 8, faces)


def _bars_and_light(who: list[str]) -> Iterator[Scene]:
    pose = Pose(who[0], (0.5, 0.5), 120)
    for pace in (11, 37, 90):
        yield make_scene("rolling letterbox", [Shot((pose,), 1, front=_rolling(pace, 0.35)) for _ in range(14)])
        yield make_scene(
            "rolling bars", [Shot((pose,), 1, front=_rolling(pace, 0.2, sideways=True)) for _ in range(14)]
        )
    colours = [(1, 0.1, 0.1), (0.1, 1, 0.1), (0.1, 0.1, 1), (1, 1, 1), (0, 0, 0.6)]
    for hold in (1, 2, 3):
        strobe = [_tint(colours[n // hold % len(colours)]) for n in range(15)]
        yield make_scene("coloured strobe", [Shot((pose,), 2, after) for after in strobe])
        people = [
            Shot((replace(pose, who=who[n // hold % 2], at=(0.4 + 0.2 * (n // hold % 2), 0.5)),)) for n in range(14)
        ]
        yield make_scene("strobe of two people", people)
        dark = [
            Shot((replace(pose, who=who[5]),), 1, _tint((0.03,) * 3) if n % (hold + 1) else as_it_is)
            for n in range(14)
        ]
        yield make_scene("flashes in the dark", dark)
    for who_ in (who[3], who[4]):
        shots = [Shot((replace(pose, who=who_),), 0, _tint(tuple(0.5 + 0.5 * np.sin(n + k * 2.1) for k in range(3))))
                 for n in range(14)]  # type: ignore[arg-type] # fmt: skip
        yield make_scene("disco", shots)


def _codecs(who: list[str]) -> Iterator[Scene]:
    for number, after in enumerate([_jpeg(2), _jpeg(6, 0.4), _jpeg(12, 0.3), _blocky(24), _no_colour_blocks]):
        pose = Pose(who[number], (0.45, 0.5), 120)
        yield make_scene("heavy compression", [Shot((pose,), 1, after)] * 9)
        worse = [
            Shot((replace(pose, at=(0.3 + 0.03 * n, 0.5)),), 1, after if n > 5 else as_it_is) for n in range(COUNT)
        ]
        yield make_scene("compression sets in", worse)
        beside = Pose(who[number + 6], (0.78, 0.45), 75)
        two = [Shot((replace(pose, at=(0.3, 0.5)), beside) if n > 4 else (replace(pose, at=(0.3, 0.5)),), 1, after)
               for n in range(COUNT)]  # fmt: skip
        yield make_scene("compressed company", two)


def _moves(who: list[str], rng: np.random.Generator) -> Iterator[Scene]:
    for number, factor in enumerate([1.6, 2.5, 0.5]):
        pose = Pose(who[number], (0.5, 0.5), 60 if factor > 1 else 300)
        fast = [replace(pose, px=pose.px * factor ** (n - 4 if 4 < n < 8 else 3 * (n > 7))) for n in range(COUNT)]
        yield make_scene("fast zoom", [Shot((replace(one, px=min(one.px, 420)),)) for one in fast])
        to = tuple(rng.uniform(0.2, 0.8, 2))
        jump = [replace(pose, px=90, at=to if n % 6 > 2 else (0.3, 0.4)) for n in range(14)]  # type: ignore[arg-type]
        yield make_scene("jumps to and fro", [Shot((one,)) for one in jump])
        spin = [replace(pose, px=120, roll=(35 + 25 * number) * n) for n in range(14)]
        yield make_scene("spins", [Shot((one,)) for one in spin])
        nods = [replace(pose, px=120, yaw=80 * np.sin(0.9 * n + number), pitch=25 * np.cos(n)) for n in range(14)]
        yield make_scene("shakes the head", [Shot((one,)) for one in nods])
    roll = [((0.15 * n) % 1.3) - 0.15 for n in range(16)]
    yield make_scene(
        "rolling picture", [Shot((Pose(who[5], (0.5, y), 110), Pose(who[5], (0.5, y - 1.3), 110))) for y in roll]
    )
    for corner in ((0.03, 0.08), (0.97, 0.1), (0.05, 0.93), (0.96, 0.95)):
        yield make_scene("in the corner", [Shot((Pose(who[6], corner, 110),), 2)] * 7)
        there, other = Pose(who[7], (0.5, 0.5), 80), Pose(who[8], corner, 90)
        comes = [Shot((there, other) if n > 4 else (there,)) for n in range(COUNT)]
        yield make_scene("comes into the corner", comes)


def _near_and_far(who: list[str]) -> Iterator[Scene]:
    """A clear face does not keep others from being seen: far ones, and a picture that is held before it."""
    large = (960, 540)
    for number, (px, yaw) in enumerate([(18, 0), (20, -20), (20, 0), (24, -45)]):
        near, far = Pose(who[number], (0.3, 0.45), 100), Pose(who[number + 6], (0.7, 0.6), px, yaw=yaw)
        for faces in ("one", "all"):
            yield make_scene("far behind a clear one", [Shot((far, near), number)] * 4, faces, size=large)
    for number in range(3):
        walk = [(Pose(who[number], (0.6, 0.5), 16 * 1.2**n), Pose(who[8], (0.25, 0.4), 90)) for n in range(COUNT)]
        yield make_scene("walks up behind a clear one", [Shot(poses, number) for poses in walk], size=large)
    for number, px in enumerate((45, 50, 55)):
        near = Pose(who[number], (0.5, 0.45), 125)
        held = [Pose(who[number], (0.3 + 0.015 * n, 1.15 - 0.05 * n), px) for n in range(14)]
        yield make_scene("a picture before the face", [Shot((near, picture), number) for picture in held], "all")


def _tint(gains: Sequence[float]) -> After:
    return lambda image, index: np.clip(image * np.array(gains) + 0.5, 0, 255).astype(np.uint8)


def _tiles(image: Image, index: int) -> Image:
    image = image.copy()
    height, width = image.shape[:2]
    cv2.line(image, (width // 2, 0), (width // 2, height), (20, 20, 20), 6)
    cv2.line(image, (0, height // 2), (width, height // 2), (20, 20, 20), 6)
    return image


def _frame_at(pose: Pose) -> After:
    def after(image: Image, index: int) -> Image:
        x, y = (round(at * length) for at, length in zip(pose.at, image.shape[1::-1], strict=True))
        reach = round(0.95 * pose.px)
        return cv2.rectangle(image.copy(), (x - reach, y - reach), (x + reach, y + reach), (230, 230, 230), 3)

    return after


def _rolling(pace: int, share: float, *, sideways: bool = False) -> After:
    def front(image: Image, index: int) -> Image:
        length = image.shape[1 if sideways else 0]
        hidden = (np.arange(length) + pace * index) % length < share * length
        if sideways:
            image[:, hidden] = 0
        else:
            image[hidden] = 0
        return image

    return front


def _jpeg(quality: int, scale: float = 1.0) -> After:
    def after(image: Image, index: int) -> Image:
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return cv2.resize(cv2.imdecode(coded, cv2.IMREAD_COLOR), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)

    return after


def _blocky(side: int) -> After:
    """Some blocks are lost, other ones every frame, and show the empty room."""

    def after(image: Image, index: int) -> Image:
        image, rng = image.copy(), np.random.default_rng(index)
        for y in range(0, image.shape[0], side):
            for x in range(0, image.shape[1], side):
                if rng.random() < 0.2:
                    image[y : y + side, x : x + side] = room(1, SIZE)[y : y + side, x : x + side]
        return image

    return after


def _no_colour_blocks(image: Image, index: int) -> Image:
    parts = cv2.cvtColor(image, cv2.COLOR_BGR2YCrCb)
    small = cv2.resize(parts[..., 1:], (12, 9), interpolation=cv2.INTER_AREA)
    parts[..., 1:] = cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    return cv2.cvtColor(parts, cv2.COLOR_YCrCb2BGR)
