"""The shipped recognition network, on people who do not exist, seen by bad cameras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources

import cv2
import numpy as np
import pytest

from rtswap.core.errors import ModelError
from rtswap.core.types import Image, Mesh, Points, Tensor
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks.recognition import LENGTH, OTHER, SAME, SMALLEST_PX, FaceRecogniser, tells_who
from rtswap.vision.talking_head import persona

PEOPLE = ("ada", "ben", "carl", "dan")


@cache
def recogniser() -> FaceRecogniser:
    with resources.as_file(resources.files("rtswap") / "assets" / "recognition.onnx") as path:
        return FaceRecogniser(OnnxRuntimeEngine(path))


@cache
def found(name: str) -> tuple[Image, Points]:
    """A persona's picture and mesh."""
    from rtswap.app.config import Config
    from rtswap.app.networks import open_models

    models = open_models(Config(), on_event=lambda text: None)
    picture = persona(name)
    detection = max(models.photo_detector.detect(picture), key=lambda face: face.score)
    return picture, models.landmarks.find(picture, [detection.keypoints])[0].points


def _scaled(image: Image, mesh: Points, factor: float) -> tuple[Image, Points]:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor, interpolation=how), np.uint8), mesh * np.float32(
        factor
    )


def _turned(image: Image, mesh: Points) -> tuple[Image, Points]:
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 25, 0.8)
    moved = mesh.copy()
    moved[:, :2] = mesh[:, :2] @ turn[:, :2].T + turn[:, 2]
    moved[:, 2] *= 0.8
    return np.asarray(cv2.warpAffine(image, turn, (width, height)), np.uint8), moved.astype(np.float32)


def _noisy(image: Image, mesh: Points) -> tuple[Image, Points]:
    grain = np.random.default_rng(2).normal(0, 8, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8), mesh


def _compressed(image: Image, mesh: Points) -> tuple[Image, Points]:
    data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 25])[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8), mesh


CAMERAS: dict[str, Callable[[Image, Points], tuple[Image, Points]]] = {
    "darker": lambda image, mesh: (np.asarray(cv2.convertScaleAbs(image, alpha=0.6), np.uint8), mesh),
    "warmer": lambda image, mesh: (np.clip(image * [0.8, 1.0, 1.15], 0, 255).astype(np.uint8), mesh),
    "a blue lamp": lambda image, mesh: (np.clip(image * [1.1, 0.8, 0.5], 0, 255).astype(np.uint8), mesh),
    "deep dark": lambda image, mesh: (np.clip(image * 0.2, 0, 255).astype(np.uint8), mesh),
    "noisy": _noisy,
    "compressed": _compressed,
    "small": lambda image, mesh: _scaled(image, mesh, 60 / float(np.ptp(mesh[:, 0]))),
    "large": lambda image, mesh: _scaled(image, mesh, 500 / float(np.ptp(mesh[:, 0]))),
    "turned": _turned,
    "mirrored neighbour": lambda image, mesh: (image, mesh + np.float32([3, -2, 0])),
}


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("name", PEOPLE)
def test_recognises_the_same_person_and_no_other(name: str, camera: str) -> None:
    image, mesh = found(name)
    first = recogniser().embed(image, mesh)
    again = recogniser().embed(*CAMERAS[camera](image, mesh))
    assert float(first @ again) >= SAME + 0.1
    others = [float(again @ recogniser().embed(*found(other))) for other in PEOPLE if other != name]
    assert max(others) < SAME
    assert sorted(others)[1] < OTHER + 0.05, "most people are seen to be somebody else at once"


def test_vectors_have_unit_length_and_belong_to_the_caller() -> None:
    first = recogniser().embed(*found("ada"))
    kept = first.copy()
    recogniser().embed(*found("ben"))
    assert np.array_equal(first, kept)
    assert np.linalg.norm(first) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("points", [np.full((468, 3), np.nan), np.zeros((468, 3)), np.full((5, 2), 1e9)])
def test_invalid_points_give_a_vector_similar_to_no_one(points: Points) -> None:
    vector = recogniser().embed(np.zeros((40, 40, 3), np.uint8), points.astype(np.float32))
    assert vector.shape == (LENGTH,)
    assert not vector.any()


@pytest.mark.parametrize(
    "answer", [{}, {"embedding": np.zeros((1, 3), np.float32)}, {"embedding": np.full((1, LENGTH), np.nan)}]
)
def test_a_network_that_breaks_its_contract_is_named(answer: Mapping[str, Tensor]) -> None:
    class Saying:
        name = "saying"

        def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
            return answer

    with pytest.raises(ModelError, match="recognition network"):
        FaceRecogniser(Saying()).embed(*found("ada"))


def test_doubtful_hidden_small_and_turned_faces_are_not_recognised() -> None:
    _, mesh = found("ada")
    seen = np.ones(468, np.float32)
    assert tells_who(Mesh(mesh, seen, 0.99))
    assert not tells_who(Mesh(mesh, seen, 0.6))
    assert not tells_who(Mesh(mesh, seen * np.float32(0.4), 0.99))
    assert not tells_who(Mesh(mesh, seen * np.float32(np.nan), 0.99))
    assert not tells_who(Mesh(mesh * np.float32(0.8 * SMALLEST_PX / np.ptp(mesh[:, 1])), seen, 0.99))
    middle = mesh.mean(0)
    angle = np.radians(55)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    assert not tells_who(Mesh(((mesh - middle) @ turn.T + middle).astype(np.float32), seen, 0.99))
