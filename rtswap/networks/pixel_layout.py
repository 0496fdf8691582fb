"""Convert between our crops, BGR uint8, and what imported networks take and give.

Our own networks convert inside their graphs. The files of others are run as they are, so that their hash stays so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from rtswap.core.errors import ModelError
from rtswap.core.types import Image, Mask, Tensor
from rtswap.networks.model_catalog import Family


class PixelLayout:
    """The conversions of one family. ``(colour / 255 - mean) / std`` is ``colour * gain + shift``."""

    def __init__(self, family: Family) -> None:
        self._name = family.title
        self._planar, self._rgb = family.layout.startswith("NCHW"), family.layout.endswith("RGB")
        std = np.array(family.std, np.float64)
        shape = (3, 1, 1) if self._planar else (1, 1, 3)
        self._gain = (1 / (255 * std)).astype(np.float32).reshape(shape)
        self._shift = (-np.array(family.mean) / std).astype(np.float32).reshape(shape)
        self._out_gain, self._out_shift = (127.5, 127.5) if family.range == "-1..1" else (255.0, 0.0)

    def tensor(self, crops: Sequence[Image], dtype: DTypeLike = np.float32) -> Tensor:
        """Return crops (S, S', 3) of one size as the network's input, (N, 3, S, S') or (N, S, S', 3)."""
        made = []
        for crop in crops:
            picture = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB) if self._rgb else crop
            planes = picture.transpose(2, 0, 1) if self._planar else picture
            values = np.multiply(planes, self._gain, dtype=np.float32, order="C")
            values += self._shift
            made.append(values)
        return np.stack(made).astype(dtype, copy=False)

    def image(self, output: Tensor) -> Image:
        """Return one picture of the output, (3, S, S') or (S, S', 3), as a crop. Raises ModelError for values that
        are not finite, and for another shape."""
        picture: NDArray[Any] = np.asarray(output, np.float32)
        axis = 0 if self._planar else 2
        if picture.ndim != 3 or picture.shape[axis] != 3:
            raise ModelError(f"{self._name} returns no image", expected="three channels", got=str(picture.shape))
        if not np.isfinite(picture).all():
            raise ModelError(f"{self._name} returns no image", expected="numbers", got="values that are not finite")
        if self._planar:
            picture = np.asarray(cv2.merge(list(picture[::-1] if self._rgb else picture)))
        elif self._rgb:
            picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        # addWeighted rounds and saturates in one pass
        return np.asarray(
            cv2.addWeighted(picture, self._out_gain, picture, 0.0, self._out_shift, dtype=cv2.CV_8U), np.uint8
        )


def mask_of(output: Tensor) -> Mask:
    """Return a mask (S, S') 0..255 from one output (1, S, S'), (S, S', 1) or (S, S') of values 0..1. Raises
    ModelError."""
    values: NDArray[np.float32] = np.asarray(np.squeeze(output), np.float32)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ModelError(
            "a network returns no mask", expected="one finite value per pixel", got=str(np.shape(output))
        )
    return np.asarray(cv2.addWeighted(values, 255.0, values, 0.0, 0.0, dtype=cv2.CV_8U), np.uint8)
