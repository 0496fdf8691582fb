"""Network inputs for tests that compare only numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx


def waves(path: Path, batch: int, side: int) -> dict[str, np.ndarray]:
    """For every input of the network in ``path``; ``side``: where it leaves height and width free, up to the next
    multiple of 32. Smooth pictures, as the networks are used to; noise would make convolutions look worse than they
    are."""
    found, side = {}, -(-side // 32) * 32
    for value in onnx.load(path).graph.input:
        shape = [length.dim_value for length in value.type.tensor_type.shape.dim]
        shape = [length or (batch if axis == 0 else side) for axis, length in enumerate(shape)]
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT:  # no picture, but what a network made of one
            found[value.name] = np.random.default_rng(0).normal(size=shape).astype(np.float32)
            continue
        rows, columns = np.mgrid[0 : shape[1], 0 : shape[2]] * (6.0 / shape[1])
        wave = 128 + 90 * np.sin(rows + np.arange(shape[0])[:, None, None]) * np.cos(columns)
        found[value.name] = np.broadcast_to(wave[..., None] if len(shape) == 4 else wave, shape).astype(np.uint8)
    return found
