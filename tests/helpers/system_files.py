"""Small ``.rtswap`` files whose swap can be foreseen: the source's mean colour, or the swap of ``mesh``."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import onnx
from foreign_models import FLOAT, file, node
from onnx import TensorProto

from rtswap.networks.model_file import PART_KEY, SYSTEM_KEY, TEMPLATE_KEY

SIDE = 64
PIXELS = TensorProto.UINT8


def describe(content: bytes, part: str, system: str = "trial", template: str = "whole") -> bytes:
    """A graph with the metadata of a system's part."""
    model = onnx.load_from_string(content)
    onnx.helper.set_model_props(model, {SYSTEM_KEY: system, PART_KEY: part, TEMPLATE_KEY: template})
    return bytes(model.SerializeToString())


def bind_graph() -> bytes:
    """The photo's mean colour, and the embedding as it is."""
    return file(
        [
            node("Cast", "photo", "p", to=FLOAT),
            node("ReduceMean", "p", "colour", axes=[1, 2], keepdims=1),
            node("Identity", "embedding", "who"),
        ],
        {"photo": [1, SIDE, SIDE, 3], "embedding": [1, 128]},
        {"colour": [1, 1, 1, 3], "who": [1, 128]},
        kinds={"photo": PIXELS},
    )


def frame_graph() -> bytes:
    """The source's mean colour everywhere; the mask is weaker below."""
    half = np.full((1, SIDE, SIDE), 255, np.float32)
    half[:, SIDE // 2 :] = 240
    return file(
        [
            node("Cast", "face", "f", to=FLOAT),
            node("Mul", "f zero", "none"),
            node("ReduceSum", "who", "w", keepdims=0),
            node("Mul", "w zero", "nobody"),
            node("Add", "none colour", "c"),
            node("Add", "c nobody", "swapped"),
            node("ReduceSum", "none", "flat", keepdims=0),
            node("Add", "half flat", "mask"),
        ],
        {"face": [1, SIDE, SIDE, 3], "colour": [1, 1, 1, 3], "who": [1, 128]},
        {"swapped": [1, SIDE, SIDE, 3], "mask": [1, SIDE, SIDE]},
        {"zero": np.zeros(1, np.float32), "half": half},
        kinds={"face": PIXELS},
    )


def assisted_graph() -> bytes:
    """What ``mesh`` made of the face; depends on the landmarks by nothing."""
    return file(
        [
            node("Cast", "warped", "w", to=FLOAT),
            node("ReduceMean", "points", "p", keepdims=0),
            node("Mul", "p zero", "none"),
            node("Add", "w none", "swapped"),
        ],
        {"warped": [1, SIDE, SIDE, 3], "points": [1, 468, 3]},
        {"swapped": [1, SIDE, SIDE, 3]},
        {"zero": np.zeros(1, np.float32)},
        kinds={"warped": PIXELS},
    )


def write_pack(path: Path, graphs: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """A zip of files as they are named."""
    with zipfile.ZipFile(path, "w", compression) as pack:
        for name, content in graphs.items():
            pack.writestr(name, content)
    return path


def plain_system(path: Path) -> Path:
    """A sound file: bound to a photo's colour."""
    return write_pack(
        path, {"frame.onnx": describe(frame_graph(), "frame"), "bind.onnx": describe(bind_graph(), "bind")}
    )


def assisted_system(path: Path) -> Path:
    """A sound file that passes on what ``mesh`` makes."""
    return write_pack(path, {"frame.onnx": describe(assisted_graph(), "frame")})
