"""Imported swappers for tests: the made-up files of ``foreign_models`` on any engine, with everything counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from rtswap.core.protocols import Engine
from rtswap.core.types import SourceIdentity, Tensor
from rtswap.engines.onnxruntime import OnnxRuntimeEngine
from rtswap.engines.openvino import OpenVinoEngine
from rtswap.networks.catalog import Entry, imported_models
from rtswap.networks.installed_models import LATENT
from rtswap.networks.model_catalog import model_catalog
from rtswap.networks.model_store import add
from rtswap.networks.registry import Registry
from rtswap.swappers.onnx.identity import Latent
from rtswap.swappers.onnx.swapper import OnnxSwapModel


def torch_engine(content: bytes) -> Engine:
    from rtswap.engines.torch.engine import TorchEngine

    return TorchEngine(content, threads=1, device="cpu")


ENGINES: dict[str, Callable[[bytes], Engine]] = {
    "onnxruntime": lambda content: OnnxRuntimeEngine(content, threads=1),
    "openvino": lambda content: OpenVinoEngine(content, threads=1),
}
if find_spec("torch"):
    ENGINES["torch"] = torch_engine


class Counted:
    """An engine whose inputs are kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.inputs: list[dict[str, Tensor]] = []

    @property
    def name(self) -> str:
        return self._engine.name

    def run(self, inputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        self.inputs.append({name: np.array(value) for name, value in inputs.items()})
        return {name: np.array(value) for name, value in self._engine.run(inputs).items()}


class Imported:
    """One made-up file, added to the user's models and opened on an engine."""

    def __init__(
        self, folder: Path, content: bytes, kind: str, engine: str = "onnxruntime", name: str = "it"
    ) -> None:
        path = folder / f"{name}.onnx"
        path.write_bytes(content)
        (model,) = add(path, kind=kind, name=name)
        self.entry: Entry = imported_models()[model.name]
        self.family = model_catalog().family_of(self.entry.family, self.entry.known)
        self.engine = Counted(ENGINES[engine](Registry().path(model.name).read_bytes()))
        self.converter: Counted | None = None
        if self.family.emap:
            self.converter = Counted(ENGINES[engine](Registry().path(f"{model.name}{LATENT}").read_bytes()))

    def swap_model(self, **wanted: Any) -> OnnxSwapModel:
        return OnnxSwapModel(self.engine, self.entry, self.family, Latent(self.family, self.converter), **wanted)


def embedding(seed: int = 0, length: float = 1.0) -> Tensor:
    vector = np.random.default_rng(seed).normal(size=512)
    return np.asarray(vector / np.linalg.norm(vector) * length, np.float32)


class Spaces:
    """``SourceIdentity.identity`` that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, space: str) -> Tensor:
        self.asked.append(space)
        return embedding(0, 1.0 if space == "arcface" else 21.0)


def with_arcface(source: SourceIdentity, spaces: Spaces | None = None) -> SourceIdentity:
    """The source with an identity in ArcFace's spaces."""
    return dataclasses.replace(source, identity=spaces or Spaces())
