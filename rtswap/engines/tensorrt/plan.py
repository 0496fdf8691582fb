"""What a plan is: a network compiled by TensorRT, the recipe it was made by, and the manifest that vouches for it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from rtswap.core.errors import EngineError
from rtswap.engines.contract import TensorSpec

REWRITE = 1
"""Counts up when the rewriting of graphs changes, so that older plans are built again."""
CURRENT = "current"
"""A recipe's target: the card of the machine that builds, whatever it is."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a plan depends on beside the network and TensorRT."""

    precision: str = "fp32"
    target: str = ""
    """Compute capability such as ``8.9``, or CURRENT; empty = every card that TensorRT serves by itself."""
    batch: tuple[int, int, int] = (1, 4, 16)
    side: tuple[int, int, int] = (16, 256, 1024)
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, lengths in (("batch", self.batch), ("side", self.side)):
            least, usual, most = lengths
            if not 1 <= least <= usual <= most:
                got = ",".join(map(str, lengths))
                raise EngineError(
                    f"a plan's {what} has to grow", expected="least,usual,most, such as 1,4,16", got=got
                )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What lies beside a plan."""

    network: str
    onnx_sha256: str
    module: str
    """``tensorrt_rtx`` or ``tensorrt``."""
    version: str
    card: str
    """The card it is tied to; empty where it is not."""
    recipe: Recipe
    plan_sha256: str
    plan_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    built_at: str
    """UTC, ISO 8601."""
    took_s: float
    free_batch: bool = True
    """Whether the network takes any batch, so that a larger one may be cut into pieces for the plan."""
    rewrite: int = REWRITE

    @property
    def key(self) -> str:
        return key_of_plan(self.onnx_sha256, self.module, self.version, self.card, self.recipe, self.rewrite)


def key_of_plan(
    onnx_sha256: str, module: str, version: str, card: str, recipe: Recipe, rewrite: int = REWRITE
) -> str:
    """sha256 over everything a plan depends on."""
    parts = [onnx_sha256, module, version, card, asdict(recipe), rewrite]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def manifest_to_json(manifest: Manifest) -> str:
    """What lies beside the plan, as text for people and programs."""
    found = asdict(manifest)
    for side in ("inputs", "outputs"):
        found[side] = [
            {"name": spec.name, "dtype": spec.dtype.name, "shape": list(spec.shape)}
            for spec in getattr(manifest, side)
        ]
    return json.dumps(found, indent=1) + "\n"


def manifest_from_json(text: str) -> Manifest:
    """Raises ValueError for anything that is not a manifest."""
    try:
        found: dict[str, Any] = json.loads(text)
        recipe = found["recipe"]
        given = {one.name: found[one.name] for one in fields(Manifest)}
        given["recipe"] = Recipe(
            str(recipe["precision"]),
            str(recipe["target"]),
            _three(recipe["batch"]),
            _three(recipe["side"]),
            tuple(str(name) for name in recipe["keep"]),
        )
        given["inputs"], given["outputs"] = _specs(found["inputs"]), _specs(found["outputs"])
        given["plan_bytes"], given["took_s"] = int(found["plan_bytes"]), float(found["took_s"])
        given["free_batch"] = found["free_batch"] is True
        if wrong := [
            one.name for one in fields(Manifest) if one.type == "str" and not isinstance(given[one.name], str)
        ]:
            raise ValueError(f"{wrong[0]} is no text")
        return Manifest(**given)
    except (KeyError, TypeError, AttributeError, EngineError, RecursionError) as error:
        raise ValueError(f"no manifest: {error}") from error


def _three(values: Any) -> tuple[int, int, int]:
    least, usual, most = (int(value) for value in values)
    return least, usual, most


def _specs(rows: Any) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(
            str(row["name"]),
            np.dtype(str(row["dtype"])),
            tuple(None if length is None else int(length) for length in row["shape"]),
        )
        for row in rows
    )
