"""The shipped weights of the refiner: what they correct, and what they leave unchanged."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest
from people import NAMES, ReadyMesh, person, swap_face

from rtswap.core.protocols import Swapper
from rtswap.core.types import SourceIdentity
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.registry import Registry
from rtswap.swappers.refiner.crop_view import CELLS, MOST
from rtswap.swappers.refiner.swapper import RefinerSwapModel
from rtswap.vision.topology import OVAL


@cache
def refiner() -> RefinerSwapModel:
    return RefinerSwapModel(ReadyMesh(), engine())


@cache
def engine() -> OnnxRuntimeEngine:
    return OnnxRuntimeEngine(Registry(on_event=lambda text: None).path("refiner"), threads=1)


def half_in_shadow(who: SourceIdentity) -> SourceIdentity:
    """The photo with its left half dark, the edge as hard as a hat's brim makes it."""
    portrait = who.portrait.astype(np.float32)
    middle = float(who.landmarks[4, 0])
    light = np.where(np.arange(portrait.shape[1]) < middle, 0.45, 1.0).astype(np.float32)
    light = cv2.GaussianBlur(light[None], (0, 0), 1.5)
    return replace(who, portrait=(portrait * light[..., None]).astype(np.uint8))


def test_the_file_takes_and_gives_what_the_swapper_expects() -> None:
    registry = Registry(on_event=lambda text: None)
    gains = engine().run(registry.entry("refiner").zeros())["gains"]
    assert gains.shape == (1, CELLS, CELLS, 3)
    assert gains.dtype == np.float32
    assert np.abs(np.log(gains)).max() <= MOST + 1e-6
    assert registry.path("refiner").stat().st_size < 3e6


@pytest.mark.parametrize("name", NAMES)
def test_a_face_swapped_with_itself_stays_itself(name: str) -> None:
    who = person(name)
    swapped, face = swap_face(refiner().bind(who), who.portrait, who.landmarks)
    error = (swapped.crop.astype(float) - face.crop)[swapped.mask > 230]
    assert 10 * np.log10(255**2 / (error**2).mean()) > (
        25 if name == "carl" else 28
    )  # his photo is lit from one side


@pytest.mark.parametrize(("source", "target"), [("ada", "ben"), ("ben", "carl"), ("carl", "dan"), ("dan", "ada")])
def test_a_shadow_of_the_photo_is_lighter_than_mesh_leaves_it(source: str, target: str) -> None:
    """By how much the two halves of the face differ more than they do in the target."""
    dark, goal = half_in_shadow(person(source)), person(target)

    def uneven(swapper: Swapper) -> float:
        swapped, face = swap_face(swapper, goal.portrait, goal.landmarks)
        oval = np.zeros(swapped.mask.shape, np.uint8)
        cv2.fillPoly(oval, [np.round(face.landmarks[OVAL, :2]).astype(np.int32)], 1)
        inside = (cv2.erode(oval, np.ones((15, 15), np.uint8)) > 0) & (swapped.mask > 200)
        columns = np.arange(inside.shape[1])[None] < face.landmarks[4, 0]
        off = swapped.crop.astype(float).mean(2) - face.crop.astype(float).mean(2)
        return abs(float(off[inside & columns].mean() - off[inside & ~columns].mean()))

    assert uneven(refiner().bind(dark)) < uneven(ReadyMesh().bind(dark)) + 0.5
