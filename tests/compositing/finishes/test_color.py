"""Colour matching of faces: learnt where the mask replaces skin, steady in time, eyes and teeth left alone."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from people import move_person, person, swap_face

from rtswap.compositing.finishes.color import ColorMatch
from rtswap.core.protocols import Swapper
from rtswap.core.types import Quality, SwappedFace, Target
from rtswap.swappers.mesh.swapper import MeshSwapModel
from rtswap.vision.topology import LEFT_EYE

METHODS = ("rct", "lct", "mkl", "hist", "idt", "sot")


@cache
def ada() -> Swapper:
    return MeshSwapModel(light=False).bind(person("ada"))


def a_swap(tint: tuple[float, float, float] = (1, 1, 1), time_s: float = 0.0) -> tuple[SwappedFace, Target]:
    """Ada's face on ben, under a lamp of some colour. Whatever the time, the swap is that of a first frame."""
    who = move_person(person("ben"), 0.5, (0, 0), (256, 256))
    picture = (who.portrait * np.array(tint)).clip(0, 255).astype(np.uint8)
    swapped, target = swap_face(ada(), picture, who.landmarks, match_color=False)
    return swapped, replace(target, time_s=time_s)


def skin_mean(picture: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return picture[mask > 200].mean(0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("tint", [(1, 1, 1), (0.4, 0.6, 0.9), (0.35, 0.35, 0.35)], ids=str)
def test_the_face_takes_the_target_s_colour(method: str, tint: tuple[float, float, float]) -> None:
    swapped, target = a_swap(tint)
    before = np.abs(skin_mean(swapped.crop, swapped.mask) - skin_mean(target.crop, swapped.mask)).max()
    found = ColorMatch(method).apply(swapped, target, Quality())
    after = np.abs(skin_mean(found.crop, found.mask) - skin_mean(target.crop, found.mask)).max()
    assert after < max(4.0, 0.2 * before)


@pytest.mark.parametrize("method", METHODS)
def test_hidden_pixels_are_not_measured(method: str) -> None:
    """A blue hand before the face, which the occlusion mask leaves out, does not turn the face blue."""
    swapped, target = a_swap()
    swapped.mask[:, : swapped.mask.shape[1] // 2] = 0
    plain = ColorMatch(method).apply(SwappedFace(swapped.crop.copy(), swapped.mask.copy()), target, Quality())
    handed = target.crop.copy()
    handed[swapped.mask == 0] = (255, 0, 0)
    other = Target(1, handed, target.landmarks, target.visibility, 0.0)
    found = ColorMatch(method).apply(swapped, other, Quality())
    shown = found.mask > 128
    assert np.abs(found.crop[shown].astype(int) - plain.crop[shown]).mean() < 1.5


@pytest.mark.parametrize("method", METHODS)
def test_eyes_stay_the_target_s(method: str) -> None:
    swapped, target = a_swap((0.4, 0.4, 0.4))
    x, y = target.landmarks[LEFT_EYE, :2].mean(0).astype(int)
    before = swapped.crop[y - 1 : y + 2, x - 2 : x + 3].copy()
    found = ColorMatch(method).apply(swapped, target, Quality())
    assert np.abs(found.crop[y - 1 : y + 2, x - 2 : x + 3].astype(int) - before).max() <= 2


@pytest.mark.parametrize("method", ["rct", "lct", "mkl", "hist"])
def test_it_follows_the_light_in_time(method: str) -> None:
    """A slight change comes through by and by, with a time constant of 0.3 s whatever the frame rate."""

    def shown(times: list[float], level: float) -> float:
        step = ColorMatch(method)
        step.apply(*a_swap(), Quality())
        for time_s in times:
            swapped, target = a_swap((level, level, level), time_s)
            found = step.apply(swapped, target, Quality())
        return float(skin_mean(found.crop, found.mask).mean())

    start, end = shown([5.0], 1.0), shown([5.0], 0.92)  # after a gap it begins anew
    for count in (3, 9):
        times = np.linspace(0.3 / count, 0.3, count).tolist()
        assert (shown(times, 0.92) - start) / (end - start) == pytest.approx(0.63, abs=0.12)


@pytest.mark.parametrize("method", ["rct", "lct", "mkl", "hist"])
def test_a_lamp_that_is_switched_off_needs_no_time(method: str) -> None:
    step = ColorMatch(method)
    step.apply(*a_swap(), Quality())
    swapped, target = a_swap((0.5, 0.5, 0.5), 0.033)
    found = step.apply(swapped, target, Quality())
    fresh = ColorMatch(method).apply(*a_swap((0.5, 0.5, 0.5), 0.033), Quality())
    assert np.array_equal(found.crop, fresh.crop)


def test_a_face_quite_hidden_keeps_the_last_map() -> None:
    step = ColorMatch("mkl")
    first = step.apply(*a_swap(), Quality())
    swapped, target = a_swap(time_s=0.033)
    swapped.mask[:] = 0
    assert np.array_equal(step.apply(swapped, target, Quality()).crop, first.crop)


def test_nothing_is_done_without_time() -> None:
    swapped, target = a_swap()
    before = swapped.crop.copy()
    assert np.array_equal(ColorMatch("mkl").apply(swapped, target, Quality(match_color=False)).crop, before)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="magic"):
        ColorMatch("magic")
