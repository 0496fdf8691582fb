"""The recipe a TensorRT plan is built by, and the manifest stored next to it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from rtswap.core.errors import EngineError
from rtswap.engines.contract import TensorSpec

REWRITE = 1
"""Increased when the rewriting of graphs changes, so that older plans are rebuilt."""
CURRENT = "current"
"""A recipe's target: the GPU of the machine that builds the plan."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a plan depends on besides the network and TensorRT."""

    precision: str = "fp32"
    target: str = ""
    """Compute capability such as ``8.9``, or CURRENT; empty = every GPU that TensorRT supports by default."""
    batch: tuple[int, int, int] = (1, 4, 16)
    side: tuple[int, int, int] = (16, 256, 1024)
    keep: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, lengths in (("batch", self.batch), ("side", self.side)):
            least, usual, most = lengths
            if not 1 <= least <= usual <= most:
                got = ",".join(map(str, lengths))
                raise EngineError(
                    f"a plan's {what} must be increasing", expected="min,usual,max, such as 1,4,16", got=got
                )


@dataclass(frozen=True, slots=True)
class Manifest:
    """Description and checksums of a plan, stored next to it as JSON."""

    network: str
    onnx_sha256: str
    module: str
    """``tensorrt_rtx`` or ``tensorrt``."""
    version: str
    card: str
    """The GPU model the plan is tied to; empty for a portable plan."""
    recipe: Recipe
    plan_sha256: str
    plan_bytes: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    built_at: str
    """UTC, ISO 8601."""
    took_s: float
    free_batch: bool = True
    """Whether the network's batch size is dynamic, so that a larger batch can be split for the plan."""
    rewrite: int = REWRITE

    @property
    def key(self) -> str:
        return key_of_plan(self.onnx_sha256, self.module, self.version, self.card, self.recipe, self.rewrite)


def key_of_plan(
    onnx_sha256: str, module: str, version: str, card: str, recipe: Recipe, rewrite: int = REWRITE
) -> str:
    """Return the SHA-256, in hex, of everything a plan depends on."""
    parts = [onnx_sha256, module, version, card, asdict(recipe), rewrite]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def manifest_to_json(manifest: Manifest) -> str:
    """Return the manifest as indented JSON."""
    found = asdict(manifest)
    for side in ("inputs", "outputs"):
        found[side] = [
            {"name": spec.name, "dtype": spec.dtype.name, "shape": list(spec.shape)}
            for spec in getattr(manifest, side)
        ]
    return json.dumps(found, indent=1) + "\n"


def manifest_from_json(text: str) -> Manifest:
    """Parse a manifest. Raises ValueError if the text is not one."""
    try:
        found: dict[str, Any] = json.loads(text)
        recipe = found["recipe"]
        given = {one.name: found[one.name] for one in fields(Manifest)}
        given["recipe"] = Recipe(
            str(recipe["precision"]),
            str(recipe["target"]),
            _range(recipe["batch"]),
            _range(recipe["side"]),
            tuple(str(name) for name in recipe["keep"]),
        )
        given["inputs"], given["outputs"] = _specs(found["inputs"]), _specs(found["outputs"])
        given["plan_bytes"], given["took_s"] = int(found["plan_bytes"]), float(found["took_s"])
        given["free_batch"] = found["free_batch"] is True
        if wrong := [
            one.name for one in fields(Manifest) if one.type == "str" and not isinstance(given[one.name], str)
        ]:
            raise ValueError(f"{wrong[0]} is not a string")
        return Manifest(**given)
    except (KeyError, TypeError, AttributeError, EngineError, RecursionError) as error:
        raise ValueError(f"not a manifest: {error}") from error


def _range(values: Any) -> tuple[int, int, int]:
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
