"""MediaPipe's face mesh under our landmark network's contract, with an engine that knows the answer."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from people import face_models

from rtswap.commands.evaluate.landmark_judge import open_judge
from rtswap.core.errors import ModelError
from rtswap.networks.face_mesh import SIZE, FaceMesh


class Answering:
    """Finds all landmarks at the middle of its input's red pixel, and keeps what it was given."""

    name = "answering"

    def __init__(self, count: int = 1404) -> None:
        self.count = count
        self.given: dict[str, Any] = {}

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        self.given = dict(inputs)
        y, x = np.unravel_index(inputs["input_1"][0, :, :, 0].argmax(), (SIZE, SIZE))
        points = np.tile(np.array([x, y, 3], np.float32), self.count // 3)
        return {"flag": np.ones((1, 1, 1, 1), np.float32), "points": points.reshape(1, 1, 1, -1)}


def red_at(side: int, x: int, y: int, width: int = 1) -> np.ndarray:
    crop = np.zeros((side, side, 3), np.uint8)
    crop[y : y + width, x : x + width, 2] = 255
    return crop


def test_crops_are_rgb_from_0_to_1_and_points_in_their_pixels() -> None:
    engine = Answering()
    found = FaceMesh(engine).run({"crops": np.stack([red_at(SIZE, 30, 50), red_at(SIZE, 7, 9)])})
    assert found["points"].shape == (2, 468, 3)
    assert np.allclose(found["points"][0], [30, 50, 3])
    assert np.allclose(found["points"][1], [7, 9, 3])
    assert found["visibility"].min() == found["presence"].min() == 1
    assert engine.given["input_1"].dtype == np.float32
    assert engine.given["input_1"].max() == 1


def test_points_of_a_larger_crop_are_in_its_pixels() -> None:
    points = FaceMesh(Answering()).mesh(red_at(2 * SIZE, 60, 100, width=2))
    assert np.allclose(points[0], [60.5, 100.5, 6])


def test_another_network_is_refused() -> None:
    with pytest.raises(ModelError, match="not MediaPipe's face mesh"):
        FaceMesh(Answering(count=1434)).mesh(red_at(SIZE, 1, 1))
    ours = resources.files("rtswap").joinpath("assets/landmarks.onnx")
    with resources.as_file(ours) as path, pytest.raises(ModelError, match="face mesh; expected one float32 input"):
        open_judge(Path(path), face_models())
    assert open_judge(None, face_models()).name.startswith("rtswap's own")
