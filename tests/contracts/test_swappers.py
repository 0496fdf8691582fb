"""The contract of every swapper, including the one in the docs. Built-in ones are found by their ``SPEC``."""

from __future__ import annotations

from functools import partial

import cv2
import foreign_models as foreign
import numpy as np
import pytest
from built_parts import build
from imported_swappers import with_arcface
from people import ReadyMesh, person, place_mesh, swap_face
from scripts_loader import load_script

from rtswap.core.protocols import SwapModel, Swapper
from rtswap.core.types import SourceIdentity
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.catalog import Entry
from rtswap.networks.model_catalog import model_catalog
from rtswap.networks.registry import Registry
from rtswap.swappers import built_in_swappers
from rtswap.swappers.onnx.identity import Latent
from rtswap.swappers.onnx.swapper import OnnxSwapModel, OnnxSwapper
from rtswap.swappers.refiner.swapper import RefinerSwapModel
from rtswap.vision.geometry import scale_of


def paper_mask() -> SwapModel:
    model: SwapModel = load_script("docs/examples/rtswap_example/paper_mask.py").PaperMaskModel()
    return model


def refiner() -> SwapModel:
    path = Registry(on_event=lambda text: None).path("refiner")
    return RefinerSwapModel(ReadyMesh(), OnnxRuntimeEngine(path, threads=1))


def imported(family: str) -> SwapModel:
    """A made-up model of a family, which makes what it is shown darker."""
    content = foreign.darker(family)
    shapes = {"target": [1, *foreign.SWAPPERS[family][1][1:]], "source": [1, *foreign.SWAPPERS[family][2][1:]]}
    sample = {name: f"float32 {'x'.join(map(str, shape))}" for name, shape in shapes.items()}
    outputs = ("output", "mask") if family == "hyperswap" else ("output",)
    entry = Entry("it", "made up", "MIT", asset="it.onnx", family=family, sample=sample, outputs=outputs)
    kind = model_catalog().families[family]
    return Known(OnnxSwapModel(OnnxRuntimeEngine(content, threads=1), entry, kind, Latent(kind)))


class Known:
    """A model whose sources have an identity."""

    def __init__(self, model: SwapModel) -> None:
        self._model = model

    def bind(self, source: SourceIdentity) -> Swapper:
        return self._model.bind(with_arcface(source))


MODELS = {spec.name: partial(build, spec) for spec in built_in_swappers()}
MODELS |= {"mesh": ReadyMesh, "paper mask": paper_mask, "refiner": refiner}
MODELS |= {f"imported {family}": partial(imported, family) for family in ("inswapper", "simswap", "uniface")}


@pytest.fixture(scope="module", params=MODELS, ids=str)
def model(request: pytest.FixtureRequest) -> SwapModel:
    return MODELS[request.param]()


@pytest.fixture(scope="module")
def swapper(model: SwapModel) -> Swapper:
    return model.bind(person("ada"))


def ground() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)


PLACES = [(160, 120), (0, 120), (319, 239), (160.37, 119.61)]


@pytest.mark.parametrize("face_px", [30, 100.5, 260])
@pytest.mark.parametrize("yaw", [0, 40])
@pytest.mark.parametrize("at", PLACES, ids=str)
def test_answers_fit_the_view(swapper: Swapper, face_px: float, yaw: float, at: tuple[float, float]) -> None:
    picture = ground()
    landmarks = place_mesh(face_px, at, yaw=yaw)
    matrix, size = swapper.view(landmarks, 200)
    assert matrix.shape == (2, 3)
    assert matrix.dtype == np.float32
    assert all(isinstance(side, int) and 0 < side <= 200 for side in size)
    assert 0 < scale_of(matrix) < 10
    swapped, face = swap_face(swapper, picture, landmarks, max_px=200)
    assert face.crop.shape == (size[1], size[0], 3)
    assert swapped.crop.shape == face.crop.shape
    assert swapped.mask.shape == face.crop.shape[:2]
    assert swapped.crop.dtype == swapped.mask.dtype == np.uint8
    assert not swapped.mask[[0, -1]].any()
    assert not swapped.mask[:, [0, -1]].any()
    assert np.array_equal(picture, ground())


def test_only_the_face_is_replaced(swapper: Swapper) -> None:
    who = person("ben")
    swapped, face = swap_face(swapper, who.portrait, who.landmarks)
    hull = cv2.convexHull(np.ascontiguousarray(face.landmarks[:, :2]))[:, 0]
    drawn = np.zeros(swapped.mask.shape, np.uint8)
    cv2.fillPoly(drawn, [np.round(hull).astype(np.int32)], 1)
    around = cv2.dilate(drawn, np.ones((9, 9))) > 0
    assert (swapped.mask[drawn > 0] > 128).mean() > 0.75
    assert swapped.mask[~around].max(initial=0) < 26
    replaced = swapped.mask > 200
    assert np.abs(swapped.crop.astype(int) - face.crop)[replaced].mean() > 3


def test_the_same_again_gives_the_same(swapper: Swapper) -> None:
    picture, landmarks = ground(), place_mesh(90, (150, 110), yaw=10)
    first, _ = swap_face(swapper, picture, landmarks)
    kept = first.crop.copy(), first.mask.copy()
    swap_face(swapper, picture[::-1].copy(), place_mesh(60, (99, 80)))
    swapper.forget(1)
    swapper.forget(12345)
    again, _ = swap_face(swapper, picture, landmarks)
    assert np.array_equal(first.crop, kept[0])
    assert np.array_equal(again.crop, kept[0])
    assert np.array_equal(again.mask, kept[1])


def test_cheap_quality_is_served_too(swapper: Swapper) -> None:
    swapped, face = swap_face(swapper, ground(), place_mesh(120, (160, 120)), max_px=96, match_color=False)
    assert max(face.crop.shape) <= 96
    assert (swapped.mask > 128).any()


def test_two_sources_do_not_share(model: SwapModel, swapper: Swapper) -> None:
    if isinstance(swapper, OnnxSwapper):
        pytest.skip("the made-up networks paint nobody; test_models_command.py puts two people on two")
    other = model.bind(person("dan"))
    who = person("ben")
    one, _ = swap_face(swapper, who.portrait, who.landmarks, match_color=False)
    two, _ = swap_face(other, who.portrait, who.landmarks, match_color=False)
    assert np.abs(one.crop.astype(int) - two.crop).mean() > 3
