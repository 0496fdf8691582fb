"""Scenes of somebody who tries to be seen: things in front, company, borders, tricks of camera and cutting room."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
from staged_scenes import After, Pose, Scene, Shot, as_it_is, first_of_each_kind, frames, make_scene, number_scenes

from rtswap.core.types import Image

COUNT = 12
SKIN = (125, 155, 205)


def evasion_scenes(turns: int = 1) -> list[Scene]:
    """All of them, ``turns`` times with other people and places; where ``turns`` is 1, one of each kind."""
    found = number_scenes(_all, turns, seed=90, first=3, step=7)
    return found if turns > 1 else first_of_each_kind(found)


def _all(who: list[str], rng: np.random.Generator) -> Iterator[Scene]:
    yield from _held_in_front(who)
    yield from _second_faces(who)
    yield from _borders(who)
    yield from _camera(who, rng)
    yield from _cutting_room(who, rng)


def _held_in_front(who: list[str]) -> Iterator[Scene]:
    pose = Pose(who[0], (0.5, 0.5), 130)
    for kind, front in {
        "waving hand": _hand(lambda n: (0.5 + 0.35 * np.sin(0.9 * n), 0.1 * np.cos(n))),
        "hand before the mouth": _hand(lambda n: (0.0, 0.35)),
        "hands before the eyes": _hands(lambda n: 0.3 * (n % 6 < 3)),
        "peeking": _hands(lambda n: 0.25 if n % 5 else 0.75),
        "sunglasses and mask": _both(_sunglasses, _mask),
        "sunglasses": _sunglasses,
        "hat": _hat(-0.28),
        "deep hat": _hat(-0.05),
        "scarf and hat": _both(_hat(-0.3), _mask),
        "paper with holes": _paper([(-0.22, -0.12, 0.13), (0.22, -0.12, 0.13), (0, 0.35, 0.16)]),
        "paper with one hole": _paper([(0, 0.05, 0.4)]),
        "paper with a slit": _slit,
        "fence": _fence,
        "fingers": _fingers,
    }.items():
        yield make_scene(kind, [Shot((replace(pose, who=who[1]),), 1, front=front)] * COUNT)
        yield make_scene(kind, [Shot((pose,), front=front if n > 4 else None) for n in range(COUNT)])
        yield make_scene(kind, [Shot((pose,), front=front if n < 7 else None) for n in range(COUNT)])


def _second_faces(who: list[str]) -> Iterator[Scene]:
    for faces in ("one", "all"):
        near = Pose(who[2], (0.32, 0.5), 120)
        for px in (40, 55):
            phone = Pose(who[3], (0.75, 0.55), px)
            yield make_scene("phone", [Shot((near, phone) if n > 3 else (near,), 2) for n in range(COUNT)], faces)
        mirror = (Pose(who[4], (0.3, 0.5), 110), Pose(who[4], (0.72, 0.5), 95))
        yield make_scene("mirror", [Shot(mirror)] * 8, faces)
        crossing = [
            (Pose(who[5], (1 - x, 0.5), 100), Pose(who[6], (x, 0.5), 110)) for x in np.linspace(0.15, 0.85, COUNT)
        ]
        yield make_scene("crossing", [Shot(poses) for poses in crossing], faces)
        behind = [(Pose(who[7], (0.42 + 0.03 * n, 0.42), 95), Pose(who[8], (0.5, 0.55), 120)) for n in range(COUNT)]
        yield make_scene("one behind the other", [Shot(poses) for poses in behind], faces)
        twins = [Pose(who[9], (0.3, 0.5), 110), Pose(who[9], (0.7, 0.5), 108)]
        yield make_scene("twins", [Shot(tuple(twins if n < 4 or n > 8 else twins[1:])) for n in range(14)], faces)
        crowd = tuple(Pose(who[10 + n], (0.17 + 0.33 * (n % 3), 0.2 + 0.3 * (n // 3)), 64) for n in range(9))
        yield make_scene("crowd", [Shot(crowd, 3)] * 6, faces)
        inset = [Shot((near,), after=_inset(who[3]) if n > 3 else as_it_is) for n in range(COUNT)]
        yield make_scene("picture in picture", inset, faces)
        swapping = [Shot((replace(near, who=who[n // 3]), Pose(who[9], (0.7, 0.5)))) for n in range(COUNT)]
        yield make_scene("people change places", swapping, faces)


def _borders(who: list[str]) -> Iterator[Scene]:
    for number, step in enumerate([(1, 0), (-1, 0), (0, 1), (0, -1)]):
        for pace in (0.06, 0.2):
            start = np.array([0.5, 0.5]) - np.array(step) * 0.7
            way = [start + np.array(step) * pace * n for n in range(COUNT)]
            come = [Pose(who[number], (float(x), float(y)), 110) for x, y in way]
            yield make_scene("comes in", [Shot((pose,), number) for pose in come])
            beside = Pose(who[number + 5], (0.5, 0.5), 70)
            yield make_scene("comes in beside", [Shot((beside, pose), number) for pose in come], "all")
    edge = [Pose(who[4], (0.01, 0.1 + 0.07 * n), 120) for n in range(COUNT)]
    yield make_scene("along the border", [Shot((pose,)) for pose in edge])
    peeks = [Pose(who[6], (0.5, 1.02 - 0.12 * (n % 3)), 130) for n in range(COUNT)]
    yield make_scene("peeks over the border", [Shot((pose,)) for pose in peeks])


def _camera(who: list[str], rng: np.random.Generator) -> Iterator[Scene]:
    pose = Pose(who[0], (0.48, 0.5), 120)
    zoom = [replace(pose, px=40 * 1.3**n) for n in range(COUNT)]
    yield make_scene("zoom", [Shot((one,)) for one in zoom])
    yield make_scene("zoom", [Shot((one,)) for one in zoom[::-1]])
    yield make_scene("close up", [Shot((replace(pose, px=520),))] * 6)
    for kind, after in {
        "fade in": lambda image, n: _gain(image, (n + 0.5) / 9),
        "fade out": lambda image, n: _gain(image, 1 - n / 12),
        "strobe": lambda image, n: _gain(image, 0.04 if n % 2 else 1.0),
        "strobe three": lambda image, n: _gain(image, 1.0 if n % 3 == 0 else 0.02),
        "flips": lambda image, n: image[:, ::-1] if n % 2 else image,
        "stands on its head": lambda image, n: image[::-1] if n % 4 > 1 else image,
        "ghost": lambda image, n: _mix_with_noise(image, 0.5),
        "faint ghost": lambda image, n: _mix_with_noise(image, 0.3),
        "motion": lambda image, n: cv2.blur(image, (25, 1)),
        "long motion": lambda image, n: cv2.blur(image, (1, 33)),
        "posterised": lambda image, n: (image // 85 * 85 + 40).astype(np.uint8),
        "sepia": lambda image, n: np.clip(image.mean(-1, keepdims=True) * (0.6, 0.8, 1.0), 0, 255).astype(np.uint8),
        "red alone": lambda image, n: (image * np.array([0, 0, 1])).astype(np.uint8),
        "wave": lambda image, n: _wave(image, n),
        "letterbox": lambda image, n: _letterbox(image),
        "low light and noise": lambda image, n: _noisy(_gain(image, 0.12), 8, n),
        "interlaced": lambda image, n: _interlace(image),
        "mosaic": lambda image, n: cv2.resize(cv2.resize(image, None, fx=0.16, fy=0.16), image.shape[1::-1]),
        "overexposed": lambda image, n: _gain(image, 2.6),
        "vignette": lambda image, n: _vignette(image),
    }.items():
        yield make_scene(kind, [Shot((pose,), 1, after=_safe(after))] * COUNT)
        turned = replace(pose, who=who[7], yaw=35, roll=25)
        yield make_scene(kind, [Shot((turned,), 2, after=_safe(after) if n > 4 else as_it_is) for n in range(COUNT)])
    for fps in (2.0, 15.0, 60.0):
        walk = [Pose(who[3], (0.15 + 0.06 * n, 0.5), 90) for n in range(COUNT)]
        yield make_scene("frame rate", [Shot((one,)) for one in walk], fps=fps)
    for px in (44, 64):
        small = [Pose(who[5], (0.3 + 0.02 * n, 0.4), px) for n in range(5)]
        yield make_scene("small in a large frame", [Shot((one,)) for one in small], size=(1920, 1080))


def _cutting_room(who: list[str], rng: np.random.Generator) -> Iterator[Scene]:
    def somebody(number: int) -> Pose:
        return Pose(who[number % 16], tuple(rng.uniform(0.25, 0.75, 2)), float(rng.uniform(50, 150)),
                    roll=float(rng.normal(0, 15)), yaw=float(rng.uniform(-50, 50)))  # type: ignore[arg-type] # fmt: skip

    dark = _safe(lambda image, n: _gain(image, 0.15))
    for faces in ("one", "all"):
        yield make_scene("cuts in the dark", [Shot((somebody(n // 3),), n // 3, dark) for n in range(COUNT)], faces)
        yield make_scene("cut every frame", [Shot((somebody(n),), n) for n in range(COUNT)], faces)
        yield make_scene("flash of a face", [Shot((somebody(n),) if n % 5 == 4 else (), 4) for n in range(15)], faces)
        yield make_scene("empty then a face", [Shot((somebody(1),) if n > 8 else (), 5) for n in range(COUNT)], faces)
        two = [Shot((somebody(n // 4), somebody(n // 4 + 3)), n // 4) for n in range(COUNT)]
        yield make_scene("cuts with two", two, faces)
    for number in range(3):
        left, right = somebody(number), somebody(number + 5)
        yield make_scene("wipe", [Shot((left,), front=_wipe(right, n / COUNT)) for n in range(COUNT)])


def _safe(after: After) -> After:
    return lambda image, index: np.ascontiguousarray(after(image, index))


def _both(one: After, other: After) -> After:
    return lambda image, index: other(one(image, index), index)


def _at(image: Image, x: float, y: float) -> tuple[int, int]:
    """A place in the middle of the frame, in widths of a face of 130 px."""
    return round(image.shape[1] / 2 + 130 * x), round(image.shape[0] / 2 + 130 * y)


def _draw_hand(image: Image, x: float, y: float, lean: float = 0.0) -> None:
    for n, (across, length) in enumerate([(-0.2, 0.5), (-0.08, 0.6), (0.05, 0.58), (0.17, 0.45), (-0.36, 0.2)]):
        tip = _at(image, x + across * 1.2 + lean * length, y - length)
        cv2.line(image, _at(image, x + across, y + 0.1), tip, np.multiply(SKIN, 0.93 + 0.02 * n).tolist(), 16)
    cv2.ellipse(image, _at(image, x, y + 0.15), (36, 44), 0, 0, 360, SKIN, -1)
    cv2.line(image, _at(image, x, y + 0.4), _at(image, x + 0.4, y + 2.5), np.multiply(SKIN, 0.96).tolist(), 46)


def _hand(where: Callable[[int], tuple[float, float]]) -> After:
    def front(image: Image, index: int) -> Image:
        _draw_hand(image, *where(index), lean=0.2)
        return image

    return front


def _hands(apart: Callable[[int], float]) -> After:
    def front(image: Image, index: int) -> Image:
        for side in (-1, 1):
            _draw_hand(image, side * (0.2 + apart(index)), 0.05, lean=-0.3 * side)
        return image

    return front


def _sunglasses(image: Image, index: int) -> Image:
    for side in (-1, 1):
        cv2.ellipse(image, _at(image, 0.2 * side, -0.12), (24, 18), 0, 0, 360, (18, 15, 15), -1)
    cv2.line(image, _at(image, -0.45, -0.15), _at(image, 0.45, -0.15), (18, 15, 15), 4)
    return image


def _mask(image: Image, index: int) -> Image:
    ring = [(-0.42, 0.05), (0.0, -0.02), (0.42, 0.05), (0.36, 0.5), (0.0, 0.72), (-0.36, 0.5)]
    cv2.fillPoly(image, [np.array([_at(image, *point) for point in ring], np.int32)], (215, 200, 170))
    return image


def _hat(brim: float) -> After:
    def front(image: Image, index: int) -> Image:
        cv2.rectangle(image, _at(image, -0.55, -1.1), _at(image, 0.55, brim - 0.05), (50, 35, 60), -1)
        cv2.ellipse(image, _at(image, 0, brim), (105, 14), 0, 0, 360, (40, 28, 50), -1)
        return image

    return front


def _paper(holes: list[tuple[float, float, float]]) -> After:
    def front(image: Image, index: int) -> Image:
        paper = image.copy()
        cv2.rectangle(paper, _at(image, -0.9, -1.1), _at(image, 0.9, 1.1), (235, 238, 240), -1)
        for x, y, radius in holes:
            cv2.circle(hole := np.zeros(image.shape[:2], np.uint8), _at(image, x, y), round(130 * radius), 1, -1)
            paper[hole > 0] = image[hole > 0]
        return paper

    return front


def _slit(image: Image, index: int) -> Image:
    for top, bottom in ((-1.2, -0.3), (0.15, 1.2)):
        cv2.rectangle(image, _at(image, -1, top), _at(image, 1, bottom), (60, 80, 110), -1)
    return image


def _fence(image: Image, index: int) -> Image:
    for x in np.arange(-2, 2, 0.3):
        cv2.line(image, _at(image, x, -2), _at(image, x + 0.5, 2), (70, 110, 80), 14)
        cv2.line(image, _at(image, x + 0.5, -2), _at(image, x, 2), (70, 110, 80), 14)
    return image


def _fingers(image: Image, index: int) -> Image:
    for x in np.arange(-0.5, 0.6, 0.26):
        cv2.line(image, _at(image, x, -0.6 + 0.1 * np.sin(index)), _at(image, x * 0.8, 0.9), SKIN, 17)
    return image


def _gain(image: Image, gain: float) -> Image:
    return np.clip(image * max(gain, 0.0) + 0.5, 0, 255).astype(np.uint8)


def _noisy(image: Image, sigma: float, index: int) -> Image:
    return np.clip(image + np.random.default_rng(index).normal(0, sigma, image.shape), 0, 255).astype(np.uint8)


def _mix_with_noise(image: Image, share: float) -> Image:
    other = cv2.resize(np.random.default_rng(4).uniform(30, 220, (9, 12, 3)).astype(np.float32), image.shape[1::-1])
    return np.clip(share * image + (1 - share) * other, 0, 255).astype(np.uint8)


def _wave(image: Image, index: int) -> Image:
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.asarray(cv2.remap(image, x + 4 * np.sin(y / 22 + index), y, cv2.INTER_LINEAR, borderMode=1), np.uint8)


def _letterbox(image: Image) -> Image:
    image = image.copy()
    image[: image.shape[0] // 6] = image[-image.shape[0] // 6 :] = 0
    return image


def _interlace(image: Image) -> Image:
    image = image.copy()
    image[1::2] = np.roll(image[1::2], 9, axis=1)
    return image


def _vignette(image: Image) -> Image:
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return np.clip(image * np.exp(-3 * (x * x + y * y))[..., None], 0, 255).astype(np.uint8)


def _inset(who: str) -> After:
    def after(image: Image, index: int) -> Image:
        picture, _ = next(frames(Scene("", (Shot((Pose(who, px=150),)),))))
        image = image.copy()
        image[15:120, 320:460] = cv2.resize(picture, (140, 105), interpolation=cv2.INTER_AREA)
        return image

    return after


def _wipe(pose: Pose, share: float) -> After:
    def after(image: Image, index: int) -> Image:
        other, _ = next(frames(Scene("", (Shot((pose,), 3),))))
        return np.hstack([other[:, : round(share * image.shape[1])], image[:, round(share * image.shape[1]) :]])

    return after
