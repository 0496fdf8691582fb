"""The wrapper of the network that finds the light on a photo's skin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from rtswap.core.errors import ModelError
from rtswap.networks.photo_light import SIZE, PhotoLightModel

TEXTURE = np.full((SIZE, SIZE, 3), 90, np.uint8)


class Engine:
    name = "fake"

    def __init__(self, outputs: Mapping[str, Any]) -> None:
        self._outputs = outputs

    def run(self, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        assert inputs["textures"].shape == (1, SIZE, SIZE, 3)
        return self._outputs


def test_the_light_of_one_photo() -> None:
    light = np.linspace(-1, 1, SIZE * SIZE * 3, dtype=np.float32).reshape(1, SIZE, SIZE, 3)
    assert np.array_equal(PhotoLightModel(Engine({"light": light})).find(TEXTURE), light[0])


@pytest.mark.parametrize(
    "outputs",
    [
        {},
        {"light": np.zeros((1, SIZE, SIZE, 1), np.float32)},
        {"light": np.full((1, SIZE, SIZE, 3), np.nan, np.float32)},
    ],
)
def test_a_wrong_answer_is_an_error(outputs: Mapping[str, Any]) -> None:
    with pytest.raises(ModelError, match="photo's light network"):
        PhotoLightModel(Engine(outputs)).find(TEXTURE)
