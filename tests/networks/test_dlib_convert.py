"""The identity network equals its layers in NumPy, and dlib's own outputs."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from rtswap.core.errors import ModelError
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks import dlib

Array = np.ndarray

MEAN_RGB = np.array([122.782, 117.001, 104.298])


def packed(number: int) -> bytes:
    size = 1
    while number >> (8 * size):
        size += 1
    return bytes([size]) + number.to_bytes(size, "little")


class File:
    """A weights file in dlib's manner with random numbers, written layer by layer."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(6)
        self.content = b"loss_metric_2 and other words"
        self.layers: list[tuple[Array, Array]] = []

    def tensor(self, numbers: Array, *shape: int) -> None:
        sizes = shape or (numbers.size,)
        header = b"\x01\x02" + b"".join(map(packed, sizes)) + b"\x01\x01" * (4 - len(sizes))
        self.content += header + numbers.astype("<f4").tobytes() + b"affine_"

    def conv(self, out: int, into: int, side: int) -> None:
        kernel = self.rng.normal(size=(out, into, side, side)).astype(np.float32) / np.sqrt(into * side * side)
        bias, scale, shift = (self.rng.normal(0.3, 0.3, out).astype(np.float32) for _ in range(3))
        self.tensor(np.concatenate([kernel.ravel(), bias]))
        self.tensor(np.concatenate([scale, shift]))
        wide = kernel.astype(np.float64) * scale[:, None, None, None]
        self.layers.append((wide, bias.astype(np.float64) * scale + shift))


def conv(x: Array, kernel: Array, bias: Array, step: int, pad: int) -> Array:
    """x (C, H, W)."""
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    side = kernel.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[:, ::step, ::step]
    columns = windows.transpose(1, 2, 0, 3, 4).reshape(windows.shape[1] * windows.shape[2], -1)
    out = columns @ kernel.reshape(len(kernel), -1).T + bias
    return out.T.reshape(len(kernel), windows.shape[1], windows.shape[2])


def pooled(x: Array, side: int, how: str) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(1, 2))[:, ::2, ::2]
    return windows.max(axis=(3, 4)) if how == "max" else windows.mean(axis=(3, 4))


def plus(a: Array, b: Array) -> Array:
    """dlib's add: as large as the larger in every direction, zeros where one has nothing."""
    shape = np.maximum(a.shape, b.shape)
    a, b = (np.pad(x, [(0, int(want - have)) for want, have in zip(shape, x.shape, strict=True)]) for x in (a, b))
    return a + b


def stages(image_bgr: Array, layers: list[tuple[Array, Array]]) -> list[Array]:
    """What the network's five stages see, in numpy, as means over the picture; ``layers`` from input to output."""
    means = []
    parts = iter(layers)
    x = (image_bgr[..., ::-1].astype(np.float64) - MEAN_RGB).transpose(2, 0, 1) / 256
    x = pooled(np.maximum(conv(x, *next(parts), step=2, pad=0), 0), 3, "max")
    for halves in "...h...h..h..h":
        if halves == "h":
            means.append(x.mean(axis=(1, 2)))
            y = np.maximum(conv(x, *next(parts), step=2, pad=0), 0)
            x = pooled(x, 2, "mean")
        else:
            y = np.maximum(conv(x, *next(parts), step=1, pad=1), 0)
        y = conv(y, *next(parts), step=1, pad=1)
        x = np.maximum(plus(y, x), 0)
    assert next(parts, None) is None
    return [*means, x.mean(axis=(1, 2))]


@pytest.fixture(scope="module")
def file() -> tuple[File, Array]:
    written = File()
    written.conv(32, 3, 7)
    into = 32
    for out in (32, 32, 32, 64, 64, 64, 64, 128, 128, 128, 256, 256, 256, 256):
        written.conv(out, into, 3)
        written.conv(out, out, 3)
        into = out
    last = written.rng.normal(size=(256, 128)).astype(np.float32)
    written.tensor(last, 256, 128)
    return written, last


def test_same_numbers_as_the_layers_in_numpy(file: tuple[File, Array]) -> None:
    written, last = file
    image = np.random.default_rng(7).integers(0, 256, (2, 150, 150, 3), dtype=np.uint8)
    engine = OnnxRuntimeEngine(dlib._build(dlib._Weights(written.content)))
    outputs = engine.run({"image": image})["embedding"]
    seen = OnnxRuntimeEngine(dlib._build(dlib._Weights(written.content), stages=True)).run({"image": image})[
        "features"
    ]
    for index in range(2):
        means = stages(image[index], written.layers)
        np.testing.assert_allclose(seen[index], np.concatenate(means), rtol=1e-3, atol=1e-4 * means[-1].max())
        expected = means[-1] @ last.astype(np.float64)
        np.testing.assert_allclose(outputs[index], expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_truncated_weights_are_reported(file: tuple[File, Array]) -> None:
    with pytest.raises(ModelError, match="are truncated"):
        dlib._build(dlib._Weights(file[0].content[:-200_000]))


def test_another_file_is_refused(tmp_path: object, monkeypatch: pytest.MonkeyPatch, file: tuple[File, Array]) -> None:
    from pathlib import Path

    path = Path(str(tmp_path)) / "weights.dat"
    path.write_bytes(file[0].content)
    monkeypatch.setattr(dlib, "weights_path", lambda: path)
    with pytest.raises(ModelError, match=r"sha256.*pip install"):
        dlib.convert("resnet")


def test_missing_package_is_reported_with_the_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install face_recognition_models==0\.3\.0"):
        dlib.convert("resnet")


@pytest.mark.skipif(
    importlib.util.find_spec("face_recognition_models") is None,
    reason="the extra identity (face_recognition_models, CC0, 100 MB) is not installed",
)
def test_same_numbers_as_dlib() -> None:
    """dlib's own output for this picture, to five digits after the point and more."""
    row, column = np.mgrid[:150, :150]
    red, green, blue = (7 * row + 3 * column) % 256, (3 * row + 5 * column) % 256, (row * row + column) % 256
    image = np.stack([blue, green, red], axis=-1).astype(np.uint8)
    content = dlib.convert("resnet")
    assert content == dlib.convert("resnet")
    embedding = OnnxRuntimeEngine(content).run({"image": image[None]})["embedding"][0]
    np.testing.assert_allclose(
        embedding[:5], [-0.0510054, 0.0923907, 0.0150391, -0.0568415, -0.0657160], rtol=0, atol=1e-5
    )
