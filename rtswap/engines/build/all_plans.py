"""Build and cache the TensorRT plans of several networks, for ``rtswap build`` and the TensorRT engine."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rtswap.core.errors import RtswapError
from rtswap.engines.build.builder import build_plan
from rtswap.engines.build.profiles import profile_of
from rtswap.engines.contract import read_model_file
from rtswap.engines.tensorrt.module import TensorRt
from rtswap.engines.tensorrt.plan import Manifest, Recipe, key_of_plan
from rtswap.engines.tensorrt.plan_store import PlanCache


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """Options for all plans; None = the value in each network's profile."""

    precision: str | None = None
    target: str = ""
    batch: tuple[int, int, int] | None = None
    force: bool = False
    """Rebuild plans that are already cached."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """Result for one network."""

    network: str
    manifest: Manifest | None
    """None if the build failed."""
    took_s: float
    fresh: bool = False
    """False: the plan was already cached."""
    failed: str = ""


def recipe_for(network: str, options: PlanOptions) -> Recipe:
    """Return the network's recipe from its profile and the options. Raises EngineError for an invalid range."""
    known = profile_of(network)
    return Recipe(
        precision=options.precision or known.precision,
        target=options.target,
        batch=options.batch or known.batch,
        side=known.side,
        keep=known.keep,
    )


def plan_for(
    content: bytes,
    network: str,
    recipe: Recipe,
    tensorrt: TensorRt,
    cache: PlanCache | None,
    *,
    card: str = "",
    force: bool = False,
) -> tuple[bytes, Manifest, bool]:
    """Return (plan, manifest, built): from the cache, or built now and cached.

    ``card``: the GPU model that a plan of classic TensorRT is tied to. Raises ModelError, EngineError.
    """
    if recipe.precision == "fp32":
        recipe = replace(recipe, keep=())
    key = key_of_plan(hashlib.sha256(content).hexdigest(), tensorrt.name, tensorrt.version, card, recipe)
    found = None if force or cache is None else cache.find(network, key)
    if found is not None:
        return *found, False
    plan, manifest = build_plan(content, network, recipe, tensorrt, card=card)
    if cache is not None:
        cache.put(plan, manifest)
    return plan, manifest, True


def build_all(
    networks: Sequence[tuple[str, Path]],
    options: PlanOptions,
    tensorrt: TensorRt,
    cache: PlanCache,
    *,
    card: str = "",
    on_progress: Callable[[int, int | None, str], None] = lambda done, total, line: None,
) -> list[BuildResult]:
    """Build a plan for each (name, ONNX file) and return the results in order. A failure does not stop the others."""
    results = []
    for number, (network, path) in enumerate(networks):
        on_progress(number, len(networks), network)
        began = time.perf_counter()
        try:
            recipe = recipe_for(network, options)
            _, manifest, fresh = plan_for(
                read_model_file(path), network, recipe, tensorrt, cache, card=card, force=options.force
            )
            results.append(BuildResult(network, manifest, time.perf_counter() - began, fresh))
        except RtswapError as error:
            results.append(BuildResult(network, None, time.perf_counter() - began, failed=str(error)))
    on_progress(len(networks), len(networks), "")
    return results
