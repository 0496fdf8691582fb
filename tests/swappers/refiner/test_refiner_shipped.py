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
from rtswap.swappers.refiner.crop_view import ZERO
from rtswap.swappers.refiner.swapper import SIZES, RefinerSwapModel
from rtswap.vision.topology import OVAL


@cache
def model(name: str) -> RefinerSwapModel:
    registry = Registry(on_event=lambda text: None)
    engines = (OnnxRuntimeEngine(registry.path(one), threads=1) for one in ("refiner-source", name))
    return RefinerSwapModel(ReadyMesh(), *engines, SIZES[name])


@pytest.fixture(params=SIZES)
def one(request: pytest.FixtureRequest) -> RefinerSwapModel:
    return model(request.param)


def half_in_shadow(who: SourceIdentity) -> SourceIdentity:
    """The photo with its left half dark, the edge as hard as a hat's brim makes it."""
    portrait = who.portrait.astype(np.float32)
    middle = float(who.landmarks[4, 0])
    light = np.where(np.arange(portrait.shape[1]) < middle, 0.45, 1.0).astype(np.float32)
    light = cv2.GaussianBlur(light[None], (0, 0), 1.5)
    return replace(who, portrait=(portrait * light[..., None]).astype(np.uint8))


@pytest.mark.parametrize("swapper", SIZES)
def test_the_files_take_and_give_what_the_swapper_expects(swapper: str) -> None:
    registry = Registry(on_event=lambda text: None)
    given = {name: registry.entry(name).zeros() for name in ("refiner-source", swapper)}
    style = OnnxRuntimeEngine(registry.path("refiner-source"), threads=1).run(given["refiner-source"])["style"]
    assert style.shape == given[swapper]["style"].shape
    made = OnnxRuntimeEngine(registry.path(swapper), threads=1).run(given[swapper])["made"]
    assert made.shape == (1, SIZES[swapper], SIZES[swapper], 4)
    assert made.dtype == np.float32
    assert np.abs(made[..., :3] - ZERO).max() <= 77


def test_all_that_is_shipped_of_it_is_small() -> None:
    registry = Registry(on_event=lambda text: None)
    assert sum(registry.path(name).stat().st_size for name in (*SIZES, "refiner-source")) < 6e6


@pytest.mark.parametrize("name", NAMES)
def test_a_face_swapped_with_itself_stays_itself(name: str, one: RefinerSwapModel) -> None:
    who = person(name)
    swapped, face = swap_face(one.bind(who), who.portrait, who.landmarks)
    error = (swapped.crop.astype(float) - face.crop)[swapped.mask > 230]
    assert 10 * np.log10(255**2 / (error**2).mean()) > (
        25 if name == "carl" else 28
    )  # his photo is lit from one side


@pytest.mark.parametrize(("source", "target"), [("ada", "ben"), ("ben", "carl"), ("carl", "dan"), ("dan", "ada")])
def test_a_shadow_of_the_photo_is_lighter_than_mesh_leaves_it(
    source: str, target: str, one: RefinerSwapModel
) -> None:
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

    assert uneven(one.bind(dark)) < uneven(ReadyMesh().bind(dark)) + 0.5


@pytest.mark.parametrize("name", NAMES)
def test_shows_almost_as_much_as_mesh(name: str, one: RefinerSwapModel) -> None:
    """Nothing hides these faces."""
    goal = person("ben" if name != "ben" else "ada")
    before, _ = swap_face(ReadyMesh().bind(person(name)), goal.portrait, goal.landmarks)
    after, _ = swap_face(one.bind(person(name)), goal.portrait, goal.landmarks)
    assert (after.mask <= before.mask).all()
    assert after.mask.sum() > 0.9 * before.mask.sum()


@pytest.mark.parametrize("name", NAMES)
def test_a_cup_before_the_face_stays_there_without_the_occlusion_network(name: str, one: RefinerSwapModel) -> None:
    goal = person("ben" if name != "ben" else "ada")
    points, picture = goal.landmarks, goal.portrait.copy()
    side = float(np.ptp(points[:, 0]))
    corner, far = (points[17, :2] + side * np.array(off) for off in ((-0.3, -0.15), (0.3, 0.8)))
    cup = np.zeros(picture.shape[:2], np.uint8)
    cv2.rectangle(cup, np.round(corner).astype(int).tolist(), np.round(far).astype(int).tolist(), 1, -1)
    picture[cup > 0] = (150, 60, 20)
    swapper = one.bind(person(name))
    matrix, size = swapper.view(points, 1024)
    there = cv2.erode(cv2.warpAffine(cup, matrix, size), np.ones((9, 9), np.uint8)) > 0
    before, _ = swap_face(ReadyMesh().bind(person(name)), picture, points)
    after, _ = swap_face(swapper, picture, points)
    full = before.mask > 200
    assert (there & full).sum() > 500
    assert after.mask[there & full].mean() < 0.3 * before.mask[there & full].mean()
    free = full & ~(cv2.dilate(cv2.warpAffine(cup, matrix, size), np.ones((31, 31), np.uint8)) > 0)
    assert after.mask[free].mean() > 0.9 * before.mask[free].mean()
