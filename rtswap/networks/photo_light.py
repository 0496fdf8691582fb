"""Find the light on a photo's skin: lamps, the shadows that noses and leaves cast, gloss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rtswap.core.protocols import Engine
from rtswap.core.types import Image
from rtswap.networks.outputs import check_output

SIZE = 128
"""Side of the chart that the network sees."""
OFFSET = 4.0
"""Levels added before a log is taken, so that noise in black does not count."""


class PhotoLightModel:
    """Wraps the network. Its contract: ``textures`` (N, 128, 128, 3) uint8 BGR, faces on the chart of
    ``swappers.mesh.uv_chart`` -> ``light`` (N, 128, 128, 3) float32, logs of the light on them in each colour."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def find(self, texture: Image) -> NDArray[np.float32]:
        """The log of the light (128, 128, 3) on ``texture`` (128, 128, 3), 0 on average. Raises EngineError, and
        ModelError if the output violates the network's contract."""
        outputs = self.engine.run({"textures": texture[None]})
        light = check_output(
            outputs, "light", (1, SIZE, SIZE, 3), of="the photo's light network", recipe="photo_light"
        )
        return np.asarray(light[0], np.float32)
