"""Every kind of scene in which a face left bare, or might."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from staged_scenes import After, Pose, Scene, Shot, as_it_is, make_scene, number_scenes

from rtswap.core.types import Image

COUNT = 14


def plain_scenes(turns: int = 1) -> list[Scene]:
    """All of them, ``turns`` times with other people and places."""
    return number_scenes(_all, turns, seed=0, first=0, step=5)


def _all(who: list[str], rng: np.random.Generator) -> Iterator[Scene]:
    yield from _cuts(who, rng)
    yield from _company(who, rng)
    yield from _held(who)
    yield from _light(who)
    yield from _small(who)
    yield from _hidden(who)
    yield from _quick(who, rng)


def _still(pose: Pose, count: int = COUNT, room: int = 0, after: After | None = None) -> list[Shot]:
    return [Shot((pose,), room, after or as_it_is)] * count


def _cuts(who: list[str], rng: np.random.Generator) -> Iterator[Scene]:
    for faces in ("one", "all"):
        for number, at in enumerate([(0.75, 0.45), (0.25, 0.6), (0.55, 0.5)]):
            shots = _still(Pose(who[number], (0.28, 0.5)), 7) + _still(Pose(who[number + 3], at), 9, room=number + 1)
            yield make_scene("cut", shots, faces)
        for every in (2, 3, 5):
            poses = [
                Pose(who[n + 5], tuple(rng.uniform(0.25, 0.75, 2)), float(rng.uniform(60, 140))) for n in range(8)
            ]  # type: ignore[arg-type]
            yield make_scene("cuts", [Shot((poses[n // every % 8],), n // every % 8) for n in range(16)], faces)
    for same in (0.1, 0.35):
        left, right = Pose(who[8], (0.3, 0.5)), Pose(who[9], (0.3 + same, 0.5))
        yield make_scene("teleport", _still(left, 7) + _still(right, 8))
        mixed = [_mix(left, right, share) for share in np.linspace(0, 1, 14)]
        yield make_scene("dissolve", [Shot((), 0, after) for after in mixed])


def _mix(left: Pose, right: Pose, share: float) -> After:
    from staged_scenes import frames

    def after(image: Image, index: int) -> Image:
        (first, _), (second, _) = (next(frames(Scene("", (Shot((pose,)),)))) for pose in (left, right))
        return np.asarray(cv2.addWeighted(first, 1 - share, second, share, 0), np.uint8)

    return after


def _company(who: list[str], rng: np.random.Generator) -> Iterator[Scene]:
    for faces in ("one", "all"):
        for number, step in enumerate([3, 5, 7]):
            left, right = Pose(who[number], (0.27, 0.5)), Pose(who[number + 4], (0.73, 0.5), 100)
            yield make_scene("newcomer", [Shot((left, right) if n >= step else (left,)) for n in range(COUNT)], faces)
            away = [Shot((right,) if step <= n < step + 5 else (left, right)) for n in range(16)]
            yield make_scene("leaves and returns", away, faces)
            alone = [Shot((right,) if 4 <= n < 9 else (left,) if n < 4 else (left, right)) for n in range(16)]
            yield make_scene("leaves and returns", alone, faces)
        walk = [Pose(who[10], (-0.1 + 0.045 * n, 0.5), 90) for n in range(COUNT)]
        yield make_scene("walks in", [Shot((Pose(who[11], (0.7, 0.5)), pose)) for pose in walk], faces)
        yield make_scene("walks into an empty room", [Shot((pose,)) for pose in walk], faces)
        three = tuple(Pose(who[12 + n], (0.2 + 0.3 * n, 0.5), 80) for n in range(3))
        yield make_scene("three", [Shot(three)] * 8, faces)
        yield make_scene("newcomer slow", [Shot(three[:1] if n < 3 else three[:2]) for n in range(8)], faces, fps=2.0)


def _held(who: list[str]) -> Iterator[Scene]:
    for number, roll in enumerate([45, 90, 120, 150, 180, 210, 270]):
        yield make_scene("held roll", _still(Pose(who[number], roll=roll), 10))
        turning = [Pose(who[number + 1], roll=min(1, n / 6) * roll) for n in range(COUNT)]
        yield make_scene("rolls", [Shot((pose,)) for pose in turning])
    for number, (yaw, pitch) in enumerate(
        [(60, 0), (75, 0), (-75, 0), (88, 0), (-88, 0), (0, 50), (0, 70), (0, -55)]
    ):
        pose = Pose(who[number + 3], yaw=yaw, pitch=pitch, px=120)
        yield make_scene("held turned", _still(pose, 9))
        moving = [replace(pose, yaw=min(1, n / 7) * yaw, pitch=min(1, n / 7) * pitch) for n in range(COUNT)]
        yield make_scene("turns", [Shot((one,)) for one in moving])


def _light(who: list[str]) -> Iterator[Scene]:
    for number, gain in enumerate([0.3, 0.15, 0.08, 0.05]):
        pose = Pose(who[number], (0.4, 0.5))
        yield make_scene("dark", _still(pose, 10, after=_tint(gain, gain, gain)))
        fading = [Shot((pose,), 0, _tint(*[gain ** min(1, n / 6)] * 3)) for n in range(COUNT)]
        yield make_scene("gets dark", fading)
    for number, tint in enumerate([(0, 1, 0), (1, 0.05, 0), (0, 0.1, 1), (0.05, 0.6, 0.05)]):
        yield make_scene("lamp", _still(Pose(who[number + 5], (0.6, 0.5)), 10, after=_tint(*tint)))
        lit = [Shot((Pose(who[number + 6]),), 0, _tint(*tint) if n > 5 else as_it_is) for n in range(COUNT)]
        yield make_scene("lamp comes on", lit)
    for number, after in enumerate([_negative, _gray, _noise(25), _noise(45), _soft(2.5), _flash, _blocks]):
        yield make_scene("odd light", _still(Pose(who[number + 2], (0.45, 0.5)), 10, after=after))


def _small(who: list[str]) -> Iterator[Scene]:
    for number, px in enumerate([16, 20, 26, 33, 45]):
        yield make_scene("small", _still(Pose(who[number], (0.4, 0.4), px), 8, room=number), size=(640, 480))
        beside = (Pose(who[number + 3], (0.3, 0.5), 120), Pose(who[number + 5], (0.75, 0.4), px))
        yield make_scene("small beside large", [Shot(beside, number)] * 8, size=(640, 480))
    for number in range(2):
        walk = [Pose(who[number + 4], (0.5, 0.45), 15 * 1.2**n) for n in range(COUNT)]
        yield make_scene("walks up", [Shot((pose,), number) for pose in walk], size=(640, 480))
        yield make_scene("walks away", [Shot((pose,), number) for pose in walk[::-1]], size=(640, 480))
    for number, px in enumerate([260, 380]):
        yield make_scene("huge", _still(Pose(who[number + 7], (0.5, 0.55), px), 8))
    for number, at in enumerate([(0.02, 0.5), (0.98, 0.5), (0.5, 0.05), (0.5, 0.97)]):
        yield make_scene("half out", _still(Pose(who[number + 8], at, 130), 8))


def _hidden(who: list[str]) -> Iterator[Scene]:
    for number, after in enumerate([_blinds(14, 0.3), _blinds(26, 0.4), _bars, _mouth, _eyes, _half]):
        pose = Pose(who[number], (0.5, 0.5), 120)
        yield make_scene("hidden from the start", _still(pose, 9, after=after))
        put_on = [Shot((pose,), 0, after if n > 5 else as_it_is) for n in range(COUNT)]
        yield make_scene("gets hidden", put_on)
    passing = [Shot((Pose(who[8]),), 0, _wall(n / COUNT)) for n in range(COUNT)]
    yield make_scene("something passes", passing)


def _quick(who: list[str], rng: np.random.Generator) -> Iterator[Scene]:
    for number, reach in enumerate([0.05, 0.12, 0.2]):
        places = rng.uniform(-reach, reach, (COUNT, 2)) + 0.5
        yield make_scene("shake", [Shot((Pose(who[number], (float(x), float(y))),)) for x, y in places])
        sizes = [110 * (2.2 if n % 4 > 1 else 1.0) ** (number / 2) for n in range(COUNT)]
        yield make_scene("zoom burst", [Shot((Pose(who[number + 3], px=px),)) for px in sizes])
        spin = [Shot((Pose(who[number + 5], roll=n * (25 + 20 * number)),)) for n in range(COUNT)]
        yield make_scene("spins", spin)


def _tint(blue: float, green: float, red: float) -> After:
    return lambda image, index: np.clip(image * np.float32([blue, green, red]) + 0.5, 0, 255).astype(np.uint8)


def _negative(image: Image, index: int) -> Image:
    return np.asarray(255 - image, np.uint8)


def _gray(image: Image, index: int) -> Image:
    return np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[..., None], 3, 2)


def _noise(sigma: float) -> After:
    def after(image: Image, index: int) -> Image:
        noise = np.random.default_rng(index + 9).normal(0, sigma, image.shape)
        return np.clip(image + noise, 0, 255).astype(np.uint8)

    return after


def _soft(sigma: float) -> After:
    return lambda image, index: np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def _flash(image: Image, index: int) -> Image:
    return np.clip(image * (3.0 if index % 4 == 2 else 1.0), 0, 255).astype(np.uint8)


def _blocks(image: Image, index: int) -> Image:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 8])[1], 1), np.uint8)


def _blinds(step: int, share: float) -> After:
    def after(image: Image, index: int) -> Image:
        image = image.copy()
        image[(np.arange(image.shape[0]) % step) < share * step] = (90, 120, 140)
        return image

    return after


def _bars(image: Image, index: int) -> Image:
    image = image.copy()
    image[:, (np.arange(image.shape[1]) % 24) < 7] = (40, 40, 45)
    return image


def _patch(left: float, top: float, right: float, bottom: float) -> After:
    """Something before a part of the middle of the frame, in widths of a face of 120 px."""

    def after(image: Image, index: int) -> Image:
        image, (height, width) = image.copy(), image.shape[:2]
        x1, x2 = (round(width / 2 + 120 * x) for x in (left, right))
        y1, y2 = (round(height / 2 + 120 * y) for y in (top, bottom))
        image[max(y1, 0) : y2, max(x1, 0) : x2] = (170, 150, 130)
        return image

    return after


_mouth, _eyes, _half = _patch(-0.5, 0.1, 0.5, 0.75), _patch(-0.6, -0.35, 0.6, 0.0), _patch(0.02, -0.8, 0.8, 0.8)


def _wall(share: float) -> After:
    return _patch(-2.5 + 4 * share, -2, -1.3 + 4 * share, 2)
