"""The ONNX cascade equals the same layers in NumPy, with the package's own weights."""

from __future__ import annotations

import importlib.util
import pickle
from pathlib import Path

import lz4.frame
import numpy as np
import onnx
import pytest

from rtswap.core.errors import ModelError
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.networks import mtcnn

Array = np.ndarray


def conv(x: Array, kernel: Array, bias: Array) -> Array:
    """x (H, W, in), Keras kernel (kh, kw, in, out), no padding."""
    windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], axis=(0, 1))
    return np.einsum("hwcij,ijco->hwo", windows, kernel) + bias


def prelu(x: Array, slope: Array) -> Array:
    return np.where(x > 0, x, x * slope.reshape(-1))


def pool(x: Array, side: int, step: int, *, same: bool) -> Array:
    """Max-pooling; ``same`` pads at the end so that no pixel is left out, as Keras does here."""
    if same:
        missing = [max((-(-length // step) - 1) * step + side - length, 0) for length in x.shape[:2]]
        pads = [(m // 2, m - m // 2) for m in missing]
        x = np.pad(x, (*pads, (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(0, 1))
    return windows[::step, ::step].max(axis=(3, 4))


def face_share(x: Array) -> Array:
    """Second of two softmax outputs."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return (powers / powers.sum(axis=-1, keepdims=True))[..., 1]


def flatten(x: Array) -> Array:
    """Keras: Permute((2, 1, 3)), then Flatten."""
    return x.transpose(1, 0, 2).reshape(-1)


def normalised(image_bgr: Array) -> Array:
    return (image_bgr[..., ::-1].astype(np.float64) - 127.5) / 128


def pnet(image: Array, w: list[Array]) -> dict[str, Array]:
    x = pool(prelu(conv(normalised(image), w[0], w[1]), w[2]), 2, 2, same=True)
    x = prelu(conv(prelu(conv(x, w[3], w[4]), w[5]), w[6], w[7]), w[8])
    share = face_share(conv(x, w[11], w[12]))[..., None]
    return {"map": np.concatenate([np.log(share / (1 - share)), conv(x, w[9], w[10])], axis=2).transpose(2, 0, 1)}


def rnet(image: Array, w: list[Array]) -> dict[str, Array]:
    x = pool(prelu(conv(normalised(image), w[0], w[1]), w[2]), 3, 2, same=True)
    x = pool(prelu(conv(x, w[3], w[4]), w[5]), 3, 2, same=False)
    x = prelu(conv(x, w[6], w[7]), w[8])
    x = prelu(flatten(x) @ w[9] + w[10], w[11])
    return {"box": x @ w[12] + w[13], "score": face_share(x @ w[14] + w[15])[None]}


def onet(image: Array, w: list[Array]) -> dict[str, Array]:
    x = pool(prelu(conv(normalised(image), w[0], w[1]), w[2]), 3, 2, same=True)
    x = pool(prelu(conv(x, w[3], w[4]), w[5]), 3, 2, same=False)
    x = pool(prelu(conv(x, w[6], w[7]), w[8]), 2, 2, same=True)
    x = prelu(conv(x, w[9], w[10]), w[11])
    x = prelu(flatten(x) @ w[12] + w[13], w[14])
    points = x @ w[17] + w[18]
    return {
        "box": x @ w[15] + w[16],
        "points": np.stack([points[:5], points[5:]], axis=1),
        "score": face_share(x @ w[19] + w[20])[None],
    }


REFERENCES = {"pnet": pnet, "rnet": rnet, "onet": onet}


@pytest.mark.parametrize(
    ("network", "shape"),
    [("pnet", (12, 12)), ("pnet", (40, 57)), ("pnet", (33, 21)), ("rnet", (24, 24)), ("onet", (48, 48))],
)
def test_same_numbers_as_the_layers_in_numpy(network: str, shape: tuple[int, int]) -> None:
    images = np.random.default_rng(4).integers(0, 256, (3, *shape, 3), dtype=np.uint8)
    images[1] //= 8  # dark
    images[2, :, :] = np.linspace(0, 255, shape[1]).astype(np.uint8)[None, :, None]
    weights = [
        w.astype(np.float64) for w in mtcnn.load_weights(mtcnn.weights_path(network), mtcnn.WEIGHTS_SHA256[network])
    ]
    outputs = OnnxRuntimeEngine(mtcnn.convert(network)).run({"image": images})
    for index, image in enumerate(images):
        for name, expected in REFERENCES[network](image, weights).items():
            np.testing.assert_allclose(outputs[name][index], expected, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("network", REFERENCES)
def test_same_bytes_every_time_and_says_where_it_comes_from(network: str) -> None:
    content = mtcnn.convert(network)
    assert content == mtcnn.convert(network)
    told = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
    assert told["licence"] == "MIT"
    assert told["weights_sha256"] == mtcnn.WEIGHTS_SHA256[network]


class Bomb:
    """Unpickling it writes a file: what a hostile weights file would do."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return open, (self.path, "w")


def test_a_different_file_is_never_unpickled(tmp_path: Path) -> None:
    proof = tmp_path / "it ran"
    weights = tmp_path / "pnet.lz4"
    weights.write_bytes(lz4.frame.compress(pickle.dumps(Bomb(str(proof)))))
    with pytest.raises(ModelError, match=r"not the file of mtcnn 1\.0\.0.*pip install") as caught:
        mtcnn.load_weights(weights, mtcnn.WEIGHTS_SHA256["pnet"])
    assert "\n" not in str(caught.value)
    assert not proof.exists()


def test_one_changed_byte_is_noticed(tmp_path: Path) -> None:
    content = bytearray(mtcnn.weights_path("rnet").read_bytes())
    content[-1] ^= 1
    weights = tmp_path / "rnet.lz4"
    weights.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="sha256"):
        mtcnn.load_weights(weights, mtcnn.WEIGHTS_SHA256["rnet"])


@pytest.mark.parametrize("found", [None, "empty"])
def test_missing_package_is_reported_with_the_command_to_install_it(
    found: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spec = None
    if found:
        spec = importlib.util.spec_from_loader("mtcnn", loader=None, is_package=True)
        assert spec is not None
        spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ModelError, match=r"pip install mtcnn==1\.0\.0"):
        mtcnn.convert("pnet")
