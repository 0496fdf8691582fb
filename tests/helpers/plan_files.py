"""A small network, and its plan with manifest as the plan cache stores it."""

from __future__ import annotations

import hashlib

import numpy as np

from rtswap.engines.contract import TensorSpec
from rtswap.engines.tensorrt.module import TensorRt
from rtswap.engines.tensorrt.plan import Manifest, Recipe
from rtswap.networks.onnx_graph import Graph


def network(size: int = 3) -> bytes:
    g = Graph("small")
    kernel = np.random.default_rng(size).normal(size=(4, 3, size, size)).astype(np.float32)
    g.add("Relu", g.conv(g.nhwc_u8("image"), kernel, np.zeros(4, np.float32)), to="map")
    return g.serialise({"image": ["n", 8, 8, 3]}, {"map": ["n", 4, 9 - size, 9 - size]}, {})


NO_TENSORRT = TensorRt("tensorrt_rtx", "1.0", None)
RECIPE = Recipe("fp16", "8.9", (1, 4, 16))


def manifest(plan: bytes, name: str = "net", version: str = "1.0", recipe: Recipe = RECIPE) -> Manifest:
    return Manifest(
        network=name,
        onnx_sha256="ab" * 32,
        module="tensorrt_rtx",
        version=version,
        card="",
        recipe=recipe,
        plan_sha256=hashlib.sha256(plan).hexdigest(),
        plan_bytes=len(plan),
        inputs=(TensorSpec("image", np.dtype("uint8"), (None, 8, 8, 3)),),
        outputs=(TensorSpec("map", np.dtype("float32"), (None, 4)),),
        built_at="2026-11-21T09:00:00+00:00",
        took_s=0.5,
    )


PLAN = bytes(range(256)) * 40
